"""Who acts by the command line: nobody of ours, so that the record says the command."""

from datetime import datetime
from uuid import UUID

from tenantry import __version__
from tenantry.audit.actions import AuditAction
from tenantry.audit.records import AuditEntry, Outcome, record_id
from tenantry.kernel.ids import new_key
from tenantry.kernel.principal import ActorKind


def operator_entry(
    command: str, action: AuditAction, at: datetime, *, tenant: UUID, targets: tuple[str, ...] = ()
) -> AuditEntry:
    """The record of what an operator has done, in the trail of ``tenant`` (a key)."""
    request_id = str(new_key())
    return AuditEntry(
        tenant_id=tenant,
        node_id=record_id(request_id, 0),
        at=at,
        actor_kind=str(ActorKind.SYSTEM),
        action=action,
        operation_type="command",
        method="CLI",
        path=command,
        outcome=Outcome.OK,
        targets=targets,
        user_agent=f"tenantry/{__version__}",
        request_id=request_id,
    )
