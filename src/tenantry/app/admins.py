"""Super-admins as an operator makes them: a flag of the person, which the service itself cannot write."""

from functools import partial

from tenantry import __version__
from tenantry.audit.actions import AuditAction
from tenantry.audit.records import AuditEntry, Outcome, record_id
from tenantry.audit.trail import insert
from tenantry.directory.provisioning.super_admins import grant, revoke
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.ids import PLATFORM_TENANT_KEY, new_key
from tenantry.kernel.principal import ActorKind
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
    request_id = str(new_key())
    entries = [
        AuditEntry(
            tenant_id=PLATFORM_TENANT_KEY,
            node_id=record_id(request_id, place),
            at=clock(),
            actor_kind=str(ActorKind.SYSTEM),
            action=AuditAction(action.name),
            operation_type="command",
            method="CLI",
            path=f"tenantry admin {action.name.partition('.')[2]}",
            outcome=Outcome.OK,
            targets=action.targets,
            user_agent=f"tenantry/{__version__}",
            request_id=request_id,
        )
        for place, action in enumerate(work.actions)
    ]
    if entries:
        await insert(work, entries)
