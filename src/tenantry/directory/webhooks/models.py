"""Tables of webhooks."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from tenantry.kernel.ids import NodePrefix, new_node_id
from tenantry.storage.tables import TenantOwned, Timestamp, now, within_tenant


class DeliveryState(StrEnum):
    """Where a delivery stands: on its way, taken by the receiver, given up."""

    DEAD = "DEAD"
    DELIVERED = "DELIVERED"
    PENDING = "PENDING"


def _endpoint_node_id() -> str:
    return new_node_id(NodePrefix.WEBHOOK_ENDPOINT)


def _delivery_node_id() -> str:
    return new_node_id(NodePrefix.WEBHOOK_DELIVERY)


class WebhookEndpoint(TenantOwned, table=True):
    """A URL that is told of ``events``; of all where there are none."""

    __tablename__ = "webhook_endpoint"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("webhook_endpoint_by_creation", "tenant_id", "created_at", "node_id"),)

    node_id: str = Field(default_factory=_endpoint_node_id, unique=True)
    url: str
    description: str = ""
    events: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    enabled: bool = True
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)


class WebhookSecret(TenantOwned, table=True):
    """What an endpoint's deliveries are signed with, sealed under the key ``key_id`` for the endpoint.

    One has no ``ends_at``. Those that it has replaced sign beside it until then.
    """

    __tablename__ = "webhook_secret"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        within_tenant("endpoint_id", "webhook_endpoint"),
        Index("webhook_secret_by_endpoint", "tenant_id", "endpoint_id"),
    )

    endpoint_id: UUID
    key_id: str
    box: bytes
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)
    ends_at: datetime | None = Field(default=None, sa_type=Timestamp)


class WebhookDelivery(TenantOwned, table=True):
    """One event on its way to one endpoint; written in the transaction of what it tells of.

    ``message_id`` is the event's, the same at every attempt and for every endpoint. While it is PENDING
    nobody looks at it before ``next_attempt_at``; whoever sends it moves that on first. Of what the
    receiver answers only the status is kept.
    """

    __tablename__ = "webhook_delivery"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        within_tenant("endpoint_id", "webhook_endpoint"),
        Index("webhook_delivery_by_creation", "tenant_id", "endpoint_id", "created_at", "node_id"),
        Index(
            "webhook_delivery_due",
            "tenant_id",
            "endpoint_id",
            "next_attempt_at",
            "id",
            postgresql_where=text("state = 'PENDING'"),
        ),
        Index("webhook_delivery_over", "created_at", postgresql_where=text("state <> 'PENDING'")),
    )

    node_id: str = Field(default_factory=_delivery_node_id, unique=True)
    endpoint_id: UUID
    message_id: str
    event: str
    body: bytes
    state: str = DeliveryState.PENDING
    attempts: int = 0
    next_attempt_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_status: int | None = None
    last_error: str | None = None
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)
