"""Webhooks over the wire: what is done is told to whom the tenant has named, signed, and to nobody else."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api import Product, Speaker, running_product
from tests.support.factories import make_api_key, make_member, signed_in
from tests.support.hooks import make_webhook
from tests.support.logins import role_id
from tests.support.receiver import Received, Receiver, receiver
from tests.support.refusals import snapshot
from tests.support.world import World

CREATE = """mutation($input: WebhookCreateInput!) { webhookCreate(input: $input) { __typename
    ... on WebhookCreated { secret webhook { id url description events enabled createdAt } }
    ... on TooManyWebhooks { code most } ... on WebhookUrlNotUsable { code } } }"""
UPDATE = """mutation($input: WebhookUpdateInput!) { webhookUpdate(input: $input) { __typename
    ... on WebhookUpdated { webhook { id url description events enabled } }
    ... on WebhookUrlNotUsable { code } } }"""
ROTATE = """mutation($id: ID!) { webhookSecretRotate(input: {webhookId: $id}) { secret webhook { id } } }"""
DELETE = "mutation($id: ID!) { webhookDelete(input: {webhookId: $id}) { webhookId } }"
REPLAY = """mutation($id: ID!) { webhookReplay(input: {deliveryId: $id}) {
    delivery { id state attempts messageId } } }"""
LIST = """{ tenant { webhooks(first: 9) { nodes { id url enabled deliveries(first: 9) { totalCount nodes {
    id event messageId state attempts nextAttemptAt lastStatus lastError } } } } } }"""
MAKE = """mutation($name: String!) { resourceCreate(input: {type: "ticket", name: $name,
    attributes: {subject: "Whispered"}}) { resource { id } } }"""
RENAME = 'mutation($id: ID!) { resourceUpdate(input: {resourceId: $id, name: "Ada\'s"}) { __typename } }'
ACT = """mutation($id: ID!) { resourceAct(input: {resourceId: $id, action: "archive"}) { action } }"""
REMOVE = "mutation($id: ID!) { resourceDelete(input: {resourceId: $id}) { resourceId } }"
SET_ROLES = """mutation($id: ID!, $roles: [ID!]!) {
    memberRolesSet(input: {memberId: $id, roleIds: $roles}) { __typename } }"""
LEAVE = "mutation($id: ID!) { memberRemove(input: {memberId: $id}) { __typename } }"
HAND_OVER = "mutation($id: ID!) { ownershipTransfer(input: {memberId: $id}) { __typename } }"


@pytest_asyncio.fixture
async def there() -> AsyncIterator[Receiver]:
    """Where it is sent."""
    async with receiver() as made:
        yield made


async def listening(product: Product, url: str, **given: Any) -> tuple[World, Speaker, dict[str, Any]]:
    """A tenant whose owner has had its events sent to ``url``, by the wire."""
    world = await World.make(product)
    await world.prove(world.owner)
    owner = product.as_(world.owner)
    made = (await owner.query(CREATE, input={"url": url, **given}))["webhookCreate"]
    return world, owner, made


async def deliveries(owner: Speaker, state: str) -> list[dict[str, Any]]:
    """The tenant's deliveries, once each is in this state; the newest first."""
    async with asyncio.timeout(10):
        while True:
            (webhook,) = (await owner.query(LIST))["tenant"]["webhooks"]["nodes"]
            nodes = webhook["deliveries"]["nodes"]
            if nodes and {node["state"] for node in nodes} == {state}:
                return nodes
            await asyncio.sleep(0.02)


async def settled(product: Product, world: World) -> None:
    """Wait until nothing of the tenant is on its way: other tests look at all rows."""
    waiting = "SELECT count(*) FROM webhook_delivery WHERE tenant_id = $1 AND state = 'PENDING'"
    async with asyncio.timeout(10):
        while await product.database.value(waiting, world.tenant.id):  # noqa: ASYNC110 - the sender is
            await asyncio.sleep(0.02)


def told(requests: list[Received]) -> list[tuple[str, dict[str, str]]]:
    """Events and their own data, in the order of their making."""
    bodies = sorted((request.json for request in requests), key=lambda body: body["timestamp"])
    return [
        (body["type"], {key: body["data"][key] for key in body["data"] if key not in {"tenant", "actor"}})
        for body in bodies
    ]


async def test_what_an_agent_does_arrives_signed_and_without_anything_personal(
    product: Product, there: Receiver
) -> None:
    world, owner, made = await listening(product, there.url, description="CRM")
    assert made["__typename"] == "WebhookCreated"
    assert made["webhook"]["id"].startswith("W_")
    assert (made["webhook"]["url"], made["webhook"]["events"]) == (there.url, [])
    assert (made["webhook"]["description"], made["webhook"]["enabled"]) == ("CRM", True)
    agent = await signed_in(product.database, world.tenant, "agent")
    resource = (await product.as_(agent).query(MAKE, name="Ada's pen"))["resourceCreate"]["resource"]["id"]
    (request,) = await there.until(1)
    assert request.verified_by(made["secret"])
    assert request.json["data"] == {
        "tenant": world.tenant.node_id,
        "actor": agent.member,
        "resource": resource,
        "resourceType": "ticket",
        "state": "open",
    }
    for personal in (b"Ada", b"Whispered", (agent.email or "").encode(), str(agent.tenant_id).encode()):
        assert personal not in request.body
    (delivery,) = await deliveries(owner, "DELIVERED")
    assert delivery.pop("id").startswith("Y_")
    assert delivery == {
        "event": "resource.created",
        "messageId": request.message_id,
        "state": "DELIVERED",
        "attempts": 1,
        "nextAttemptAt": None,
        "lastStatus": 204,
        "lastError": None,
    }


async def test_every_change_that_is_announced_has_its_event(product: Product, there: Receiver) -> None:
    world, owner, _ = await listening(product, there.url)
    member = await make_member(product.database, world.tenant, "agent")
    heir = await make_member(product.database, world.tenant, "agent")
    manager = await role_id(product.database, world.tenant, "manager")
    resource = (await owner.query(MAKE, name="One"))["resourceCreate"]["resource"]["id"]
    for document, variables in (
        (RENAME, {"id": resource}),
        (ACT, {"id": resource}),
        (REMOVE, {"id": resource}),
        (SET_ROLES, {"id": member.node_id, "roles": [manager]}),
        (SET_ROLES, {"id": member.node_id, "roles": [manager]}),
        (LEAVE, {"id": member.node_id}),
        (HAND_OVER, {"id": heir.node_id}),
    ):
        product.clock.forward(0.001)
        assert (await owner.ask(document, variables)).errors == []
    facts = {"resource": resource, "resourceType": "ticket", "state": "open"}
    found = told(await there.until(8))
    assert found[:6] == [
        ("resource.created", facts),
        ("resource.updated", facts),
        ("resource.acted", {**facts, "action": "archive"}),
        ("resource.deleted", facts),
        ("member.roles_changed", {"member": member.node_id}),
        ("member.removed", {"member": member.node_id}),
    ]
    assert {event for event, _ in found[6:]} == {"member.roles_changed"}
    assert {data["member"] for _, data in found[6:]} == {heir.node_id, world.owner.member}
    await settled(product, world)


async def test_a_key_acts_under_its_own_name(product: Product, there: Receiver) -> None:
    world, _, _ = await listening(product, there.url)
    key = await make_api_key(product.database, world.owner, "ticket:create")
    await product.with_token(key.text).ask(MAKE, {"name": "By machine"})
    (request,) = await there.until(1)
    assert request.json["data"]["actor"] == key.key.node_id
    await settled(product, world)


async def test_what_is_refused_or_is_another_tenants_is_not_told(product: Product, there: Receiver) -> None:
    world, owner, _ = await listening(product, there.url, events=["resource.acted", "resource.created"])
    resource = (await owner.query(MAKE, name="One"))["resourceCreate"]["resource"]["id"]
    await there.until(1)
    await deliveries(owner, "DELIVERED")
    agent = await signed_in(product.database, world.tenant, "agent")
    before = await snapshot(product.database)
    assert (await product.as_(agent).ask(ACT, {"id": resource})).codes == ["FORBIDDEN"]
    both = """mutation($id: ID!) { resourceAct(input: {resourceId: $id, action: "nothing"}) { action } }"""
    assert (await owner.ask(both, {"id": resource})).codes == ["BAD_USER_INPUT"]
    assert await snapshot(product.database) == before
    stranger = await World.make(product)
    await product.as_(stranger.owner).query(MAKE, name="Another's")
    assert (await owner.ask(RENAME, {"id": resource})).errors == []
    assert [delivery["event"] for delivery in await deliveries(owner, "DELIVERED")] == ["resource.created"]
    assert len(there.received) == 1


async def test_a_secret_is_shown_once_and_is_in_no_log_and_no_record(
    product: Product, there: Receiver, log: io.StringIO
) -> None:
    world, owner, made = await listening(product, there.url)
    await world.prove(world.owner)
    rotated = await owner.ask(ROTATE, {"id": made["webhook"]["id"]})
    secret = rotated.data["webhookSecretRotate"]["secret"]
    await owner.query(MAKE, name="One")
    (request,) = await there.until(1)
    assert request.verified_by(secret)
    assert request.verified_by(made["secret"])
    await deliveries(owner, "DELIVERED")
    (record,) = await product.trail(rotated)
    assert (record["action"], record["targets"]) == ("webhook.secret_rotate", [made["webhook"]["id"]])
    records = await product.database.seen_by_owner("SELECT to_jsonb(r)::text, r.body FROM audit_record r")
    written = log.getvalue() + "".join(row[0] + row[1].decode() for row in records)
    for shown in (secret, made["secret"]):
        assert shown.startswith("whsec_")
        assert shown.removeprefix("whsec_")[:20] not in written


async def test_what_was_given_up_is_replayed_by_the_wire(product: Product, there: Receiver) -> None:
    _, owner, made = await listening(product, there.url)
    there.statuses += [410]
    await owner.query(MAKE, name="One")
    (dead,) = await deliveries(owner, "DEAD")
    assert (dead["lastStatus"], dead["nextAttemptAt"]) == (410, None)
    (webhook,) = (await owner.query(LIST))["tenant"]["webhooks"]["nodes"]
    assert webhook["enabled"] is False
    enabled = await owner.query(UPDATE, input={"webhookId": made["webhook"]["id"], "enabled": True})
    assert enabled["webhookUpdate"]["webhook"]["enabled"] is True
    replayed = await owner.ask(REPLAY, {"id": dead["id"]})
    delivery = replayed.data["webhookReplay"]["delivery"]
    assert (delivery["id"], delivery["state"], delivery["attempts"]) == (dead["id"], "PENDING", 0)
    first, second = await there.until(2)
    assert first.message_id == second.message_id == delivery["messageId"]
    await deliveries(owner, "DELIVERED")
    (record,) = await product.trail(replayed)
    assert (record["action"], record["targets"]) == ("webhook.replay", [dead["id"]])


async def test_a_webhook_is_changed_and_deleted(product: Product, there: Receiver) -> None:
    _, owner, made = await listening(product, there.url)
    node = made["webhook"]["id"]
    given = {"url": f"{there.url}/new", "description": "New", "events": ["member.removed"]}
    changed = (await owner.query(UPDATE, input={"webhookId": node, **given}))["webhookUpdate"]["webhook"]
    assert changed == {"id": node, "enabled": True, **given}
    same = (await owner.query(UPDATE, input={"webhookId": node, "url": None}))["webhookUpdate"]["webhook"]
    assert same == changed
    gone = await owner.ask(DELETE, {"id": node})
    assert gone.data["webhookDelete"]["webhookId"] == node
    assert (await owner.query(LIST))["tenant"]["webhooks"]["nodes"] == []
    (record,) = await product.trail(gone)
    assert (record["action"], record["targets"]) == ("webhook.delete", [node])


@pytest.mark.parametrize("url", ["http://192.0.2.1/hook", "ftp://127.0.0.1", "https://a@b.example/", "hook"])
async def test_a_url_that_nothing_is_sent_to_is_refused(product: Product, there: Receiver, url: str) -> None:
    _, owner, made = await listening(product, there.url)
    before = await snapshot(product.database)
    created = (await owner.query(CREATE, input={"url": url}))["webhookCreate"]
    assert created == {"__typename": "WebhookUrlNotUsable", "code": "WEBHOOK_URL_NOT_USABLE"}
    updated = await owner.query(UPDATE, input={"webhookId": made["webhook"]["id"], "url": url})
    assert updated["webhookUpdate"]["code"] == "WEBHOOK_URL_NOT_USABLE"
    assert await snapshot(product.database) == before


async def test_nothing_inside_is_taken_where_it_is_not_allowed(product: Product, tmp_path: Path) -> None:
    async with running_product(product.database, tmp_path, allow_private_issuers=False) as strict:
        world = await World.make(strict)
        await world.prove(world.owner)
        owner = strict.as_(world.owner)
        for url in ("http://127.0.0.1:9/", "https://127.0.0.1/", "https://169.254.169.254/latest"):
            made = (await owner.query(CREATE, input={"url": url}))["webhookCreate"]
            assert made["__typename"] == "WebhookUrlNotUsable"
    count = "SELECT count(*) FROM webhook_endpoint WHERE tenant_id = $1"
    assert await product.database.value(count, world.tenant.id) == 0


async def test_there_are_twenty_at_most(product: Product, there: Receiver) -> None:
    world, owner, _ = await listening(product, there.url)
    for _ in range(19):
        await make_webhook(product.database, world.owner, product.sealing)
    before = await snapshot(product.database)
    refused = (await owner.query(CREATE, input={"url": there.url}))["webhookCreate"]
    assert refused == {"__typename": "TooManyWebhooks", "code": "TOO_MANY_WEBHOOKS", "most": 20}
    assert await snapshot(product.database) == before
