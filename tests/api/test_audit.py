"""The trail of what came through the wire: a record for each root field, and nothing personal in it."""

import io
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

import pytest
import pytest_asyncio

from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tests.support.api import Product, Reply, running_product
from tests.support.database import DatabaseServer
from tests.support.factories import make_member
from tests.support.refusals import snapshot
from tests.support.world import World

EVENTS = """query Trail($filter: AuditFilter, $first: Int = 50, $after: String) { tenant {
  auditEvents(first: $first, after: $after, filter: $filter) { totalCount
    pageInfo { hasNextPage endCursor }
    nodes { id at action operationType operationName rootField method path outcome code ip userAgent tenantId
      requestId actor { kind id label role } } } } }"""


@pytest_asyncio.fixture
async def unrecordable(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Product]:
    """A product of its own, whose trail a test may take away."""
    database = await database_server.create()
    async with running_product(database, tmp_path_factory.mktemp("product")) as made:
        yield made
    await database_server.drop(database)


async def one(product: Product, reply: Reply) -> dict[str, Any]:
    """The only record of a request."""
    (record,) = await product.trail(reply)
    return record


@pytest.mark.requirement("000-22", "000-23", "000-24", "000-25", "000-26", "000-27", "000-28", "J-05")
async def test_a_record_says_who_did_what_where_when_from_where_and_how_it_ended(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await make_member(product.database, world.tenant, "agent")
    document = 'mutation Rename($m: ID!) { memberUpdate(input: {memberId: $m, name: "Gina"}) { __typename } }'
    record = await one(product, reply := await admin.ask(document, {"m": agent.node_id}))
    assert reply.status == 200
    assert world.caller is not None
    said = {
        "actor_kind": "USER",
        "actor_id": world.caller.user,
        "actor_role": "admin",
        "actor_tenant": world.tenant.node_id,
        "tenant": world.tenant.node_id,
        "tenant_id": world.tenant.id,
        "action": "member.update",
        "operation_type": "mutation",
        "operation_name": "Rename",
        "root_field": "memberUpdate",
        "targets": [agent.node_id],
        "method": "POST",
        "path": "/graphql",
        "outcome": "OK",
        "code": None,
        "ip": "127.0.0.1",
        "request_id": reply.request_id,
        "at": product.clock.now,
    }
    assert {key: record[key] for key in said} == said
    assert record["user_agent"].startswith("python-httpx")
    body = json.loads(record["body"])
    assert not {"ip", "user_agent", "actor_label"} & set(body)
    assert body["at"].endswith("Z")


@pytest.mark.requirement("J-05", "000-28")
async def test_each_root_field_has_a_record_of_its_own(product: Product) -> None:
    world = await World.make(product)
    agent = await world.enter("agent")
    reply = await agent.ask(
        "{ serverInfo { version } viewer { scope } tenant { roles(first: 1) { nodes { memberCount } } }"
        ' node(id: "M_nobody") { __typename } __schema { queryType { name } } }'
    )
    records = {record["root_field"]: record for record in await product.trail(reply)}
    assert {name: (record["outcome"], record["code"]) for name, record in records.items()} == {
        "serverInfo": ("OK", None),
        "viewer": ("OK", None),
        "tenant": ("PARTIAL", "FORBIDDEN"),
        "node": ("REFUSED", "NOT_FOUND"),
        "__schema": ("OK", None),
    }
    assert records["__schema"]["action"] == "read.introspection"
    assert {record["operation_type"] for record in records.values()} == {"query"}
    assert len({record["xid"] for record in records.values()}) == 1


async def test_the_anonymous_stand_in_the_platforms_trail(product: Product) -> None:
    reply = await product.anonymous.ask("{ serverInfo { version } }")
    record = await one(product, reply)
    assert (record["actor_kind"], record["actor_id"], record["outcome"]) == ("ANONYMOUS", None, "OK")
    assert record["tenant_id"] == PLATFORM_TENANT_KEY
    assert record["tenant"] is None


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        ("{ nope }", 400, "BAD_USER_INPUT"),
        ("{", 400, "BAD_USER_INPUT"),
        ("{ " + "serverInfo { version } " * 200 + "}", 400, "QUERY_TOO_COMPLEX"),
        ("query A { serverInfo { version } } query B { serverInfo { version } }", 400, "BAD_USER_INPUT"),
    ],
)
async def test_what_reaches_no_field_is_recorded_too(
    product: Product, document: str, status: int, code: str
) -> None:
    reply = await product.anonymous.ask(document)
    assert (reply.status, set(reply.codes)) == (status, {code})
    record = await one(product, reply)
    assert (record["action"], record["outcome"], record["code"]) == ("operation.refused", "REFUSED", code)
    assert record["root_field"] is None


async def test_a_token_that_does_not_hold_is_recorded(product: Product) -> None:
    reply = await product.with_token("x.y.z").ask("{ viewer { scope } }")
    assert reply.status == 401
    record = await one(product, reply)
    assert (record["action"], record["code"]) == ("operation.refused", "UNAUTHENTICATED")
    world = await World.make(product)
    speaker = await world.enter("agent")
    await speaker.query("mutation { logout { success } }")
    ended = await one(product, await speaker.ask("{ viewer { scope } }"))
    assert world.caller is not None
    assert (ended["actor_id"], ended["actor_role"], ended["code"]) == (
        world.caller.user,
        "agent",
        "UNAUTHENTICATED",
    )


@pytest.mark.requirement("001-32")
async def test_no_variable_no_token_and_no_address_is_anywhere(product: Product, log: io.StringIO) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    secret, email = f"secret{token_hex(8)}", f"planted{token_hex(6)}@people.example"
    await world.fill("<powerless role>")
    role = world.made["powerless role"]
    (counted,) = await product.database.seen_by_owner("SELECT count(*) FROM audit_record")
    earlier = counted["count"]
    invite = """mutation($e: String!, $r: ID!, $n: String) { invitationsCreate(input: {invitations: [
        {email: $e, roleIds: [$r], name: $n}]}) { results { ... on InvitationCreated { link } } } }"""
    made = await admin.query(invite, e=email, r=role, n=secret)
    link = made["invitationsCreate"]["results"][0]["link"].rsplit("#", 1)[1]
    id_token = product.issuer.id_token(email)
    accept = """mutation($input: InvitationAcceptInput!) { invitationAccept(input: $input) { __typename
        ... on LoginSuccess { accessToken } } }"""
    door = {"oidc": {"idToken": id_token, "issuer": product.issuer.provider.issuer}}
    accepted = await product.anonymous.query(accept, input={"token": link, "login": door})
    token = accepted["invitationAccept"]["accessToken"]
    await product.with_token(token).ask("{ viewer { user { email } } }")
    await product.with_token(token[:-4] + "AAAA").ask("{ viewer { user { email } } }")
    await product.anonymous.ask(accept, {"input": {"token": f"{link}x", "login": door}})
    for inline in ('first: 5, filter: {search: "planted"}', 'first: "planted"'):
        text = inline.replace("planted", secret)
        await admin.ask("{ tenant { members(" + text + ") { totalCount } } }")
    rows = await product.database.seen_by_owner(
        "SELECT convert_from(body, 'UTF8') AS body, (to_jsonb(a) - 'actor_label' - 'body')::text AS rest"
        " FROM audit_record a ORDER BY seq"
    )
    actions = Counter(json.loads(row["body"])["action"] for row in rows[earlier:])
    assert actions == {
        "invitation.create": 1,
        "invitation.accept": 2,
        "operation.refused": 2,
        "read.tenant": 1,
        "read.viewer": 1,
    }
    written = log.getvalue() + "".join(row["body"] + row["rest"] for row in rows)
    for planted in (secret, email, link, id_token, token, token.rsplit(".", 1)[1]):
        assert planted not in written


@pytest.mark.parametrize(
    "document", ['mutation { tenantUpdate(input: {name: "New"}) { __typename } }', "{ tenant { name } }"]
)
async def test_what_cannot_be_recorded_is_not_done_and_not_served(
    unrecordable: Product, document: str
) -> None:
    product = unrecordable
    world = await World.make(product)
    owner = product.as_(world.owner)
    assert (await owner.ask(document)).status == 200
    await product.database.seen_by_owner("UPDATE tenant SET name = 'Before' WHERE id = $1", world.tenant.id)
    before = await snapshot(product.database)
    await product.database.seen_by_owner("REVOKE INSERT ON audit_record FROM tenantry_app")
    reply = await owner.ask(document)
    assert (reply.status, reply.codes) == (503, ["UNAVAILABLE"])
    assert not reply.body.get("data")
    assert "Before" not in reply.text
    assert int(reply.headers["retry-after"]) > 0
    assert await product.trail(reply) == []
    assert await snapshot(product.database) == before
    await product.database.seen_by_owner("GRANT INSERT ON audit_record TO tenantry_app")
    assert (await owner.ask(document)).status == 200


async def test_the_platform_looking_in_stands_in_both_trails(product: Product) -> None:
    world = await World.make(product)
    staff = await world.enter("platform")
    look = "query Look($t: ID!) { system { tenant(id: $t) { members(first: 3) { totalCount } } } }"
    records = await product.trail(await staff.ask(look, {"t": world.tenant.node_id}))
    places = {(record["tenant_id"], record["action"]) for record in records}
    assert {place[0] for place in places} == {world.tenant.id, PLATFORM_TENANT_KEY}
    assert (world.tenant.id, "read.crossing") in places
    assert world.caller is not None
    seen = await product.as_(world.owner).query(EVENTS, filter={"action": "read.crossing"})
    (event,) = seen["tenant"]["auditEvents"]["nodes"]
    assert event["actor"]["role"] == "super_admin"
    assert event["actor"]["id"] == world.caller.user


@pytest.mark.requirement("003-19", "003-35")
async def test_the_trail_is_listed_filtered_and_paged(product: Product) -> None:
    world = await World.make(product)
    manager = await world.enter("manager")
    agent = await world.powerless_member()
    owner = product.as_(world.owner)
    await owner.query('mutation Rename { tenantUpdate(input: {name: "Renamed"}) { __typename } }')
    theirs = await product.as_member(agent)
    await theirs.ask("query Peek { tenant { members(first: 1) { totalCount } } }")

    async def actions(**filter_: object) -> list[str]:
        data = await manager.query(EVENTS, filter=filter_)
        return [event["action"] for event in data["tenant"]["auditEvents"]["nodes"]]

    everything = (await manager.query(EVENTS))["tenant"]["auditEvents"]
    first = everything["nodes"][-1]
    assert first["action"] == "tenant.update"
    assert first["actor"]["kind"] == "USER"
    assert (first["actor"]["id"], first["tenantId"]) == (world.owner.user, world.tenant.node_id)
    assert (first["method"], first["path"], first["ip"]) == ("POST", "/graphql", "127.0.0.1")
    assert await actions(action="tenant.update") == ["tenant.update"]
    assert await actions(operationName="Rename") == ["tenant.update"]
    assert await actions(outcome="REFUSED") == ["read.tenant"]
    assert await actions(actorId=world.owner.user) == ["tenant.update"]
    future = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert await actions(since=future) == []
    assert "tenant.update" in await actions(until=future)
    page = (await manager.query(EVENTS, first=2))["tenant"]["auditEvents"]
    assert len(page["nodes"]) == 2
    assert page["pageInfo"]["hasNextPage"] is True
    following = (await manager.query(EVENTS, first=1, after=page["pageInfo"]["endCursor"]))["tenant"]
    assert following["auditEvents"]["nodes"][0]["id"] not in {each["id"] for each in page["nodes"]}


async def test_one_tenants_trail_is_not_anothers(product: Product) -> None:
    first, second = await World.make(product), await World.make(product)
    await product.as_(second.owner).query('mutation { tenantUpdate(input: {name: "X"}) { __typename } }')
    seen = await product.as_(first.owner).query(EVENTS)
    tenants = {event["tenantId"] for event in seen["tenant"]["auditEvents"]["nodes"]}
    assert tenants <= {first.tenant.node_id}
