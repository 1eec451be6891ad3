"""Tables of people: users on the platform, members of tenants, and the roles members hold."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from tenantry.kernel.ids import NodePrefix, new_key, new_node_id
from tenantry.storage.tables import TenantOwned, Timestamp, now, within_tenant


class MemberStatus(StrEnum):
    """A member's standing; only ACTIVE may act."""

    ACTIVE = "ACTIVE"
    INVITED = "INVITED"
    SUSPENDED = "SUSPENDED"


def _user_node_id() -> str:
    return new_node_id(NodePrefix.USER)


def _member_node_id() -> str:
    return new_node_id(NodePrefix.MEMBER)


class User(SQLModel, table=True):
    """One person on the platform, whatever tenants they belong to. ``email`` is lower-case."""

    __tablename__ = "user"  # pyright: ignore[reportAssignmentType]

    id: UUID = Field(primary_key=True, default_factory=new_key)
    node_id: str = Field(default_factory=_user_node_id, unique=True)
    email: str = Field(unique=True)
    name: str | None = None
    is_super_admin: bool = False
    mfa_enabled: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)


class Member(TenantOwned, table=True):
    """That person in one tenant. ``user_id`` is set by the first verified login.

    ``version`` rises with every change of rights or standing, which ends every token
    that names an older one. From ``expires_at`` on they may not act, whatever their ``status``;
    an owner's membership has no end.
    """

    __tablename__ = "member"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        UniqueConstraint("tenant_id", "email"),
        UniqueConstraint("tenant_id", "user_id"),
        Index("member_by_user", "user_id"),
        Index("member_by_email", "email"),
        CheckConstraint("NOT is_owner OR expires_at IS NULL", name="member_owner_without_end"),
    )

    node_id: str = Field(default_factory=_member_node_id, unique=True)
    user_id: UUID | None = Field(default=None, foreign_key="user.id")
    email: str
    name: str | None = None
    status: str = MemberStatus.INVITED
    is_owner: bool = False
    extension: str | None = Field(default=None, max_length=10)
    version: int = 1
    joined_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_seen_at: datetime | None = Field(default=None, sa_type=Timestamp)
    expires_at: datetime | None = Field(default=None, sa_type=Timestamp)


class MemberRole(TenantOwned, table=True):
    """A role that a member holds; from ``expires_at`` on they do not.

    Each that has ended raises the version by which the member acts, as if it had been taken away
    (migration 0014).
    """

    __tablename__ = "member_role"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        within_tenant("member_id", "member"),
        within_tenant("role_id", "role"),
        UniqueConstraint("tenant_id", "member_id", "role_id"),
        Index("member_role_by_role", "tenant_id", "role_id"),
        Index(
            "member_role_with_end",
            "tenant_id",
            "member_id",
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
    )

    member_id: UUID
    role_id: UUID
    expires_at: datetime | None = Field(default=None, sa_type=Timestamp)
