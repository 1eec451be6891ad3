"""A tenant's webhooks: added, changed, deleted, given a new secret; and events sent once more."""

from dataclasses import replace
from typing import Annotated

import strawberry

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import FRESH_SECONDS, requires
from tenantry.api.call import Call
from tenantry.api.changes import kept
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, found, graph_type, mutation
from tenantry.api.problems import TooManyWebhooks, WebhookUrlNotUsable
from tenantry.api.webhooks import MANAGES, WebhookDelivery, WebhookEndpoint
from tenantry.audit.actions import AuditAction
from tenantry.directory.webhooks import service
from tenantry.directory.webhooks.models import WebhookDelivery as DeliveryRow
from tenantry.directory.webhooks.models import WebhookEndpoint as EndpointRow
from tenantry.kernel.principal import Scope

HERE = requires(BuiltIn.WEBHOOK_MANAGE, scope=Scope.TENANT)
FRESH = replace(HERE, freshness=FRESH_SECONDS)
"""Whoever adds a URL, or learns a secret, has the tenant's events or may forge them."""


@strawberry.input(description="Where to send which events; all of them where none is named.")
class WebhookCreateInput:
    """``url`` begins with https."""

    url: str
    description: str = ""
    events: list[str] = strawberry.field(default_factory=list[str])


@strawberry.input(description="What to change; what is not given stays.")
class WebhookUpdateInput:
    """What waits for it goes to the new URL."""

    webhook_id: strawberry.ID
    url: str | None = strawberry.UNSET
    description: str | None = strawberry.UNSET
    events: list[str] | None = strawberry.UNSET
    enabled: bool | None = strawberry.UNSET


@strawberry.input(description="The webhook to delete.")
class WebhookDeleteInput:
    """Which."""

    webhook_id: strawberry.ID


@strawberry.input(description="The webhook that is to sign with a new secret.")
class WebhookSecretRotateInput:
    """Which."""

    webhook_id: strawberry.ID


@strawberry.input(description="What to send once more.")
class WebhookReplayInput:
    """Delivered or given up."""

    delivery_id: strawberry.ID


@graph_type(rule=MANAGES)
class WebhookCreated:
    """Told of what happens from now on."""

    webhook: WebhookEndpoint = found("The webhook.", EndpointRow)
    secret: str = attribute("Verifies its signatures: shown this once.")


@graph_type(rule=MANAGES)
class WebhookUpdated:
    """Changed."""

    webhook: WebhookEndpoint = found("The webhook.", EndpointRow)


@graph_type(rule=MANAGES)
class WebhookDeleteResult:
    """Told nothing more."""

    webhook_id: strawberry.ID = attribute("Which.")


@graph_type(rule=MANAGES)
class WebhookSecretRotateResult:
    """Signing with both secrets for twenty-four hours, and then with the new one alone."""

    webhook: WebhookEndpoint = found("The webhook.", EndpointRow)
    secret: str = attribute("Verifies its signatures: shown this once.")


@graph_type(rule=MANAGES)
class WebhookReplayResult:
    """On its way again, under the same message id."""

    delivery: WebhookDelivery = found("What is sent.", DeliveryRow)


WebhookCreateResult = Annotated[
    WebhookCreated | TooManyWebhooks | WebhookUrlNotUsable,
    strawberry.union("WebhookCreateResult", description="What came of it."),
]
WebhookUpdateResult = Annotated[
    WebhookUpdated | WebhookUrlNotUsable,
    strawberry.union("WebhookUpdateResult", description="What came of it."),
]


async def _usable(call: Call, taken: WebhookCreateInput | WebhookUpdateInput) -> None:
    """Ask where the URL leads, before any transaction begins."""
    if taken.url is not None and taken.url is not strawberry.UNSET:
        await call.services.poster.check(taken.url)


async def _create(call: Call, taken: WebhookCreateInput, _usable: None) -> Outcome:
    made = await service.create(
        call.work,
        url=taken.url,
        description=taken.description,
        events=taken.events,
        keys=call.services.encryption_keys,
        clock=call.services.clock,
    )
    return Outcome("WebhookCreated", {"webhook": made.endpoint.node_id, "secret": made.text})


async def _update(call: Call, taken: WebhookUpdateInput, _usable: None) -> Outcome:
    changed = await service.update(
        call.work,
        taken.webhook_id,
        url=kept(taken.url),
        description=kept(taken.description),
        events=kept(taken.events),
        enabled=kept(taken.enabled),
    )
    return Outcome("WebhookUpdated", {"webhook": changed.node_id})


async def _delete(call: Call, taken: WebhookDeleteInput) -> Outcome:
    await service.delete(call.work, taken.webhook_id)
    return Outcome("WebhookDeleteResult", {"webhookId": taken.webhook_id})


async def _rotate(call: Call, taken: WebhookSecretRotateInput) -> Outcome:
    services = call.services
    made = await service.rotate_secret(
        call.work, taken.webhook_id, keys=services.encryption_keys, clock=services.clock
    )
    return Outcome("WebhookSecretRotateResult", {"webhook": made.endpoint.node_id, "secret": made.text})


async def _replay(call: Call, taken: WebhookReplayInput) -> Outcome:
    delivery = await service.replay(call.work, taken.delivery_id, clock=call.services.clock)
    return Outcome("WebhookReplayResult", {"delivery": delivery.node_id})


@strawberry.type
class WebhookMutations:
    """A tenant's webhooks."""

    webhook_create: WebhookCreateResult = mutation(
        "Have the tenant's events sent to a URL.",
        _create,
        takes=WebhookCreateInput,
        before=_usable,
        action=AuditAction.WEBHOOK_CREATE,
        rule=FRESH,
    )
    webhook_update: WebhookUpdateResult = mutation(
        "Change where events are sent, which, and whether.",
        _update,
        takes=WebhookUpdateInput,
        before=_usable,
        action=AuditAction.WEBHOOK_UPDATE,
        rule=FRESH,
    )
    webhook_delete: WebhookDeleteResult = mutation(
        "Send nothing more there, not even what is on its way.",
        _delete,
        takes=WebhookDeleteInput,
        action=AuditAction.WEBHOOK_DELETE,
        rule=HERE,
    )
    webhook_secret_rotate: WebhookSecretRotateResult = mutation(
        "Sign with a new secret, for twenty-four hours beside the one before.",
        _rotate,
        takes=WebhookSecretRotateInput,
        action=AuditAction.WEBHOOK_SECRET_ROTATE,
        rule=FRESH,
    )
    webhook_replay: WebhookReplayResult = mutation(
        "Send once more what was delivered or given up.",
        _replay,
        takes=WebhookReplayInput,
        action=AuditAction.WEBHOOK_REPLAY,
        rule=HERE,
    )
