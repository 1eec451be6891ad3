"""Every select of sessions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlmodel import col, select, update

from tenantry.authentication.sessions.models import Session
from tenantry.directory.members.repository import close_gates
from tenantry.kernel.ids import new_key
from tenantry.kernel.principal import Authority
from tenantry.storage.database import Database
from tenantry.storage.unit_of_work import UnitOfWork

_READ = "SELECT * FROM load_authority($1)"
_INSERT = """
INSERT INTO session (tenant_id, id, node_id, user_id, member_id, ip, user_agent, logged_at, last_seen_at,
  expires_at, factor_at, identity_issuer, identity_subject, provider_sid, revoked)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11, $12, $13, false)
"""
_ORIGIN = """
SELECT identity_issuer, identity_subject, provider_sid FROM session WHERE tenant_id = $1 AND id = $2
"""
_HOLDER = "SELECT member_id FROM session WHERE tenant_id = $1 AND id = $2"
_REVOKE = """
UPDATE session SET revoked = true WHERE tenant_id = $1 AND id = $2 AND NOT revoked RETURNING node_id
"""
_REVOKE_OLDEST = """
UPDATE session SET revoked = true
WHERE tenant_id = $1 AND id IN (
  SELECT id FROM session
  WHERE tenant_id = $1 AND user_id = $2 AND NOT revoked AND NOT is_key AND expires_at > $3
  ORDER BY id <> $4, logged_at DESC, node_id DESC OFFSET $5)
RETURNING node_id
"""
_FIRST = """
INSERT INTO refresh_token (tenant_id, id, session_id, token_hash, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_ROTATE = "SELECT * FROM rotate_refresh($1, $2, $3, $4, $5, $6)"
_NO_LONGER = "SELECT no_longer($1, $2, $3)"
_ENDED = "SELECT ended_sessions(NULL, $1, $2, $3)"
_TOUCH = "SELECT touch_sessions($1, $2)"


async def read_authority(database: Database, session_id: UUID) -> Mapping[str, Any] | None:
    """The row of ``load_authority``: a session in whatever standing, or None where there is none."""
    row = await database.fetch(_READ, (session_id,))
    return None if row is None else dict(row)


async def read_authority_here(work: UnitOfWork, session_id: UUID) -> Mapping[str, Any] | None:
    """As ``read_authority``, inside the transaction that has just opened the session."""
    rows = await work.fetch(_READ, session_id)
    return dict(rows[0]) if rows else None


class Origin(NamedTuple):
    """By whose word a session is opened: the issuer and subject bound, and the provider's own session."""

    issuer: str | None = None
    subject: str | None = None
    sid: str | None = None


NOWHERE = Origin()


class NewSession(NamedTuple):
    """A session as a login writes it; the other columns follow from these."""

    tenant_id: UUID
    id: UUID
    node_id: str
    user_id: UUID
    member_id: UUID
    ip: str | None
    user_agent: str | None
    logged_at: datetime
    expires_at: datetime
    factor_at: datetime | None
    identity_issuer: str | None
    identity_subject: str | None
    provider_sid: str | None


async def insert_session(work: UnitOfWork, session: NewSession) -> None:
    """Write a session of the tenant entered, by hand since every login does (see ``UnitOfWork.fetch``)."""
    await work.fetch(_INSERT, *session)


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of a refresh token that is known here, and whose session it is.

    ``outcome`` is ROTATED, REPEATED (used a moment ago), REUSED (its session has just been ended
    for it) or ENDED. ``salt`` is what its successor was derived with, once it was used.
    """

    outcome: str
    tenant_id: UUID
    tenant_node: str
    session_id: UUID
    session_node: str
    user_id: UUID
    expires_at: datetime
    salt: bytes


async def origin_of(work: UnitOfWork, session_id: UUID) -> Origin:
    """By whose word a session of the tenant entered was opened."""
    (row,) = await work.fetch(_ORIGIN, work.tenant, session_id)
    return Origin(*row)


async def insert_refresh_token(work: UnitOfWork, session: NewSession, token_hash: bytes) -> None:
    """Begin the family of a session just opened."""
    ends = session.expires_at
    await work.fetch(_FIRST, session.tenant_id, new_key(), session.id, token_hash, session.logged_at, ends)


async def rotate(
    work: UnitOfWork, used: bytes, following: bytes, *, salt: bytes, now: datetime, grace: timedelta
) -> Turn | None:
    """Use the token of hash ``used`` up for that of ``following``; None where it is unknown."""
    rows = await work.fetch(_ROTATE, used, following, new_key(), salt, now, grace)
    return Turn(**rows[0]) if rows else None


async def revoke(work: UnitOfWork, session_id: UUID) -> str | None:
    """Revoke one session of the tenant entered; returns its node id, None where it was none or had ended."""
    holder = await work.fetch(_HOLDER, work.tenant, session_id)
    await close_gates(work, keys=[row["member_id"] for row in holder])
    rows = await work.fetch(_REVOKE, work.tenant, session_id)
    return rows[0]["node_id"] if rows else None


async def revoke_oldest(work: UnitOfWork, session: NewSession, *, keep: int) -> list[str]:
    """Revoke the live sessions of the same person but the newest ``keep``; returns their node ids."""
    await close_gates(work, keys=[session.member_id])
    rows = await work.fetch(
        _REVOKE_OLDEST, session.tenant_id, session.user_id, session.logged_at, session.id, keep
    )
    return [row["node_id"] for row in rows]


async def own_session(work: UnitOfWork, node_id: str) -> Session | None:
    """The caller's own session of this node id, in this tenant, held for a change."""
    await close_gates(work, keys=[work.acting.member_id])
    query = select(Session).where(
        Session.node_id == node_id,
        Session.user_id == work.acting.user_id,
        col(Session.is_key).is_(False),
    )
    return (await work.session.exec(query.with_for_update())).first()


async def current_session(work: UnitOfWork) -> Session:
    """The session that the caller acts under, held for a change."""
    await close_gates(work, keys=[work.acting.member_id])
    query = select(Session).where(Session.id == work.acting.session_id)
    return (await work.session.exec(query.with_for_update())).one()


async def revoke_others(work: UnitOfWork) -> int:
    """Revoke the caller's other live sessions in this tenant; returns how many there were."""
    await close_gates(work, keys=[work.acting.member_id])
    statement = (
        update(Session)
        .where(
            col(Session.tenant_id) == work.tenant,
            col(Session.user_id) == work.acting.user_id,
            col(Session.id) != work.acting.session_id,
            col(Session.revoked).is_(False),
            col(Session.is_key).is_(False),
        )
        .values(revoked=True)
        .returning(col(Session.id))
    )
    return len((await work.session.exec(statement)).all())


async def no_longer(database: Database, authorities: Sequence[Authority]) -> set[UUID]:
    """The sessions of these authorities that have ended, or whose versions have moved on; one statement."""
    columns = (
        [each.session_id for each in authorities],
        [each.member_version for each in authorities],
        [each.tenant_version for each in authorities],
    )
    row = await database.fetch(_NO_LONGER, columns)
    return set() if row is None else set(row[0])


async def ended_sessions(
    database: Database, *, member: UUID | None = None, tenant: UUID | None = None, most: int
) -> list[UUID]:
    """Sessions that have ended before their time, the newest first; narrowed by what is given."""
    row = await database.fetch(_ENDED, (member, tenant, most))
    return [] if row is None else list(row[0])


async def touch(database: Database, seen: Mapping[UUID, datetime]) -> None:
    """Move ``last_seen_at`` of these sessions and of their members on, in one statement."""
    await database.fetch(_TOUCH, (list(seen), list(seen.values())))
