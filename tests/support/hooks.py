"""Webhooks as a tenant's owner would make them, and what has become of a delivery."""

from collections.abc import Sequence

from tenantry.directory.webhooks.models import DeliveryState, WebhookDelivery
from tenantry.directory.webhooks.service import MadeSecret, create
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.principal import Authority
from tenantry.storage.tables import now
from tenantry.tokens.encryption import EncryptionKeys
from tests.support.database import TemporaryDatabase

RECEIVER = "https://receiver.example/hook"


async def make_webhook(
    database: TemporaryDatabase,
    owner: Authority,
    keys: EncryptionKeys,
    url: str = RECEIVER,
    *,
    events: Sequence[str] = (),
    clock: Clock = system_clock,
) -> MadeSecret:
    """An endpoint of the owner's tenant, and its secret."""
    async with database.writing(owner) as work:
        return await create(work, url=url, description="", events=events, keys=keys, clock=clock)


async def make_dead_delivery(database: TemporaryDatabase, owner: Authority, made: MadeSecret) -> str:
    """Node id of a delivery that was given up."""
    delivery = WebhookDelivery(
        tenant_id=owner.tenant_id,
        endpoint_id=made.endpoint.id,
        message_id="msg_dead",
        event="resource.created",
        body=b"{}",
        state=DeliveryState.DEAD,
        attempts=10,
        last_status=500,
        created_at=now(),
    )
    async with database.writing(owner) as work:
        work.session.add(delivery)
    return delivery.node_id
