"""From an operation to its audit records: one for each root field."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict, Unpack
from uuid import UUID

from tenantry.api.operations import Operation, RefreshCookie
from tenantry.api.planner.documents import Prepared
from tenantry.audit.records import AuditEntry, Outcome, record_id
from tenantry.kernel.clock import Clock
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import ANONYMOUS, ActorKind, Authority, Principal, Scope


class Facts(TypedDict, total=False):
    """What a record may say besides."""

    root_field: str | None
    code: str | None
    targets: Sequence[str]
    inside: tuple[UUID, str | None] | None


@dataclass(slots=True)
class Book:
    """The records of one operation: written ones are counted, the others wait for its end."""

    operation: Operation
    clock: Clock
    authority: Authority | None = None
    prepared: Prepared | None = None
    waiting: list[AuditEntry] = field(default_factory=list[AuditEntry])
    made: int = 0
    cookie: RefreshCookie | None = None
    """What the client's refresh cookie is to hold from now on."""

    def entry(
        self,
        action: str,
        outcome: Outcome,
        *,
        root_field: str | None = None,
        code: str | None = None,
        targets: Sequence[str] = (),
        inside: tuple[UUID, str | None] | None = None,
    ) -> AuditEntry:
        """One record. ``inside`` names the tenant in whose trail it stands, if not the actor's."""
        caller, authority, prepared = self.operation.caller, self.authority, self.prepared
        principal = caller.principal
        key = authority.key if authority is not None else None
        if authority is not None and key is None and authority.session_id != principal.session:
            # A login's actor is whom it signs in, whatever token came along.
            principal = ANONYMOUS
        home = _home(authority)
        tenant_id, tenant = inside or home
        index, self.made = self.made, self.made + 1
        return AuditEntry(
            tenant_id=tenant_id,
            node_id=record_id(caller.request_id, index),
            at=self.clock(),
            actor_kind=_kind(principal, authority),
            actor_id=key or principal.subject or (authority.user if authority else None),
            actor_label=authority.label if authority else None,
            actor_role=_role(principal, authority),
            actor_tenant=principal.tenant or home[1],
            tenant=tenant,
            action=action,
            operation_type=prepared.kind if prepared else "unknown",
            operation_name=prepared.name if prepared else None,
            root_field=root_field,
            document_hash=prepared.document_hash if prepared else None,
            targets=tuple(targets),
            method=caller.method,
            path=caller.path,
            outcome=outcome,
            code=code,
            ip=caller.ip,
            user_agent=caller.user_agent,
            request_id=caller.request_id,
        )

    def note(self, action: str, outcome: Outcome, **facts: Unpack[Facts]) -> None:
        """Keep a record for the end of the operation."""
        self.waiting.append(self.entry(action, outcome, **facts))


def _home(authority: Authority | None) -> tuple[UUID, str | None]:
    if authority is None:
        return PLATFORM_TENANT_KEY, None
    return authority.tenant_id, authority.tenant if authority.scope is Scope.TENANT else None


def _kind(principal: Principal, authority: Authority | None) -> str:
    if authority is None:
        # A key that does not hold is as good as none.
        return str(ActorKind.ANONYMOUS if principal.key is not None else principal.kind)
    return str(ActorKind.USER if principal.kind is ActorKind.ANONYMOUS else principal.kind)


def _role(principal: Principal, authority: Authority | None) -> str | None:
    """As the token said; of a login, as the token will say."""
    roles = principal.roles or (authority.roles if authority is not None else ())
    return roles[0] if roles else None
