"""Every query of webhooks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, func
from sqlmodel import col, select

from tenantry.directory.webhooks.models import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookSecret
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.encryption import Sealed

_TURN = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 3))"
# FOR KEY SHARE: whoever deletes an endpoint waits for what is being written for it.
_LISTENING = """
SELECT id, events FROM webhook_endpoint
WHERE tenant_id = $1 AND enabled AND (events = '{}' OR events && $2::text[]) ORDER BY id FOR KEY SHARE
"""
_LEASE = "SELECT * FROM lease_webhook_deliveries($1, $2, $3, $4, $5)"
# Only by who still holds the lease: another sender may have had it since.
_SETTLE = """
UPDATE webhook_delivery SET state = $4, next_attempt_at = $5, last_status = $6, last_error = $7
WHERE tenant_id = $1 AND id = $2 AND state = 'PENDING' AND next_attempt_at = $3 RETURNING id
"""
_DISABLE = (
    "UPDATE webhook_endpoint SET enabled = false WHERE tenant_id = $1 AND id = $2 AND enabled RETURNING id"
)
_FORGET = "SELECT forget_webhook_deliveries($1, $2) AS count"
_OTHERWISE = "SELECT * FROM webhook_secrets_under_other_keys($1, $2, $3)"
_REPLACE = """
UPDATE webhook_secret SET key_id = $4, box = $5 WHERE tenant_id = $1 AND id = $2 AND box = $3 RETURNING id
"""
_COUNT = "SELECT webhook_secrets_under($1) AS count"


class Listening(NamedTuple):
    """An endpoint that is told of these events; of all where there are none."""

    id: UUID
    events: Sequence[str]


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is one's own to send until the lease ends; secrets sealed, the newest first."""

    tenant_id: UUID
    tenant_node: str
    delivery_id: UUID
    delivery_node: str
    endpoint_id: UUID
    endpoint_node: str
    url: str
    message_id: str
    body: bytes
    attempts: int
    key_ids: Sequence[str]
    boxes: Sequence[bytes]
    until: datetime


class Box(NamedTuple):
    """A sealed secret, and whose it is."""

    tenant_id: UUID
    id: UUID
    endpoint_id: UUID
    key_id: str
    box: bytes


async def count(work: UnitOfWork) -> int:
    """How many endpoints the tenant has; held so until ``work`` ends."""
    await work.fetch(_TURN, work.tenant)
    return (await work.session.exec(select(func.count()).select_from(WebhookEndpoint))).one()


async def to_change(work: UnitOfWork, node_id: str) -> WebhookEndpoint | None:
    """The tenant's endpoint of this node id, held."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.node_id == node_id).with_for_update()
    return (await work.session.exec(query)).one_or_none()


async def delivery_to_change(work: UnitOfWork, node_id: str) -> WebhookDelivery | None:
    """The tenant's delivery of this node id, held."""
    query = select(WebhookDelivery).where(WebhookDelivery.node_id == node_id).with_for_update()
    return (await work.session.exec(query)).one_or_none()


async def secrets_of(work: UnitOfWork, endpoint: WebhookEndpoint) -> Sequence[WebhookSecret]:
    """The secrets of an endpoint that the caller holds."""
    query = select(WebhookSecret).where(WebhookSecret.endpoint_id == endpoint.id)
    return (await work.session.exec(query)).all()


async def forget_ended_secrets(work: UnitOfWork, endpoint: WebhookEndpoint, *, now: datetime) -> None:
    """Forget the endpoint's secrets that sign no more."""
    await work.session.exec(
        delete(WebhookSecret).where(
            col(WebhookSecret.tenant_id) == work.tenant,
            col(WebhookSecret.endpoint_id) == endpoint.id,
            col(WebhookSecret.ends_at) <= now,
        )
    )


async def listening(work: UnitOfWork, events: Collection[str]) -> list[Listening]:
    """The tenant's endpoints that are told of any of these events."""
    return [Listening(**row) for row in await work.fetch(_LISTENING, work.tenant, list(events))]


async def lease(
    work: UnitOfWork, *, now: datetime, until: datetime, most: int, each: int, sending: Collection[UUID]
) -> list[Due]:
    """Take what is due of all tenants: ``most`` in all, ``each`` for one endpoint, least sent to first.

    ``sending`` has the endpoint of each delivery that the caller is sending, which counts.
    """
    rows = await work.fetch(_LEASE, now, until, most, each, list(sending))
    return [Due(**row, until=until) for row in rows]


async def settle(
    work: UnitOfWork,
    due: Due,
    state: DeliveryState,
    *,
    again: datetime | None,
    status: int | None,
    error: str | None,
) -> bool:
    """Note what has become of a delivery of the tenant entered; False where the lease was another's."""
    return bool(
        await work.fetch(_SETTLE, work.tenant, due.delivery_id, due.until, state, again, status, error)
    )


async def disable(work: UnitOfWork, endpoint_id: UUID) -> bool:
    """Send nothing more to an endpoint of the tenant entered; False where that was so already."""
    return bool(await work.fetch(_DISABLE, work.tenant, endpoint_id))


async def forget_deliveries(work: UnitOfWork, *, before: datetime, most: int) -> int:
    """Forget deliveries of all tenants that ended and were made ``before``; returns how many."""
    return int((await work.fetch(_FORGET, before, most))[0]["count"])


async def sealed_otherwise(work: UnitOfWork, key_id: str, *, after: UUID, most: int) -> list[Box]:
    """Secrets of all tenants that another key than ``key_id`` has sealed, from after one of them."""
    return [Box(**row) for row in await work.fetch(_OTHERWISE, key_id, after, most)]


async def replace_box(work: UnitOfWork, box: Box, sealed: Sealed) -> bool:
    """Put ``sealed`` in place of ``box`` of the tenant entered, unless that is there no more."""
    return bool(await work.fetch(_REPLACE, work.tenant, box.id, box.box, sealed.key_id, sealed.box))


async def count_sealed(work: UnitOfWork, key_id: str) -> int:
    """How many secrets a key has sealed."""
    return int((await work.fetch(_COUNT, key_id))[0]["count"])
