"""Tables of the trail."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, FetchedValue, Identity, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from tenantry.storage.tables import Timestamp, TransactionId


class AuditRecord(SQLModel, table=True):
    """One root field of one operation; a trigger and the grants refuse to change or remove it.

    Keyed ``(tenant_id, seq)``, since a trail is read from its newest end. ``body`` holds
    the exact canonical bytes (RFC 8785) that are to be hashed; it has no personal value.
    ``actor_label``, ``ip`` and ``user_agent`` are personal and stand beside it. ``xid``
    is the writing transaction, by which a reader knows that no older row is still to come.
    """

    __tablename__ = "audit_record"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("audit_record_by_node_id", "tenant_id", "node_id", unique=True),)

    tenant_id: UUID = Field(primary_key=True)
    seq: int | None = Field(
        default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)]
    )
    node_id: str
    at: datetime = Field(sa_type=Timestamp)
    xid: str | None = Field(
        default=None,
        sa_type=TransactionId,
        nullable=False,
        sa_column_kwargs={"server_default": FetchedValue()},
    )
    actor_kind: str
    actor_id: str | None = None
    actor_label: str | None = None
    actor_role: str | None = None
    actor_tenant: str | None = None
    tenant: str | None = None
    action: str
    operation_type: str
    operation_name: str | None = None
    root_field: str | None = None
    document_hash: str | None = None
    targets: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    method: str
    path: str
    outcome: str
    code: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    request_id: str
    body: bytes
