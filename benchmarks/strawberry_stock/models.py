"""The tables as SQLAlchemy maps them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """All tables of the benchmark."""

    type_annotation_map = {datetime: TIMESTAMP(timezone=True), list[str]: ARRAY(Text)}  # noqa: RUF012


class User(Base):
    __tablename__ = "user"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    node_id: Mapped[str]
    email: Mapped[str]
    name: Mapped[str | None]


class Tenant(Base):
    __tablename__ = "tenant"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    node_id: Mapped[str]
    name: Mapped[str]
    suspended: Mapped[bool]
    version: Mapped[int]


class Role(Base):
    __tablename__ = "role"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    node_id: Mapped[str]
    key: Mapped[str]
    name: Mapped[str]
    position: Mapped[int]
    permissions: Mapped[list[str]] = mapped_column(JSONB)
    effective: Mapped[list[str]]


class MemberRole(Base):
    __tablename__ = "member_role"
    __table_args__ = (ForeignKeyConstraint(["tenant_id", "role_id"], ["role.tenant_id", "role.id"]),)
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    role_id: Mapped[UUID]
    role: Mapped[Role] = relationship(viewonly=True)


class Member(Base):
    __tablename__ = "member"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    node_id: Mapped[str]
    user_id: Mapped[UUID | None]
    email: Mapped[str]
    name: Mapped[str | None]
    status: Mapped[str]
    is_owner: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)


class Session(Base):
    __tablename__ = "session"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    member_id: Mapped[UUID]
    revoked: Mapped[bool]
    expires_at: Mapped[datetime]


class Invitation(Base):
    __tablename__ = "invitation"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    node_id: Mapped[str]
    email: Mapped[str]
    name: Mapped[str | None]
    status: Mapped[str]
    token_hash: Mapped[bytes]
    member_id: Mapped[UUID]
    inviter_id: Mapped[UUID]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class InvitationRole(Base):
    __tablename__ = "invitation_role"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    invitation_id: Mapped[UUID]
    role_id: Mapped[UUID]


class AuditRecord(Base):
    __tablename__ = "audit_record"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[str]
    at: Mapped[datetime]
    actor_id: Mapped[str | None]
    actor_label: Mapped[str | None]
    actor_role: Mapped[str | None]
    action: Mapped[str]
    operation_name: Mapped[str | None]
    root_field: Mapped[str | None]
    outcome: Mapped[str]
    code: Mapped[str | None]
