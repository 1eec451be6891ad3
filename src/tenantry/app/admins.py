"""Super-admins as an operator makes them: a flag of the person, which the service itself cannot write."""

from functools import partial

from tenantry.app.operators import operator_entry
from tenantry.audit.actions import AuditAction
from tenantry.audit.trail import insert
from tenantry.directory.provisioning.super_admins import grant, revoke
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.storage.database import Database
from tenantry.storage.unit_of_work import UnitOfWork


async def granted(database: Database, *, email: str, clock: Clock = system_clock) -> bool:
    """Make the person of this address a super-admin, on the record; whether they were none."""
    async with database.writing(None, before_commit=partial(_record, clock=clock)) as work:
        return await grant(work, email)


async def revoked(database: Database, *, email: str, clock: Clock = system_clock) -> bool:
    """Make the person of this address none any more, on the record; whether they were one."""
    async with database.writing(None, before_commit=partial(_record, clock=clock)) as work:
        return await revoke(work, email)


async def _record(work: UnitOfWork, clock: Clock) -> None:
    entries = [
        operator_entry(
            f"tenantry admin {action.name.partition('.')[2]}",
            AuditAction(action.name),
            clock(),
            tenant=PLATFORM_TENANT_KEY,
            targets=action.targets,
        )
        for action in work.actions
    ]
    if entries:
        await insert(work, entries)
