"""Tables of tenants' own identity providers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from tenantry.kernel.ids import NodePrefix, new_node_id
from tenantry.storage.tables import TenantOwned, Timestamp, now, within_tenant

PREFIX = "connection:"


def _connection_node_id() -> str:
    return new_node_id(NodePrefix.IDENTITY_PROVIDER)


def _domain_node_id() -> str:
    return new_node_id(NodePrefix.EMAIL_DOMAIN)


def issuer_of(connection_node: str) -> str:
    """Under which issuer identities of a connection are bound: shared with no other, whatever its URL."""
    return f"{PREFIX}{connection_node}"


class Connection(TenantOwned, table=True):
    """An OIDC issuer that one tenant trusts, for addresses of its own verified domains.

    With ``provisioning`` whoever it vouches for becomes a member, with the roles of ``ConnectionRole``.
    """

    __tablename__ = "connection"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        UniqueConstraint("tenant_id", "issuer", "client_id"),
        Index("connection_by_issuer", "issuer", "client_id"),
    )

    node_id: str = Field(default_factory=_connection_node_id, unique=True)
    issuer: str
    client_id: str
    title: str
    provisioning: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)


class ConnectionRole(TenantOwned, table=True):
    """A role that provisioning gives."""

    __tablename__ = "connection_role"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        within_tenant("connection_id", "connection"),
        within_tenant("role_id", "role"),
        UniqueConstraint("tenant_id", "connection_id", "role_id"),
        Index("connection_role_by_role", "tenant_id", "role_id"),
    )

    connection_id: UUID
    role_id: UUID


class EmailDomain(TenantOwned, table=True):
    """A domain of addresses; ``verified_at`` is set once its TXT record has held ``token``.

    A domain is verified for one tenant at most.
    """

    __tablename__ = "email_domain"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        UniqueConstraint("tenant_id", "domain"),
        Index(
            "email_domain_verified_once",
            "domain",
            unique=True,
            postgresql_where=text("verified_at IS NOT NULL"),
        ),
    )

    node_id: str = Field(default_factory=_domain_node_id, unique=True)
    domain: str
    token: str
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)
    verified_at: datetime | None = Field(default=None, sa_type=Timestamp)


class LogoutTokenUsed(SQLModel, table=True):
    """A logout token that has been taken, by the hash of its issuer and ``jti``: it is not taken again."""

    __tablename__ = "logout_token"  # pyright: ignore[reportAssignmentType]

    jti_hash: bytes = Field(primary_key=True)
    expires_at: datetime = Field(sa_type=Timestamp)
