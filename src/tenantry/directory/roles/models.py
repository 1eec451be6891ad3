"""Tables of roles."""

from datetime import datetime

from sqlalchemy import Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from tenantry.kernel.ids import NodePrefix, new_node_id
from tenantry.kernel.principal import Scope
from tenantry.storage.tables import TenantOwned, Timestamp, now


def _node_id() -> str:
    return new_node_id(NodePrefix.ROLE)


class Role(TenantOwned, table=True):
    """A named set of permissions.

    ``permissions`` is what the role lists, in the blueprint's spelling and order;
    ``effective`` is its closure over ``covers``, what decisions are made from; ``conditional``
    is what it holds under a condition only, as ``permission when condition``, closed likewise.
    """

    __tablename__ = "role"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        UniqueConstraint("tenant_id", "scope", "key"),
        Index("role_by_position", "tenant_id", "position", "node_id"),
    )

    node_id: str = Field(default_factory=_node_id, unique=True)
    key: str
    name: str
    description: str | None = None
    scope: str = Scope.TENANT
    is_locked: bool = False
    is_owner: bool = False
    position: int = 0
    mfa_required: bool = False
    """Whether who holds it acts only with a second factor."""
    permissions: list[str] = Field(default_factory=list, sa_type=JSONB)
    effective: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    conditional: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)
