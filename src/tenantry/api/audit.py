"""The trail: one record for each root field of every operation."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import strawberry

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import requires
from tenantry.api.enums import AuditOutcome
from tenantry.api.nodes import Node
from tenantry.api.planner.fields import column, graph_type, nested
from tenantry.api.planner.sources import Arguments, Connection, Criteria, Order, Row, Rows
from tenantry.audit import models as rows


@strawberry.input(description="Narrows the trail; all that is given must hold. `until` is exclusive.")
class AuditFilter:
    """``actor_id`` is a user's id, or an API key's."""

    actor_id: strawberry.ID | None = strawberry.UNSET
    action: str | None = strawberry.UNSET
    outcome: AuditOutcome | None = strawberry.UNSET
    since: datetime | None = strawberry.UNSET
    until: datetime | None = strawberry.UNSET
    operation_name: str | None = strawberry.UNSET


def _matching(tenant: Row, record: Row, arguments: Arguments, _of: Rows) -> Criteria:
    wanted: Mapping[str, Any] = arguments.get("filter") or {}
    criteria: Criteria = [record.c.tenant_id == tenant.c.id]
    for name, column_ in (("actorId", "actor_id"), ("action", "action"), ("operationName", "operation_name")):
        if (value := wanted.get(name)) is not None:
            criteria.append(record.c[column_] == value)
    if (outcome := wanted.get("outcome")) is not None:
        criteria.append(record.c.outcome == str(getattr(outcome, "value", outcome)))
    if (since := wanted.get("since")) is not None:
        criteria.append(record.c.at >= since)
    if (until := wanted.get("until")) is not None:
        criteria.append(record.c.at < until)
    return criteria


EVENTS = Connection(
    rows.AuditRecord, on=_matching, order=Order(lambda record: [record.c.seq], descending=True)
)


@graph_type(rule=requires(BuiltIn.AUDIT_READ))
class AuditActor:
    """Who acted, as their token said then."""

    kind: str = column("ANONYMOUS, API_KEY, SERVICE, SYSTEM or USER.", "actor_kind")
    id: strawberry.ID | None = column("The user's id, or the API key's.", "actor_id")
    label: str | None = column(
        "The person's name, or else their address, or the key's name, at that time.", "actor_label"
    )
    role: str | None = column("The role in the token.", "actor_role")


@graph_type(rule=requires(BuiltIn.AUDIT_READ), table=rows.AuditRecord)
class AuditEvent(Node):
    """One root field of one operation. Never changed, never removed."""

    at: datetime = column("When it ended.")
    actor: AuditActor = nested("Who acted.")
    action: str = column("What was done, in the closed list of actions, e.g. `member.roles_set`.")
    operation_type: str = column("query or mutation.")
    operation_name: str | None = column("The operation's name in the document.")
    root_field: str | None = column("The root field; null where the operation did not get as far.")
    method: str = column("The HTTP method.")
    path: str = column("The HTTP path.")
    outcome: AuditOutcome = column("How it ended.")
    code: str | None = column("The error's code, where it did not end well.")
    ip: str | None = column("Where it came from, by trusted proxies only.")
    user_agent: str | None = column("The browser or program.")
    tenant_id: strawberry.ID | None = column("The tenant it happened in.", "tenant")
    request_id: str = column("The request's id, as in the response's `x-request-id` and in the log.")
