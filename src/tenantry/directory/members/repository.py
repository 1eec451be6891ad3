"""Every query of members."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update
from sqlmodel import and_, col, or_, select

from tenantry.directory.members.models import Member, MemberRole, User
from tenantry.directory.roles.models import Role
from tenantry.storage.unit_of_work import UnitOfWork

_CLOSE = """
SELECT pg_advisory_xact_lock(member_gate(q.id)) FROM (
  SELECT id FROM member WHERE tenant_id = $1 AND (node_id = ANY($2::text[]) OR id = ANY($3::uuid[]))
  ORDER BY id) AS q
"""
_LASTS = or_(col(MemberRole.expires_at).is_(None), col(MemberRole.expires_at) > func.now())


async def close_gates(
    work: UnitOfWork, *, node_ids: Collection[str] = (), keys: Collection[UUID] = ()
) -> None:
    """Have the turn of whoever changes what these members may do, before a row of theirs is held.

    Their mutations that run are waited for, those that come wait for this transaction. Without it
    a member who never pauses keeps the change waiting for good (migration 0004).
    """
    await work.fetch(_CLOSE, work.tenant, list(node_ids), list(keys))


async def members_to_change(work: UnitOfWork, node_ids: Collection[str]) -> dict[str, Member]:
    """The tenant's members of these node ids as they are now, held; what they hold stands still too."""
    await close_gates(work, node_ids=node_ids)
    query = select(Member).where(col(Member.node_id).in_(node_ids)).order_by(col(Member.id))
    held = query.with_for_update().execution_options(populate_existing=True)
    return {member.node_id: member for member in (await work.session.exec(held)).all()}


async def user_to_change(work: UnitOfWork, user_id: UUID) -> User:
    """The person of this key: the caller, since row security lets nobody change another."""
    return (await work.session.exec(select(User).where(User.id == user_id))).one()


async def roles_of(work: UnitOfWork, member_ids: Collection[UUID]) -> list[tuple[MemberRole, Role]]:
    """What members hold now; the roles held FOR SHARE, so that none of them changes meanwhile."""
    query = (
        select(MemberRole, Role)
        .join(Role, col(Role.id) == col(MemberRole.role_id))
        .where(col(MemberRole.member_id).in_(member_ids), _LASTS)
        .order_by(col(Role.id))
    )
    return list((await work.session.exec(query.with_for_update(read=True, of=Role))).all())


async def roles_held_or_named(
    work: UnitOfWork, member_id: UUID, node_ids: Collection[str]
) -> list[tuple[Role, MemberRole | None]]:
    """The roles that a member holds, with how, and those that are named; all held FOR SHARE.

    What has ended is still here: it is to be given anew, or swept away.
    """
    holding = and_(col(MemberRole.role_id) == col(Role.id), col(MemberRole.member_id) == member_id)
    query = (
        select(Role, MemberRole)
        .join(MemberRole, holding, isouter=True)
        .where(or_(col(MemberRole.id).is_not(None), col(Role.node_id).in_(node_ids)))
        .order_by(col(Role.id))
    )
    return list((await work.session.exec(query.with_for_update(read=True, of=Role))).all())


async def saw(work: UnitOfWork, member_id: UUID, at: datetime) -> None:
    """Note when a member was last seen."""
    statement = update(Member).where(col(Member.tenant_id) == work.tenant, col(Member.id) == member_id)
    await work.session.exec(
        statement.values(last_seen_at=at), execution_options={"synchronize_session": False}
    )
