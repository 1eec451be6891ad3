"""Tables of resources."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from tenantry.kernel.ids import NodePrefix, new_node_id
from tenantry.storage.tables import TenantOwned, Timestamp, now, within_tenant


def _node_id() -> str:
    return new_node_id(NodePrefix.RESOURCE)


class Resource(TenantOwned, table=True):
    """One object of a type that the blueprint names; ``attributes`` are as its JSON Schema wants them."""

    __tablename__ = "resource"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        Index("resource_by_creation", "tenant_id", "type", "created_at", "node_id"),
        within_tenant("team_id", "team", ondelete="SET NULL (team_id)"),
        Index("resource_by_owner", "owner_id", "tenant_id"),
        Index("resource_by_team", "tenant_id", "team_id"),
    )

    node_id: str = Field(default_factory=_node_id, unique=True)
    type: str
    name: str
    state: str
    owner_id: UUID | None = Field(default=None, foreign_key="user.id")
    """The person whose it is, member or not."""
    team_id: UUID | None = None
    attributes: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    is_personal: bool = False
    """Its owner's alone, in and after their time in the tenant; said by its type when it was made."""
    locked_at: datetime | None = Field(default=None, sa_type=Timestamp)
    """Since when its owner, who has been removed, sees no more than its title and date."""
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)
    updated_at: datetime = Field(default_factory=now, sa_type=Timestamp)
