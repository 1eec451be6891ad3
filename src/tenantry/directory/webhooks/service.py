"""What can be done with webhooks: made, changed, deleted, given a new secret; and events told again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from tenantry.audit.actions import AuditAction
from tenantry.audit.records import timestamp
from tenantry.directory.webhooks import repository
from tenantry.directory.webhooks.errors import TooManyWebhooks
from tenantry.directory.webhooks.models import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookSecret
from tenantry.directory.webhooks.signing import new_signing_secret, shown
from tenantry.kernel.changes import UNSET, Unset
from tenantry.kernel.clock import Clock
from tenantry.kernel.errors import BadUserInput, Conflict, NotFound
from tenantry.kernel.events import Event
from tenantry.kernel.ids import new_message_id
from tenantry.kernel.text import paragraph
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.encryption import EncryptionKeys

MOST_ENDPOINTS = 20
MOST_SECRETS = 5
"""Of one endpoint that sign at the same time: each is a signature in every delivery."""
OVERLAP = timedelta(hours=24)
"""How long a secret that was replaced goes on signing, so that receivers can follow."""
DESCRIPTION_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class MadeSecret:
    """An endpoint with a fresh secret; ``text`` is to be shown once."""

    endpoint: WebhookEndpoint
    text: str

    def __repr__(self) -> str:
        return f"MadeSecret(endpoint={self.endpoint.node_id!r})"


def context_of(tenant_id: UUID, endpoint_id: UUID) -> bytes:
    """Whose a sealed secret is."""
    return tenant_id.bytes + endpoint_id.bytes


async def create(
    work: UnitOfWork,
    *,
    url: str,
    description: str,
    events: Sequence[str],
    keys: EncryptionKeys,
    clock: Clock,
) -> MadeSecret:
    """Tell ``url``, which the caller has checked, of these events from now on; of all where there are none.

    Raises ``BadUserInput``, ``TooManyWebhooks``.
    """
    endpoint = WebhookEndpoint(
        tenant_id=work.tenant,
        url=url,
        description=_described(description),
        events=_known(events),
        created_at=clock(),
    )
    if await repository.count(work) >= MOST_ENDPOINTS:
        raise TooManyWebhooks(MOST_ENDPOINTS)
    work.session.add(endpoint)
    await work.session.flush()
    text = await _add_secret(work, endpoint, keys=keys, now=endpoint.created_at)
    work.record(AuditAction.WEBHOOK_CREATE, endpoint.node_id)
    return MadeSecret(endpoint, text)


async def update(
    work: UnitOfWork,
    endpoint_id: str,
    *,
    url: str | Unset = UNSET,
    description: str | Unset = UNSET,
    events: Sequence[str] | Unset = UNSET,
    enabled: bool | Unset = UNSET,
) -> WebhookEndpoint:
    """Change an endpoint; ``url`` the caller has checked. What waits for it goes where it then is.

    Raises ``NotFound``, ``BadUserInput``.
    """
    endpoint = await _held(work, endpoint_id)
    if url is not UNSET:
        endpoint.url = url
    if description is not UNSET:
        endpoint.description = _described(description)
    if events is not UNSET:
        endpoint.events = _known(events)
    if enabled is not UNSET:
        endpoint.enabled = enabled
    await work.session.flush()
    work.record(AuditAction.WEBHOOK_UPDATE, endpoint.node_id)
    return endpoint


async def delete(work: UnitOfWork, endpoint_id: str) -> None:
    """Tell an endpoint nothing more, not even what is on its way. Raises ``NotFound``."""
    endpoint = await _held(work, endpoint_id)
    await work.session.delete(endpoint)
    await work.session.flush()
    work.record(AuditAction.WEBHOOK_DELETE, endpoint_id)


async def rotate_secret(
    work: UnitOfWork, endpoint_id: str, *, keys: EncryptionKeys, clock: Clock
) -> MadeSecret:
    """Sign with a fresh secret from now on, and with the one before as well for ``OVERLAP``.

    Raises ``NotFound``, ``Conflict`` where ``MOST_SECRETS`` sign already.
    """
    endpoint, now = await _held(work, endpoint_id), clock()
    await repository.forget_ended_secrets(work, endpoint, now=now)
    signing = await repository.secrets_of(work, endpoint)
    if len(signing) >= MOST_SECRETS:
        raise Conflict(f"{MOST_SECRETS} secrets sign already; wait until the oldest has ended.")
    for each in signing:
        each.ends_at = each.ends_at or now + OVERLAP
    text = await _add_secret(work, endpoint, keys=keys, now=now)
    work.record(AuditAction.WEBHOOK_SECRET_ROTATE, endpoint.node_id)
    return MadeSecret(endpoint, text)


async def replay(work: UnitOfWork, delivery_id: str, *, clock: Clock) -> WebhookDelivery:
    """Send once more what was delivered or given up, under its old message id and with all its attempts.

    Raises ``NotFound``, ``Conflict`` for one that is on its way.
    """
    delivery = await repository.delivery_to_change(work, delivery_id)
    if delivery is None:
        raise NotFound
    if delivery.state == DeliveryState.PENDING:
        raise Conflict("This is still on its way.")
    delivery.sqlmodel_update({"state": DeliveryState.PENDING, "attempts": 0, "next_attempt_at": clock()})
    await work.session.flush()
    work.record(AuditAction.WEBHOOK_REPLAY, delivery.node_id)
    return delivery


async def publish(work: UnitOfWork, *, clock: Clock) -> None:
    """Write what ``work`` has announced for every endpoint that is told of it, to be sent once it commits."""
    if not work.announcements:
        return
    listening = await repository.listening(work, {each.event for each in work.announcements})
    now = clock()
    for each in work.announcements if listening else ():
        message_id, body = new_message_id(), _body(work, each.event, each.data, now)
        work.session.add_all(
            WebhookDelivery(
                tenant_id=work.tenant,
                endpoint_id=endpoint.id,
                message_id=message_id,
                event=each.event,
                body=body,
                next_attempt_at=now,
                created_at=now,
            )
            for endpoint in listening
            if not endpoint.events or each.event in endpoint.events
        )


def _body(work: UnitOfWork, event: str, data: Mapping[str, str], now: datetime) -> bytes:
    """The message (Standard Webhooks, "Payload structure"): ids and names of the blueprint, no person's."""
    acting = work.acting
    said = {"tenant": acting.tenant, "actor": acting.key or acting.member, **data}
    return orjson.dumps({"type": event, "timestamp": timestamp(now), "data": said})


async def _held(work: UnitOfWork, endpoint_id: str) -> WebhookEndpoint:
    endpoint = await repository.to_change(work, endpoint_id)
    if endpoint is None:
        raise NotFound
    return endpoint


async def _add_secret(
    work: UnitOfWork, endpoint: WebhookEndpoint, *, keys: EncryptionKeys, now: datetime
) -> str:
    secret = new_signing_secret()
    sealed = keys.seal(secret, context=context_of(endpoint.tenant_id, endpoint.id))
    work.session.add(
        WebhookSecret(
            tenant_id=endpoint.tenant_id,
            endpoint_id=endpoint.id,
            key_id=sealed.key_id,
            box=sealed.box,
            created_at=now,
        )
    )
    await work.session.flush()
    return shown(secret)


def _described(text: str) -> str:
    return paragraph(text, "description", most=DESCRIPTION_CHARACTERS)


def _known(events: Sequence[str]) -> list[str]:
    """The events, each once, in the order of the list."""
    names = [str(event) for event in Event]
    unknown = {
        f"events.{place}": "there is no such event"
        for place, event in enumerate(events)
        if event not in names
    }
    if unknown:
        raise BadUserInput("Some input cannot be taken.", unknown)
    return [name for name in names if name in events]
