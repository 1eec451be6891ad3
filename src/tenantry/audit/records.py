"""One line of the trail, before it is written, and its exact canonical bytes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import orjson

from tenantry.kernel.ids import NodePrefix

OFFSET = "+00:00"
BODY_VERSION = 1
"""Names the set of fields in a body; a change of the set is a new version, never a silent one."""


class Outcome(StrEnum):
    """How the root field ended: whole, with errors inside, refused on purpose, or broken."""

    FAILED = "FAILED"
    OK = "OK"
    PARTIAL = "PARTIAL"
    REFUSED = "REFUSED"


# Not frozen: that makes each of twenty-four fields three times as dear, on every operation.
@dataclass(slots=True, kw_only=True)
class AuditEntry:
    """One root field of one operation, or one operation that reached none.

    ``tenant_id`` is the key of the tenant whose trail this stands in; what happened
    outside every tenant stands in the platform's (``PLATFORM_TENANT_KEY``). ``at`` is
    timezone-aware. ``action`` is one of ``AuditAction``; ``targets`` are node ids.
    ``path`` comes without its query. Nothing here is a variable, a token or free text,
    and only ``actor_label``, ``ip`` and ``user_agent`` are personal: they stay out of the body.
    """

    tenant_id: UUID
    node_id: str
    at: datetime
    actor_kind: str
    action: str
    operation_type: str
    method: str
    path: str
    outcome: Outcome
    request_id: str
    actor_id: str | None = None
    actor_label: str | None = None
    actor_role: str | None = None
    actor_tenant: str | None = None
    tenant: str | None = None
    operation_name: str | None = None
    root_field: str | None = None
    document_hash: str | None = None
    targets: tuple[str, ...] = ()
    code: str | None = None
    ip: str | None = None
    user_agent: str | None = None


def record_id(request_id: str, index: int) -> str:
    """The node id of a request's ``index``-th record (from 0); unique where ``request_id`` is."""
    return f"{NodePrefix.AUDIT_EVENT}_{request_id}.{index}"


def canonical_body(entry: AuditEntry) -> bytes:
    """The bytes to be hashed: JSON by RFC 8785 of every field but the personal ones.

    Every key is always there, null where nothing is to say. The values are strings, null,
    an array of strings and one small integer, for which orjson with sorted keys (all ASCII)
    writes what RFC 8785, sections 3.2.2 and 3.2.3, ask for. Raises ``TypeError`` for text
    that is not Unicode (a lone surrogate).
    """
    return orjson.dumps(
        {
            "action": entry.action,
            "actor_id": entry.actor_id,
            "actor_kind": entry.actor_kind,
            "actor_role": entry.actor_role,
            "actor_tenant": entry.actor_tenant,
            "at": timestamp(entry.at),
            "code": entry.code,
            "document_hash": entry.document_hash,
            "id": entry.node_id,
            "method": entry.method,
            "operation_name": entry.operation_name,
            "operation_type": entry.operation_type,
            "outcome": entry.outcome,
            "path": entry.path,
            "request_id": entry.request_id,
            "root_field": entry.root_field,
            "targets": entry.targets,
            "tenant": entry.tenant,
            "v": BODY_VERSION,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def timestamp(at: datetime) -> str:
    """``at`` by RFC 3339 in UTC, always with six digits of microseconds and ``Z``."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return f"{utc.isoformat(timespec='microseconds').removesuffix(OFFSET)}Z"
