"""Tables of tenants."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from tenantry.kernel.ids import NodePrefix, new_key, new_node_id
from tenantry.storage.tables import Timestamp, now


def _node_id() -> str:
    return new_node_id(NodePrefix.TENANT)


class Tenant(SQLModel, table=True):
    """One tenant; its own ``id`` is what every owned row carries as ``tenant_id``."""

    __tablename__ = "tenant"  # pyright: ignore[reportAssignmentType]
    __table_args__ = {"info": {"tenant_key": "id"}}

    id: UUID = Field(primary_key=True, default_factory=new_key)
    node_id: str = Field(default_factory=_node_id, unique=True)
    slug: str = Field(unique=True)
    name: str
    blueprint: str = Field(foreign_key="blueprint.key")
    plan: str | None = None
    suspended: bool = False
    version: int = 1
    mfa_required: bool = False
    """Whether all of its members act only with a second factor."""
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)
