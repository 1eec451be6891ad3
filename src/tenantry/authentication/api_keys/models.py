"""Tables of API keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from tenantry.kernel.ids import NodePrefix, new_node_id
from tenantry.storage.tables import TenantOwned, Timestamp, now, within_tenant


def _node_id() -> str:
    return new_node_id(NodePrefix.API_KEY)


class ApiKey(TenantOwned, table=True):
    """One key. It lives as long as the session it stands on, which no person holds.

    ``permissions`` is what it names, in the blueprint's spelling and order; ``effective`` the closure
    over ``covers``. ``member_id`` is its issuer. Without ``expires_at`` it ends when it is revoked.
    """

    __tablename__ = "api_key"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        within_tenant("session_id", "session"),
        within_tenant("member_id", "member"),
        Index("api_key_by_creation", "tenant_id", "created_at", "node_id"),
        Index("api_key_by_member", "tenant_id", "member_id"),
        Index("api_key_by_session", "tenant_id", "session_id"),
    )

    node_id: str = Field(default_factory=_node_id, unique=True)
    session_id: UUID
    member_id: UUID
    name: str
    prefix: str
    key_hash: bytes = Field(unique=True)
    permissions: list[str] = Field(default_factory=list, sa_type=JSONB)
    effective: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)
    expires_at: datetime | None = Field(default=None, sa_type=Timestamp)
