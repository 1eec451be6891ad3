"""What can be done with sessions: open, revoke, end, and ask what one may do now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from tenantry.access.grants import by_permission
from tenantry.audit.actions import AuditAction
from tenantry.authentication.sessions import repository
from tenantry.authentication.sessions.models import Session
from tenantry.authentication.sessions.repository import NOWHERE, NewSession, Origin
from tenantry.directory.members.models import MemberStatus
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.errors import NotFound, Unauthenticated
from tenantry.kernel.ids import NodePrefix, new_key, new_node_id
from tenantry.kernel.principal import Authority, Scope
from tenantry.storage.database import Database
from tenantry.storage.unit_of_work import UnitOfWork

MAX_USER_AGENT = 512

UNKNOWN_SESSION = "UNKNOWN_SESSION"
REVOKED = "REVOKED"
EXPIRED = "EXPIRED"
MEMBER_SUSPENDED = "MEMBER_SUSPENDED"
MEMBERSHIP_EXPIRED = "MEMBERSHIP_EXPIRED"
TENANT_SUSPENDED = "TENANT_SUSPENDED"


@dataclass(frozen=True, slots=True)
class Client:
    """Where a login comes from: the peer's address as trusted proxies name it, and its user agent."""

    ip: str | None = None
    user_agent: str | None = None


class Proof(NamedTuple):
    """How a person was known: by whose word, and when they proved their second factor, if they have one."""

    origin: Origin = NOWHERE
    factor_at: datetime | None = None


NO_PROOF = Proof()


class Seat(Protocol):
    """What of a member a session needs."""

    @property
    def id(self) -> UUID:
        """The member's key."""
        ...

    @property
    def tenant_id(self) -> UUID:
        """The tenant's key."""
        ...

    @property
    def user_id(self) -> UUID | None:
        """Key of the person, once they have signed in."""
        ...

    @property
    def status(self) -> str:
        """Only ACTIVE ones have sessions."""
        ...


async def open_session(
    work: UnitOfWork,
    member: Seat,
    *,
    client: Client,
    clock: Clock,
    lifetime: timedelta,
    proof: Proof = NO_PROOF,
) -> NewSession:
    """A session of ``member``, who is ACTIVE and bound to a person, in the tenant entered.

    The caller has verified who it is, as ``proof`` says. A user agent is kept up to 512 characters. Raises
    ``ValueError`` for a member whom no person has signed in as yet.
    """
    if member.user_id is None or member.status != MemberStatus.ACTIVE:
        raise ValueError("only an active member, bound to a person, has sessions")
    now = clock()
    session = NewSession(
        tenant_id=member.tenant_id,
        id=new_key(),
        node_id=new_node_id(NodePrefix.SESSION),
        user_id=member.user_id,
        member_id=member.id,
        ip=client.ip,
        user_agent=client.user_agent[:MAX_USER_AGENT] if client.user_agent else None,
        logged_at=now,
        expires_at=now + lifetime,
        factor_at=proof.factor_at,
        identity_issuer=proof.origin.issuer,
        identity_subject=proof.origin.subject,
        provider_sid=proof.origin.sid,
    )
    await repository.insert_session(work, session)
    return session


async def revoke_session(work: UnitOfWork, session_id: str) -> Session:
    """End one of the caller's own sessions, by node id; harmless twice.

    From the commit on, no statement runs under it. Raises ``NotFound`` for anyone else's.
    """
    session = await repository.own_session(work, session_id)
    if session is None:
        raise NotFound
    session.revoked = True
    await work.session.flush()
    work.record(AuditAction.SESSION_REVOKE, session.node_id)
    return session


async def revoke_other_sessions(work: UnitOfWork) -> int:
    """End the caller's sessions in this tenant but the present one; returns how many were live."""
    count = await repository.revoke_others(work)
    work.record(AuditAction.SESSION_REVOKE_OTHERS, work.acting.member)
    return count


async def end_oldest(work: UnitOfWork, session: NewSession, *, keep: int) -> None:
    """End the person's oldest live sessions in the tenant entered: ``keep`` are left, with ``session``.

    Logins of one person at the same moment take turns here, so that there never are more.
    """
    for node_id in await repository.revoke_oldest(work, session, keep=keep):
        work.record(AuditAction.SESSION_REVOKE, node_id)


async def end_of(work: UnitOfWork, session_id: UUID) -> None:
    """End a session of the tenant entered; harmless where it has ended. The caller may end anyone's."""
    node_id = await repository.revoke(work, session_id)
    if node_id is not None:
        work.record(AuditAction.SESSION_REVOKE, node_id)


async def end_session(work: UnitOfWork) -> None:
    """Sign out: the session that the caller acts under ends with this transaction."""
    session = await repository.current_session(work)
    session.revoked = True
    await work.session.flush()
    work.record(AuditAction.AUTHENTICATION_LOGOUT, session.node_id)


async def load_authority(database: Database, session_id: UUID, *, clock: Clock = system_clock) -> Authority:
    """What a live session may do at this moment, read from the database.

    Raises ``Unauthenticated`` with the reason ``UNKNOWN_SESSION``, ``REVOKED``, ``EXPIRED``,
    ``TENANT_SUSPENDED``, ``MEMBER_SUSPENDED`` or ``MEMBERSHIP_EXPIRED`` (the first of these that
    holds), and ``Unavailable`` when the database is gone.
    """
    return live_authority(await repository.read_authority(database, session_id), now=clock())


async def authority_here(work: UnitOfWork, session_id: UUID, *, clock: Clock) -> Authority:
    """As ``load_authority``, inside the transaction that has opened the session."""
    return live_authority(await repository.read_authority_here(work, session_id), now=clock())


def live_authority(row: Mapping[str, Any] | None, *, now: datetime) -> Authority:
    """What a row of ``load_authority`` grants at ``now``. Raises what the function of that name does."""
    if row is None:
        raise Unauthenticated(UNKNOWN_SESSION)
    if row["revoked"]:
        raise Unauthenticated(REVOKED, "This session has ended; sign in again.")
    if row["expires_at"] <= now:
        raise Unauthenticated(EXPIRED, "This session has expired; sign in again.")
    if row["tenant_suspended"]:
        raise Unauthenticated(TENANT_SUSPENDED, "This tenant is suspended.")
    if row["member_status"] != MemberStatus.ACTIVE:
        raise Unauthenticated(MEMBER_SUSPENDED, "This membership is suspended.")
    if row["membership_over"]:
        raise Unauthenticated(MEMBERSHIP_EXPIRED, "This membership has ended.")
    return granted_by(row)


def granted_by(row: Mapping[str, Any]) -> Authority:
    """What a row of ``load_authority`` grants, live or not: whoever asks has looked."""
    return Authority(
        session_id=row["session_id"],
        user_id=row["user_id"],
        member_id=row["member_id"],
        tenant_id=row["tenant_id"],
        user=row["user_node"],
        member=row["member_node"],
        tenant=row["tenant_node"],
        scope=Scope(row["scope"]),
        # Nothing is granted, decided by or handed on before the factor that is asked for.
        permissions=frozenset() if row["awaits_factor"] else frozenset(row["permissions"]),
        roles=tuple(row["roles"]),
        is_owner=row["is_owner"],
        member_version=row["member_version"],
        tenant_version=row["tenant_version"],
        label=row["label"],
        factor_at=row["factor_at"],
        awaits_factor=row["awaits_factor"],
        conditional={} if row["awaits_factor"] else by_permission(row["conditional"]),
        resource_types=row["resource_types"],
        plan=row["plan"],
        slug=row["slug"],
        email=row["email"],
    )
