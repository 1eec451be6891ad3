"""The commands about the trail."""

import sys
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from tenantry.app.console import CannotGoOn, dsn_of, say, settings_in_force, with_database
from tenantry.app.operators import operator_entry
from tenantry.audit.actions import AuditAction
from tenantry.audit.export import export
from tenantry.audit.trail import insert
from tenantry.directory.tenants.repository import key_of_slug
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.storage.database import Database
from tenantry.storage.unit_of_work import UnitOfWork

COMMAND = "tenantry audit export"
LINES_TOLD = 100_000
"""Progress is said each time so many lines are out."""

audit = typer.Typer(help="The trail, for auditors.", no_args_is_help=True)


@audit.command("export")
def export_trail(
    tenant: Annotated[str, typer.Argument(help="The tenant's slug; `platform` for the platform's own.")],
    since: Annotated[datetime | None, typer.Option(help="First moment (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="End, itself not included (UTC).")] = None,
) -> None:
    """Write a tenant's trail to standard output, a JSON object a line; the export is recorded in it."""
    dsn_of(settings_in_force())
    lines = with_database(
        partial(exported, slug=tenant, since=_utc(since), until=_utc(until), clock=system_clock)
    )
    say.print(f"{tenant}: {lines} records")


async def exported(
    database: Database, *, slug: str, since: datetime | None, until: datetime | None, clock: Clock
) -> int:
    """Write the records to standard output; how many. Raises ``CannotGoOn`` for no such tenant."""
    count = 0

    async def record(work: UnitOfWork) -> None:
        entry = operator_entry(COMMAND, AuditAction.AUDIT_EXPORT, clock(), tenant=work.tenant)
        await insert(work, [entry])

    async with database.writing(None, before_commit=record) as work:
        await work.enter(PLATFORM_TENANT_KEY)
        key = PLATFORM_TENANT_KEY if slug == "platform" else await key_of_slug(work, slug)
        if key is None:
            raise CannotGoOn(f"There is no tenant {slug}.")
        await work.enter(key)
        async for line in export(work, since=since, until=until):
            sys.stdout.write(line.decode())
            count += 1
            if not count % LINES_TOLD:
                say.print(f"{count} records …")
    return count


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)
