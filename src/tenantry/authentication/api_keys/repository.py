"""Every query of API keys."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select

from tenantry.authentication.api_keys.models import ApiKey
from tenantry.authentication.sessions.models import Session
from tenantry.directory.members.repository import close_gates
from tenantry.storage.database import Database
from tenantry.storage.unit_of_work import UnitOfWork

_FIND = """
SELECT a.*, k.key_node, k.key_name, k.key_permissions
FROM find_api_key($1) AS k CROSS JOIN LATERAL load_authority(k.key_session) AS a
"""
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 2))"


async def find(database: Database, key_hash: bytes) -> Mapping[str, Any] | None:
    """The key of this hash, of whatever tenant, with what its issuer may now; None where there is none."""
    row = await database.fetch(_FIND, (key_hash,))
    return None if row is None else dict(row)


async def count_living(work: UnitOfWork, *, now: datetime) -> int:
    """How many keys the tenant entered has that have not ended; held so until ``work`` ends."""
    await work.fetch(_TURN, work.tenant)
    query = (
        select(func.count())
        .select_from(ApiKey)
        .join(Session, (col(Session.tenant_id) == ApiKey.tenant_id) & (col(Session.id) == ApiKey.session_id))
        .where(col(Session.revoked).is_(False), Session.expires_at > now)
    )
    return (await work.session.exec(query)).one()


async def insert(work: UnitOfWork, session: Session, key: ApiKey) -> None:
    """Write a key and the session it stands on."""
    work.session.add(session)
    await work.session.flush()
    work.session.add(key)
    await work.session.flush()


async def to_revoke(work: UnitOfWork, node_id: str) -> tuple[ApiKey, Session] | None:
    """The tenant's key of this node id and its session, held, once what its issuer runs has ended."""
    found = (await work.session.exec(select(ApiKey).where(ApiKey.node_id == node_id))).one_or_none()
    if found is None:
        return None
    await close_gates(work, keys=[found.member_id])
    query = select(Session).where(Session.id == found.session_id).with_for_update()
    return found, (await work.session.exec(query)).one()
