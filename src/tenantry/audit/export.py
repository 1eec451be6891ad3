"""A tenant's trail in full, for an auditor: one JSON object a record, in the order of the trail."""

from collections.abc import AsyncIterator
from datetime import datetime

import asyncpg
import orjson

from tenantry.storage.unit_of_work import UnitOfWork

PAGE = 1_000
"""Records that are held in memory at a time."""
FIELDS = (
    "seq", "node_id", "at", "actor_kind", "actor_id", "actor_label", "actor_role", "actor_tenant", "tenant",
    "action", "operation_type", "operation_name", "root_field", "document_hash", "targets", "method", "path",
    "outcome", "code", "ip", "user_agent", "request_id", "body",
)  # fmt: skip
_PAGE = f"""
SELECT {", ".join(FIELDS)} FROM audit_record
WHERE tenant_id = $1 AND seq > $2 AND seq <= $3
  AND at >= coalesce($4::timestamptz, at) AND at < coalesce($5::timestamptz, 'infinity')
ORDER BY seq LIMIT {PAGE}
"""  # noqa: S608 - our own names
_NEWEST = """
SELECT coalesce(max(seq), 0) AS seq FROM audit_record
WHERE tenant_id = $1 AND xid < pg_snapshot_xmin(pg_current_snapshot())
"""


async def export(
    work: UnitOfWork, *, since: datetime | None = None, until: datetime | None = None
) -> AsyncIterator[bytes]:
    """The records of the tenant entered, ``since`` included and ``until`` not, a line of JSON each.

    Up to the newest before which no record can still appear. ``seq`` rises and has gaps; ``body``
    is the exact canonical text (RFC 8785) that is to be hashed; times are RFC 3339, UTC.
    """
    (newest,) = await work.fetch(_NEWEST, work.tenant)
    last = 0
    while page := await work.fetch(_PAGE, work.tenant, last, newest["seq"], since, until):
        for row in page:
            yield _line(row)
        last = page[-1]["seq"]


def _line(row: asyncpg.Record) -> bytes:
    record = {**row, "body": row["body"].decode()}
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
