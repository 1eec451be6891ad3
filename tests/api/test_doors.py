"""Every way in leads through the same door: POST, GET and in the process; and what it tells of itself."""

from typing import Any, cast

import httpx
import pytest
from strawberry.types.graphql import OperationType

from tenantry.api.operations import Caller
from tenantry.api.schema import TenantrySchema
from tenantry.web.requests import new_request_id
from tests.support.api import Product, Reply
from tests.support.factories import authority_of, make_member
from tests.support.world import World

RENAME = 'mutation { tenantUpdate(input: {name: "New"}) { tenant { name } } }'


def graph(product: Product) -> TenantrySchema:
    """The schema behind the wire."""
    endpoint = cast("Any", product.wire).graphql
    return endpoint._graph


async def get(product: Product, token: str | None, document: str) -> Reply:
    """One operation by GET."""
    headers = {"Accept": "application/graphql-response+json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    answer = await product.http.get("/graphql", params={"query": document}, headers=headers)
    return Reply(answer.status_code, answer.headers, answer.text)


async def test_get_reads_and_never_writes(product: Product) -> None:
    world = await World.make(product)
    token = product.as_(world.owner).token
    reply = await get(product, token, "{ tenant { slug } }")
    assert reply.data["tenant"]["slug"] == world.tenant.slug
    (record,) = await product.trail(reply)
    assert (record["method"], record["outcome"]) == ("GET", "OK")
    refused = await get(product, token, RENAME)
    assert refused.status == 405
    assert [each["outcome"] for each in await product.trail(refused)] == ["REFUSED"]
    name = await product.database.value("SELECT name FROM tenant WHERE id = $1", world.tenant.id)
    assert name == world.tenant.name


@pytest.mark.requirement("J-05", "J-08")
async def test_callers_in_the_process_pass_the_same_door(product: Product) -> None:
    schema = graph(product)
    caller = Caller(request_id=new_request_id())
    result = await schema.execute("{ serverInfo { version } }", context_value=caller)
    assert result.errors is None
    assert result.data is not None
    refused = await schema.execute(
        "mutation Out { logout { success } }",
        context_value=(second := Caller(request_id=new_request_id())),
        allowed_operation_types=[OperationType.QUERY],
    )
    assert refused.errors is not None
    assert refused.errors[0].extensions == {"code": "BAD_USER_INPUT"}
    codes = [
        await product.database.value(
            "SELECT outcome FROM audit_record WHERE request_id = $1", each.request_id
        )
        for each in (caller, second)
    ]
    assert codes == ["OK", "REFUSED"]
    with pytest.raises(TypeError):
        await schema.execute("{ serverInfo { version } }")
    with pytest.raises(TypeError):
        await schema.subscribe("subscription { authority { version } }", context_value=caller)


@pytest.mark.requirement("003-30", "004-01")
async def test_can_answers_as_the_field_would(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    manager = await world.enter("manager")
    await world.fill("<powerless member> <powerless role> <tenant>")
    can = """query($p: Permission!, $on: ID) { viewer { can(permission: $p, on: $on) { allowed reason } } }"""

    async def asked(permission: str, on: str | None = None) -> tuple[bool, str | None]:
        decision = (await manager.query(can, p=permission, on=on))["viewer"]["can"]
        return decision["allowed"], decision["reason"]

    assert await asked("member:read") == (True, None)
    assert await asked("member:invite") == (False, "FORBIDDEN")
    for node_id in (world.made["powerless member"], world.made["powerless role"], world.tenant.node_id):
        assert await asked("member:read", node_id) == (True, None)
        assert await asked("member:invite", node_id) == (False, "FORBIDDEN")
    for node_id in (other.owner.member, other.owner.user, "garbage"):
        assert await asked("member:read", node_id) == (False, "NOT_FOUND")
    reply = await manager.ask(can, {"p": "no permission"})
    assert reply.codes == ["BAD_USER_INPUT"]


@pytest.mark.requirement("001-32")
async def test_node_finds_each_kind_of_object_by_an_id_that_says_nothing(product: Product) -> None:
    world = await World.make(product)
    owner = await world.enter("owner")
    await world.fill("<powerless member> <powerless role> <invitation> <tenant> <own session>")
    await owner.query("{ viewer { scope } }")
    events = await owner.query("{ tenant { auditEvents(first: 1) { nodes { id } } } }")
    ids = {
        "Member": world.made["powerless member"],
        "Role": world.made["powerless role"],
        "Invitation": world.made["invitation"],
        "Tenant": world.made["tenant"],
        "Session": world.made["own session"],
        "AuditEvent": events["tenant"]["auditEvents"]["nodes"][0]["id"],
    }
    for kind, node_id in ids.items():
        data = await owner.query("query($id: ID!) { node(id: $id) { __typename id } }", id=node_id)
        assert data["node"] == {"__typename": kind, "id": node_id}
        assert str(world.tenant.id) not in node_id


async def test_another_member_s_session_is_nobody_s_business(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    (row,) = await product.database.seen_by_owner(
        "SELECT node_id FROM session WHERE id = $1", world.owner.session_id
    )
    reply = await admin.ask("query($id: ID!) { node(id: $id) { id } }", {"id": row["node_id"]})
    assert (reply.body["data"], reply.codes) == ({"node": None}, ["NOT_FOUND"])


@pytest.mark.requirement("001-30", "003-32")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE session SET revoked = true WHERE id = $1", "REVOKED"),
        ("UPDATE session SET expires_at = now() - interval '1 s' WHERE id = $1", "EXPIRED"),
        ("DELETE FROM session WHERE id = $1", "UNKNOWN_SESSION"),
        (
            "UPDATE member m SET version = version + 1 FROM session s WHERE s.member_id = m.id AND s.id = $1",
            "AUTHORITY_CHANGED",
        ),
    ],
)
@pytest.mark.parametrize(
    "document", ["{ tenant { name } }", RENAME, '{ viewer { can(permission: "a:b") { allowed } } }']
)
async def test_what_another_worker_has_ended_ends_here(
    product: Product, change: str, reason: str, document: str
) -> None:
    world = await World.make(product)
    speaker = product.as_(world.owner)
    assert (await speaker.ask(document)).status == 200
    await product.database.seen_by_owner(change, world.owner.session_id)
    product.clock.forward(2)
    reply = await speaker.ask(document)
    assert reply.codes == ["UNAUTHENTICATED"]
    again = await speaker.ask(document)
    assert (again.status, again.errors[0]["extensions"]["reason"]) == (401, reason)


async def test_a_crossing_ends_with_the_session_that_made_it(product: Product) -> None:
    world = await World.make(product)
    staff = await world.enter("platform")
    look = "query($t: ID!) { system { tenant(id: $t) { name } } }"
    assert (await staff.ask(look, {"t": world.tenant.node_id})).status == 200
    assert world.caller is not None
    await product.database.seen_by_owner(
        "UPDATE session SET revoked = true WHERE id = $1", world.caller.session_id
    )
    assert (await staff.ask(look, {"t": world.tenant.node_id})).status == 401


async def test_the_authority_s_version_tells_a_client_that_its_rights_have_changed(product: Product) -> None:
    world = await World.make(product)
    member = await make_member(product.database, world.tenant, "agent")
    speaker = await product.as_member(member)
    before = (await speaker.ask("{ viewer { authority { tenantId version } } }")).body
    assert before["data"]["viewer"]["authority"] == before["extensions"]["authority"]
    await product.as_(world.owner).query(
        "mutation($m: ID!) { memberSuspend(input: {memberId: $m}) { __typename } }", m=member.node_id
    )
    changed = await product.database.value("SELECT version FROM member WHERE id = $1", member.id)
    assert before["extensions"]["authority"]["version"].endswith(f".{int(str(changed)) - 1}")
    assert (await authority_of(product.database, world.owner.session_id)).version


async def test_members_run_in_the_order_asked_for(product: Product) -> None:
    world = await World.make(product)
    for name in ("Beth", "Adam"):
        await make_member(product.database, world.tenant, "agent", name=name)
    ask = (
        """query($order: MemberOrder) { tenant { members(first: 5, orderBy: $order) { nodes { name } } } }"""
    )

    async def names(field: str, direction: str) -> list[str | None]:
        order = {"field": field, "direction": direction}
        data = await product.as_(world.owner).query(ask, order=order)
        return [each["name"] for each in data["tenant"]["members"]["nodes"]]

    assert await names("NAME", "ASC") == [None, "Adam", "Beth"]
    assert await names("NAME", "DESC") == ["Beth", "Adam", None]
    assert await names("JOINED_AT", "ASC") == [None, "Beth", "Adam"]
    assert len(await names("EMAIL", "DESC")) == 3


async def test_a_blueprint_describes_itself(product: Product) -> None:
    world = await World.make(product)
    data = await (await world.enter("agent")).query(
        """{ tenant { blueprint { key resourceTypes permissions { name group covers }
            roles { key name scope permissions } } } }"""
    )
    blueprint = data["tenant"]["blueprint"]
    assert blueprint["resourceTypes"] == ["call", "recording", "ticket", "extension"]
    assert len(blueprint["permissions"]) == 30
    covers = {each["name"]: each["covers"] for each in blueprint["permissions"]}
    assert covers["user:read"] == ["member:read", "team:read"]


@pytest.mark.parametrize("given", ["2026-01-01T00:00:00", "yesterday", "", 5])
async def test_a_time_needs_an_offset(product: Product, given: object) -> None:
    world = await World.make(product)
    ask = """query($at: DateTime) { tenant { auditEvents(first: 1, filter: {since: $at}) { totalCount } } }"""
    reply = await product.as_(world.owner).ask(ask, {"at": given})
    assert (reply.status, reply.codes) == (400, ["BAD_USER_INPUT"])


async def test_answers_of_the_graph_are_never_kept(product: Product) -> None:
    answer: httpx.Response = await product.http.post("/graphql", json={"query": "{ serverInfo { version } }"})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"]
