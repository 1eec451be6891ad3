"""Audit entries for tests."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tenantry.audit.actions import AuditAction
from tenantry.audit.records import AuditEntry, Outcome, record_id
from tenantry.kernel.ids import PLATFORM_TENANT_KEY, new_key

NOON = datetime(2026, 1, 2, 12, 0, 0, 250_000, tzinfo=UTC)
PERSONAL = {"actor_label": "Ada Lovelace", "ip": "192.0.2.7", "user_agent": "Browser/1.0"}


def make_entry(tenant_id: UUID = PLATFORM_TENANT_KEY, **values: Any) -> AuditEntry:
    """One that says something in every field, but for what ``values`` says otherwise."""
    request_id = new_key().hex
    entry = AuditEntry(
        tenant_id=tenant_id,
        node_id=record_id(request_id, 0),
        at=NOON,
        actor_kind="USER",
        actor_id="U_ada",
        actor_role="admin",
        actor_tenant="T_acme",
        tenant="T_acme",
        action=AuditAction.MEMBER_ROLES_SET,
        operation_type="mutation",
        operation_name="Promote",
        root_field="memberRolesSet",
        document_hash="0f" * 32,
        targets=("M_grace", "R_admin"),
        method="POST",
        path="/graphql",
        outcome=Outcome.OK,
        request_id=request_id,
        **PERSONAL,
    )
    return replace(entry, **values)
