"""Tables of teams."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from tenantry.kernel.ids import NodePrefix, new_node_id
from tenantry.storage.tables import TenantOwned, Timestamp, now, within_tenant


def _node_id() -> str:
    return new_node_id(NodePrefix.TEAM)


class Team(TenantOwned, table=True):
    """Members who work together; its name is the tenant's only one, whatever its case."""

    __tablename__ = "team"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        Index("team_by_name", "tenant_id", text("lower(name)"), unique=True),
        Index("team_by_order", "tenant_id", "name", "node_id"),
    )

    node_id: str = Field(default_factory=_node_id, unique=True)
    name: str
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)


class TeamMember(TenantOwned, table=True):
    """A member's place in a team."""

    __tablename__ = "team_member"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        within_tenant("team_id", "team"),
        within_tenant("member_id", "member"),
        UniqueConstraint("tenant_id", "member_id", "team_id"),
        Index("team_member_by_team", "tenant_id", "team_id", "member_id"),
    )

    team_id: UUID
    member_id: UUID
    is_supervisor: bool = False
