"""Every query of invitations.

Order of locks, here and wherever else both are held: the member, then its invitation.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from tenantry.directory.invitations.models import Invitation, InvitationStatus
from tenantry.directory.members.models import Member, MemberRole
from tenantry.directory.roles.models import Role
from tenantry.kernel.ids import NodePrefix, new_key, new_node_id
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.opaque import digest

FIND = text(
    "SELECT tenant_id, member_id, email FROM find_invitation(:token_hash)"
    " WHERE status = 'PENDING' AND expires_at > :now AND member_id IS NOT NULL"
)

# Inviting is the two statements below, however many the addresses and roles. They go past the
# session, which would take ten times as long: each names its tenant, and row security guards it.
SURROUNDINGS = """
WITH offered AS MATERIALIZED (
  SELECT node_id, id, is_owner, effective, conditional FROM role
  WHERE tenant_id = $1 AND node_id = ANY ($2) ORDER BY id FOR SHARE)
SELECT t.name AS tenant, (b.body ->> 'max_roles')::int AS max_roles,
  EXISTS (SELECT FROM member WHERE tenant_id = $1 AND email = ANY ($3)) OR EXISTS (
    SELECT FROM invitation WHERE tenant_id = $1 AND email = ANY ($3) AND status = 'PENDING') AS known,
  CASE WHEN most IS NOT NULL THEN most - (
    SELECT count(*) FROM member WHERE tenant_id = $1 AND status <> 'INVITED')::int END AS free_seats,
  offered.node_id, offered.id, offered.is_owner, offered.effective, offered.conditional
FROM tenant t JOIN blueprint b ON b.key = t.blueprint CROSS JOIN LATERAL most_members(t.id) AS most
LEFT JOIN offered ON true
WHERE t.id = $1
"""
# Each invitation with the member who waits for it, and its roles twice: as they were offered,
# and as the member holds them. What another transaction has taken meanwhile is left out.
INSERT = """
WITH new AS MATERIALIZED (
  SELECT * FROM unnest($3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],
    $9::boolean[], $10::bytea[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[])
  AS new (id, node_id, member_id, member_node, email, name, is_owner, token_hash, created_at, expires_at,
    membership_expires_at)),
offered AS MATERIALIZED (
  SELECT * FROM unnest($14::uuid[], $15::uuid[], $16::uuid[], $17::uuid[])
  AS offered (invitation_id, role_id, offer_id, holding_id)),
placed_member AS (
  INSERT INTO member (tenant_id, id, node_id, email, name, status, is_owner, expires_at)
  SELECT $1, member_id, member_node, email, name, 'INVITED', is_owner, membership_expires_at
  FROM new ORDER BY email
  ON CONFLICT DO NOTHING RETURNING id),
placed AS (
  INSERT INTO invitation (tenant_id, id, node_id, email, name, status, token_hash, member_id, inviter_id,
    created_at, expires_at)
  SELECT $1, id, node_id, email, name, 'PENDING', token_hash, member_id, $2, created_at, expires_at
  FROM new WHERE member_id IN (SELECT id FROM placed_member) RETURNING id, member_id, email),
placed_offer AS (
  INSERT INTO invitation_role (tenant_id, id, invitation_id, role_id)
  SELECT $1, offer_id, invitation_id, role_id FROM offered JOIN placed ON placed.id = invitation_id),
placed_holding AS (
  INSERT INTO member_role (tenant_id, id, member_id, role_id)
  SELECT $1, holding_id, member_id, role_id FROM offered JOIN placed ON placed.id = invitation_id)
SELECT email FROM placed
"""


@dataclass(frozen=True, slots=True)
class OfferedRole:
    """A role that somebody is to have, held FOR SHARE so that it does not grow meanwhile."""

    id: UUID
    is_owner: bool
    effective: Sequence[str]
    conditional: Sequence[str]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What inviting depends on, in the tenant that was entered."""

    tenant: str
    """Its name."""
    max_roles: int | None
    free_seats: int | None
    roles: Mapping[str, OfferedRole]
    """Those of the roles asked for that are the tenant's, by node id."""
    known: bool
    """Whether any of the addresses is a member's or has a pending invitation."""


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation that nothing speaks against so far, and the member who waits for it.

    ``token`` goes into the link, its hash into the database.
    """

    email: str
    name: str | None
    roles: Sequence[OfferedRole]
    created_at: datetime
    expires_at: datetime
    token: str = field(repr=False)
    membership_expires_at: datetime | None = None
    id: UUID = field(default_factory=new_key)
    node_id: str = field(default_factory=partial(new_node_id, NodePrefix.INVITATION))
    member_id: UUID = field(default_factory=new_key)
    member_node: str = field(default_factory=partial(new_node_id, NodePrefix.MEMBER))


@dataclass(frozen=True, slots=True)
class FoundInvitation:
    """What a token opens, before anyone has entered the tenant."""

    tenant_id: UUID
    member_id: UUID
    email: str


async def members_at(work: UnitOfWork, emails: Collection[str]) -> list[Member]:
    """The members with these addresses, held for a change."""
    query = select(Member).where(col(Member.email).in_(emails)).order_by(Member.email)
    return list((await work.session.exec(query.with_for_update())).all())


async def pending_at(work: UnitOfWork, emails: Collection[str]) -> list[Invitation]:
    """The invitations of these addresses that stand as PENDING, expired ones too, held for a change."""
    query = select(Invitation).where(
        col(Invitation.email).in_(emails), Invitation.status == InvitationStatus.PENDING
    )
    return list((await work.session.exec(query.order_by(Invitation.email).with_for_update())).all())


async def surroundings(
    work: UnitOfWork, *, emails: Collection[str], role_ids: Collection[str]
) -> Surroundings | None:
    """What inviting these addresses into these roles depends on; None in no tenant."""
    rows = await work.fetch(SURROUNDINGS, work.tenant, role_ids, emails)
    if not rows:
        return None
    roles = {
        row["node_id"]: OfferedRole(row["id"], row["is_owner"], row["effective"], row["conditional"])
        for row in rows
        if row["node_id"] is not None
    }
    first = rows[0]
    return Surroundings(first["tenant"], first["max_roles"], first["free_seats"], roles, first["known"])


async def insert_invitations(
    work: UnitOfWork, drafts: Sequence[NewInvitation], *, inviter_id: UUID | None
) -> set[str]:
    """Insert what can be inserted; returns the addresses of that.

    An address that another transaction has taken since it was looked at is left out, not an
    error. Inserted in the order of addresses, so that two such calls cannot block each other.
    """
    if not drafts:
        return set()
    new = zip(*(_values(draft) for draft in drafts), strict=True)
    offers = [(draft.id, role.id, new_key(), new_key()) for draft in drafts for role in draft.roles]
    offered = zip(*offers, strict=True) if offers else [()] * 4
    rows = await work.fetch(INSERT, work.tenant, inviter_id, *new, *offered)
    return {row["email"] for row in rows}


def _values(draft: NewInvitation) -> tuple[object, ...]:
    """The columns of ``new`` in ``INSERT``."""
    return (
        draft.id,
        draft.node_id,
        draft.member_id,
        draft.member_node,
        draft.email,
        draft.name,
        any(role.is_owner for role in draft.roles),
        digest(draft.token),
        draft.created_at,
        draft.expires_at,
        draft.membership_expires_at,
    )


async def invitation_to_change(work: UnitOfWork, node_id: str) -> Invitation | None:
    """The tenant's invitation of this node id, held for a change together with its member."""
    query = select(Invitation).where(Invitation.node_id == node_id)
    found = (await work.session.exec(query)).first()
    if found is None or found.member_id is None:
        return found
    await member_to_change(work, found.member_id)
    held = query.with_for_update().execution_options(populate_existing=True)
    return (await work.session.exec(held)).first()


async def member_to_change(work: UnitOfWork, member_id: UUID) -> Member | None:
    """The tenant's member of this key as it is now, held for a change."""
    query = select(Member).where(Member.id == member_id).with_for_update()
    return (await work.session.exec(query.execution_options(populate_existing=True))).first()


async def living_of(work: UnitOfWork, member_id: UUID, *, now: datetime) -> Invitation | None:
    """The invitation that a member can still accept; the caller holds the member for a change."""
    query = select(Invitation).where(
        Invitation.member_id == member_id,
        Invitation.status == InvitationStatus.PENDING,
        Invitation.expires_at > now,
    )
    query = query.with_for_update().execution_options(populate_existing=True)
    return (await work.session.exec(query)).first()


async def roles_of(work: UnitOfWork, member_id: UUID) -> list[Role]:
    """The roles that a member holds, or will once they have accepted; held so that none grows."""
    query = select(Role).join(MemberRole, col(MemberRole.role_id) == col(Role.id))
    query = query.where(MemberRole.member_id == member_id).with_for_update(read=True, of=Role)
    return list((await work.session.exec(query)).all())


async def invitation_by_token(
    work: UnitOfWork, token_hash: bytes, *, now: datetime
) -> FoundInvitation | None:
    """The living invitation whose token has this hash, in whichever tenant."""
    connection = await work.session.connection()
    row = (await connection.execute(FIND, {"token_hash": token_hash, "now": now})).first()
    return None if row is None else FoundInvitation(row.tenant_id, row.member_id, row.email)
