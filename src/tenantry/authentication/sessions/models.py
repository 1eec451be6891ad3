"""Tables of sessions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from tenantry.kernel.ids import NodePrefix, new_node_id
from tenantry.storage.tables import TenantOwned, Timestamp, now, within_tenant


def _node_id() -> str:
    return new_node_id(NodePrefix.SESSION)


class Session(TenantOwned, table=True):
    """One login on one device; ``id`` is the token's ``sid``."""

    __tablename__ = "session"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        within_tenant("member_id", "member"),
        Index("session_by_id", "id"),
        Index("session_by_identity", "identity_issuer", "identity_subject"),
        Index("session_by_user", "tenant_id", "user_id", "logged_at", "node_id"),
    )

    node_id: str = Field(default_factory=_node_id, unique=True)
    user_id: UUID = Field(foreign_key="user.id", ondelete="CASCADE")
    member_id: UUID
    ip: str | None = None
    user_agent: str | None = None
    logged_at: datetime = Field(default_factory=now, sa_type=Timestamp)
    last_seen_at: datetime = Field(default_factory=now, sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    revoked: bool = False
    factor_at: datetime | None = Field(default=None, sa_type=Timestamp)
    """When it last proved a second factor."""
    identity_issuer: str | None = None
    identity_subject: str | None = None
    provider_sid: str | None = None
    """By whose word it was opened: which may end it (``authentication.connections``)."""
    is_key: bool = False
    """Whether an API key stands on it, and no person's login."""


class RefreshToken(TenantOwned, table=True):
    """One link of a session's family of refresh tokens; all but the newest are used.

    ``token_hash`` is the SHA-256 of the token. ``salt`` is what its successor was derived with:
    without the token itself it leads nowhere.
    """

    __tablename__ = "refresh_token"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        within_tenant("session_id", "session"),
        Index("refresh_token_by_session", "tenant_id", "session_id"),
    )

    session_id: UUID
    token_hash: bytes = Field(unique=True)
    created_at: datetime = Field(sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
    salt: bytes | None = None
