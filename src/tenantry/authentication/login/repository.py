"""Every select of login. These look across tenants, by the database's own narrow functions."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select, update

from tenantry.authentication.login.candidates import Candidate
from tenantry.authentication.login.models import LoginTicket
from tenantry.authentication.sessions.repository import Origin
from tenantry.directory.members.joining import joining
from tenantry.directory.members.models import User
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.identity import VerifiedIdentity

_FIND_USER = "SELECT user_id, email, bound_here, bound_elsewhere FROM find_user($1, $2, $3)"
_NO_IDENTITY = ("", "")
_CANDIDATES = """
SELECT tenant_id, tenant_node AS tenant, tenant_name AS name, tenant_suspended AS suspended, member_id,
  member_status AS status, invitation_live, linked, only_one_of IS NOT NULL AS single,
  only_one_of IS NOT NULL AND NOT linked AND bool_or(linked) OVER (PARTITION BY only_one_of) AS elsewhere
FROM login_candidates($1, $2) ORDER BY tenant_name, tenant_node, linked DESC
"""
_HOLD = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_BIND = """
INSERT INTO identity (issuer, subject, user_id, linked_at) VALUES ($1, $2, $3, now())
ON CONFLICT DO NOTHING
"""
_LINK = """
UPDATE member SET user_id = $3,
  joined_at = CASE WHEN status = 'ACTIVE' THEN coalesce(joined_at, $4) ELSE joined_at END
WHERE tenant_id = $1 AND id = $2 AND user_id IS NULL
"""
_MEMBER = "SELECT id, tenant_id, user_id, status FROM member WHERE tenant_id = $1 AND id = $2"
_PERMISSIONS = """
SELECT listed.name
FROM member_role held JOIN role ON role.tenant_id = held.tenant_id AND role.id = held.role_id,
  jsonb_array_elements_text(role.permissions) WITH ORDINALITY AS listed (name, place)
WHERE held.tenant_id = $1 AND held.member_id = $2 AND (held.expires_at IS NULL OR held.expires_at > now())
ORDER BY role.position, role.node_id, listed.place
"""


@dataclass(frozen=True, slots=True)
class FoundUser:
    """A person, found by identity or by address, and whether an identity is bound to them."""

    user_id: UUID
    email: str
    bound_here: bool
    bound_elsewhere: bool


async def find_user(work: UnitOfWork, identity: VerifiedIdentity, email: str | None) -> FoundUser | None:
    """The person this identity is bound to; else the one whose address is ``email`` (verified)."""
    return await _find_user(work, (identity.issuer, identity.subject), email)


async def owner_of_address(work: UnitOfWork, email: str) -> FoundUser | None:
    """The person whose address this is, whoever asks."""
    return await _find_user(work, _NO_IDENTITY, email)


async def hold_address(work: UnitOfWork, email: str) -> None:
    """Take turns: until this transaction ends, no other binds an identity to ``email``."""
    await work.fetch(_HOLD, f"login:{email}")


async def candidates_of(work: UnitOfWork, user_id: UUID | None, email: str | None) -> list[Candidate]:
    """The person's memberships, and those that wait for ``email`` (verified); by tenant's name."""
    return [Candidate(**row) for row in await work.fetch(_CANDIDATES, user_id, email)]


async def insert_user(work: UnitOfWork, *, email: str, name: str | None) -> None:
    """Make a person, unless someone has this address already."""
    # No target for the conflict: with one PostgreSQL asks that the row be visible, and a person
    # who is not yet a member anywhere is not.
    user = User(email=email, name=name).model_dump()
    await work.session.exec(insert(User).values(user).on_conflict_do_nothing())


async def insert_identity(work: UnitOfWork, identity: VerifiedIdentity, user_id: UUID) -> None:
    """Bind an issuer's subject to a person, unless it is bound already."""
    await work.fetch(_BIND, identity.issuer, identity.subject, user_id)


async def link_member(work: UnitOfWork, member_id: UUID, user_id: UUID, *, now: datetime) -> None:
    """Bind a member of the tenant entered who waits for a person; harmless where one is bound.

    Raises ``SingleMembership``.
    """
    async with joining(work):
        await work.fetch(_LINK, work.tenant, member_id, user_id, now)


@dataclass(frozen=True, slots=True)
class Place:
    """A member of the tenant entered, as far as a login asks for it."""

    id: UUID
    tenant_id: UUID
    user_id: UUID | None
    status: str


async def member_of(work: UnitOfWork, member_id: UUID) -> Place | None:
    """The member of the tenant entered as the database has it now."""
    rows = await work.fetch(_MEMBER, work.tenant, member_id)
    return Place(**rows[0]) if rows else None


async def permissions_of(work: UnitOfWork, member_id: UUID) -> tuple[str, ...]:
    """What the member's roles list, each permission once, in the order in which the token names the roles."""
    rows = await work.fetch(_PERMISSIONS, work.tenant, member_id)
    return tuple(dict.fromkeys(row["name"] for row in rows))


async def insert_ticket(work: UnitOfWork, ticket: LoginTicket) -> None:
    """Keep a ticket, by its hash."""
    work.session.add(ticket)
    await work.session.flush()


async def use_ticket(work: UnitOfWork, ticket_hash: bytes, *, now: datetime) -> tuple[UUID, Origin] | None:
    """Use up the ticket of this hash: whose it is, or None, as for a challenge. One of many at once wins."""
    statement = (
        update(LoginTicket)
        .where(
            col(LoginTicket.ticket_hash) == ticket_hash,
            col(LoginTicket.member_id).is_(None),
            col(LoginTicket.used_at).is_(None),
            col(LoginTicket.expires_at) > now,
        )
        .values(used_at=now)
        .returning(
            col(LoginTicket.user_id),
            col(LoginTicket.identity_issuer),
            col(LoginTicket.identity_subject),
            col(LoginTicket.provider_sid),
        )
    )
    row = (await work.session.exec(statement)).one_or_none()
    return None if row is None else (row[0], Origin(*row[1:]))


async def hold_challenge(work: UnitOfWork, ticket_hash: bytes, *, now: datetime) -> LoginTicket | None:
    """The unused challenge of this hash, held until ``work`` ends; None for a ticket that is none."""
    query = select(LoginTicket).where(
        LoginTicket.ticket_hash == ticket_hash,
        col(LoginTicket.member_id).is_not(None),
        col(LoginTicket.used_at).is_(None),
        LoginTicket.expires_at > now,
    )
    return (await work.session.exec(query.with_for_update())).one_or_none()


async def _find_user(work: UnitOfWork, identity: tuple[str, str], email: str | None) -> FoundUser | None:
    rows = await work.fetch(_FIND_USER, *identity, email)
    return FoundUser(**rows[0]) if rows else None
