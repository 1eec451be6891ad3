"""A tenant's webhooks: where its events are sent, and what has become of each."""

from datetime import datetime

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import requires
from tenantry.api.enums import DeliveryState
from tenantry.api.nodes import Connection, Node
from tenantry.api.planner.fields import column, connection, graph_type
from tenantry.api.planner.sources import Connection as Pages
from tenantry.api.planner.sources import Order
from tenantry.directory.webhooks import models as rows

MANAGES = requires(BuiltIn.WEBHOOK_MANAGE)

WEBHOOKS = Pages(
    rows.WebhookEndpoint,
    on=lambda tenant, endpoint, _arguments, _rows: [endpoint.c.tenant_id == tenant.c.id],
    order=Order(lambda endpoint: [endpoint.c.created_at, endpoint.c.node_id]),
)
DELIVERIES = Pages(
    rows.WebhookDelivery,
    on=lambda endpoint, delivery, _arguments, _rows: [delivery.c.endpoint_id == endpoint.c.id],
    order=Order(lambda delivery: [delivery.c.created_at, delivery.c.node_id], descending=True),
)


@graph_type(rule=MANAGES, table=rows.WebhookDelivery)
class WebhookDelivery(Node):
    """One event on its way to one endpoint. Kept for thirty days."""

    event: str = column("What happened, for example `resource.created`.")
    message_id: str = column("The header `webhook-id`: the same at each attempt and for each endpoint.")
    state: DeliveryState = column("Where it stands.")
    attempts: int = column("How often it was sent; a replay begins anew.")
    next_attempt_at: datetime | None = column("When it is sent next; null once it has ended.")
    last_status: int | None = column("The status that came back last.")
    last_error: str | None = column("Why none came back last.")
    created_at: datetime = column("When it happened.")


@graph_type(rule=MANAGES, table=rows.WebhookEndpoint)
class WebhookEndpoint(Node):
    """A URL to which the tenant's events are sent, signed by Standard Webhooks."""

    url: str = column("Where to.")
    description: str = column("What it is for.")
    events: list[str] = column("Which events; all of them where the list is empty.")
    enabled: bool = column("Whether anything is sent; false too once it has answered 410.")
    created_at: datetime = column("When it was added.")
    deliveries: Connection[WebhookDelivery] = connection("What was sent to it, newest first.", DELIVERIES)
