"""Tables of invitations."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from tenantry.kernel.ids import NodePrefix, new_node_id
from tenantry.storage.tables import TenantOwned, Timestamp, now, within_tenant


class InvitationStatus(StrEnum):
    """Where an invitation stands. A PENDING one past ``expires_at`` reads as EXPIRED."""

    ACCEPTED = "ACCEPTED"
    EXPIRED = "EXPIRED"
    PENDING = "PENDING"
    REVOKED = "REVOKED"


def _node_id() -> str:
    return new_node_id(NodePrefix.INVITATION)


class Invitation(TenantOwned, table=True):
    """A person asked in: at most one PENDING for each address (lower-case) of a tenant.

    ``token_hash`` is the SHA-256 of the token in the mailed link; the token is not kept.
    """

    __tablename__ = "invitation"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        within_tenant("member_id", "member", ondelete="SET NULL (member_id)"),
        within_tenant("inviter_id", "member", ondelete="SET NULL (inviter_id)"),
        Index(
            "invitation_pending",
            "tenant_id",
            "email",
            unique=True,
            postgresql_where=text("status = 'PENDING'"),
        ),
        Index("invitation_by_creation", "tenant_id", "created_at", "node_id"),
    )

    node_id: str = Field(default_factory=_node_id, unique=True)
    email: str
    name: str | None = None
    status: str = InvitationStatus.PENDING
    token_hash: bytes = Field(unique=True)
    member_id: UUID | None = None
    inviter_id: UUID | None = None
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)
    expires_at: datetime = Field(sa_type=Timestamp)
    accepted_at: datetime | None = Field(default=None, sa_type=Timestamp)


class InvitationRole(TenantOwned, table=True):
    """A role the person receives on accepting."""

    __tablename__ = "invitation_role"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        within_tenant("invitation_id", "invitation"),
        within_tenant("role_id", "role"),
        UniqueConstraint("tenant_id", "invitation_id", "role_id"),
    )

    invitation_id: UUID
    role_id: UUID
