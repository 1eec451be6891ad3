"""Every query of teams."""

from collections.abc import Collection
from uuid import UUID

from sqlmodel import col, select

from tenantry.directory.members.models import Member
from tenantry.directory.members.repository import close_gates
from tenantry.directory.teams.models import Team, TeamMember
from tenantry.storage.unit_of_work import UnitOfWork


async def team_to_change(work: UnitOfWork, node_id: str) -> Team | None:
    """The tenant's team of this node id, held until the unit of work ends."""
    query = select(Team).where(col(Team.node_id) == node_id).with_for_update()
    return (await work.session.exec(query)).one_or_none()


async def team_named(work: UnitOfWork, node_id: str) -> UUID | None:
    """Key of the tenant's team of this node id, which is not deleted meanwhile."""
    query = select(Team.id).where(col(Team.node_id) == node_id).with_for_update(read=True)
    return (await work.session.exec(query)).one_or_none()


async def teams_of(work: UnitOfWork, member_id: UUID) -> frozenset[UUID]:
    """Keys of the teams that a member is in, as a supervisor or not."""
    query = select(TeamMember.team_id).where(col(TeamMember.member_id) == member_id)
    return frozenset((await work.session.exec(query)).all())


async def members_named(work: UnitOfWork, node_ids: Collection[str]) -> dict[str, UUID]:
    """Keys of the tenant's members of these node ids; their running mutations are waited for."""
    await close_gates(work, node_ids=node_ids)
    query = select(Member.node_id, Member.id).where(col(Member.node_id).in_(node_ids))
    return dict((await work.session.exec(query)).all())


async def places(work: UnitOfWork, team_id: UUID) -> dict[UUID, TeamMember]:
    """By the member's key, their place in a team."""
    query = select(TeamMember).where(col(TeamMember.team_id) == team_id)
    return {place.member_id: place for place in (await work.session.exec(query)).all()}


async def supervisors(work: UnitOfWork, team_id: UUID) -> dict[str, UUID]:
    """By node id, the members who supervise a team."""
    query = (
        select(Member.node_id, Member.id)
        .join(TeamMember, col(TeamMember.member_id) == col(Member.id))
        .where(col(TeamMember.team_id) == team_id, col(TeamMember.is_supervisor))
    )
    return dict((await work.session.exec(query)).all())
