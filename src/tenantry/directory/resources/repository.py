"""Every query of resources."""

from uuid import UUID

from sqlmodel import col, select

from tenantry.directory.members.models import Member
from tenantry.directory.resources.models import Resource
from tenantry.storage.unit_of_work import UnitOfWork


async def to_change(work: UnitOfWork, node_id: str) -> Resource | None:
    """The tenant's resource of this node id as it is now, held until the unit of work ends."""
    query = select(Resource).where(col(Resource.node_id) == node_id).with_for_update()
    return (await work.session.exec(query)).one_or_none()


async def person_of(work: UnitOfWork, member_id: str) -> UUID | None:
    """The person behind a member of this tenant; None where there is none, or nobody has signed in yet."""
    query = select(Member.user_id).where(col(Member.node_id) == member_id)
    return (await work.session.exec(query)).one_or_none()
