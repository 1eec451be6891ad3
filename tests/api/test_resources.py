"""The product's own objects: who sees, makes, changes and acts on them; what is out of reach is not there."""

from typing import Any

import pytest

from tests.support.api import Product
from tests.support.factories import make_api_key, make_tenant, signed_in
from tests.support.objects import ACT, CREATE, DELETE, LIST, ONE, UPDATE, make, names, under
from tests.support.refusals import snapshot
from tests.support.world import World

NODE = "query Node($id: ID!) { node(id: $id) { id ... on Resource { name } } }"


@pytest.mark.requirement("003-09", "003-10", "000-21", "003-05")
async def test_an_agent_sees_their_own_calls_and_a_manager_all(product: Product) -> None:
    world = await World.make(product)
    gina, gus, manager = [await world.enter(role) for role in ("agent", "agent", "manager")]
    mine = await make(gina, "call", "Gina's", direction="in")
    await make(gus, "call", "Gus's")
    assert await names(gina, "call") == ["Gina's"]
    assert await names(gus, "call") == ["Gus's"]
    assert await names(manager, "call") == ["Gina's", "Gus's"]
    assert (await gina.query(ONE, id=mine))["tenant"]["resource"]["name"] == "Gina's"
    for query in (ONE, NODE):
        assert (await gus.ask(query, {"id": mine})).codes == ["NOT_FOUND"]
        assert (await manager.ask(query, {"id": mine})).errors == []


async def test_what_was_made_is_answered_with_what_the_caller_may_do_with_it(product: Product) -> None:
    world = await World.make(product)
    agent = await world.enter("agent")
    made = (
        await agent.query(
            CREATE, input={"type": "ticket", "name": " Broken ", "attributes": {"subject": "x"}}
        )
    )["resourceCreate"]["resource"]
    assert (made["type"], made["name"], made["state"]) == ("ticket", "Broken", "open")
    assert made["attributes"] == {"subject": "x"}
    assert made["viewerCan"] == {"update": True, "delete": False}
    assert made["actions"] == [{"name": "archive", "permission": "ticket:archive", "allowed": False}]


@pytest.mark.requirement("003-11", "003-12", "003-13", "003-17")
async def test_who_may_not_is_refused_by_name_and_nothing_happens(product: Product) -> None:
    world = await World.make(product)
    agent, admin = await world.enter("agent"), await world.enter("admin")
    ticket = await make(agent, "ticket")
    before = await snapshot(product.database)
    for document, variables, permission in (
        (DELETE, {"id": ticket}, "ticket:delete"),
        (ACT, {"id": ticket, "action": "archive"}, "ticket:archive"),
        (LIST, {"type": "recording"}, "recording:listen"),
        (CREATE, {"input": {"type": "extension", "name": "12"}}, "extension:manage"),
    ):
        reply = await agent.ask(document, variables)
        assert reply.codes == ["FORBIDDEN"]
        assert reply.errors[0]["extensions"]["permission"] == permission
        assert [record["outcome"] for record in await product.trail(reply)] == ["REFUSED"]
    assert await snapshot(product.database) == before
    assert (await admin.query(ACT, id=ticket, action="archive"))["resourceAct"]["action"] == "archive"
    assert (await admin.query(DELETE, id=ticket))["resourceDelete"]["resourceId"] == ticket
    assert (await admin.ask(DELETE, {"id": ticket})).codes == ["NOT_FOUND"]


async def test_what_the_blueprint_opens_to_nobody_is_closed_to_all(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    call = await make(owner, "call")
    assert (await owner.ask(UPDATE, {"input": {"resourceId": call, "name": "x"}})).codes == ["FORBIDDEN"]
    assert (await owner.ask(CREATE, {"input": {"type": "recording", "name": "x"}})).codes == ["FORBIDDEN"]


@pytest.mark.requirement("000-12", "002-19")
async def test_what_belongs_to_another_tenant_is_not_there(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    theirs = await make(product.as_(other.owner), "ticket", "Theirs")
    owner = product.as_(world.owner)
    random = "O_" + "x" * 22
    for document, more in ((ONE, {}), (NODE, {}), (DELETE, {}), (ACT, {"action": "archive"})):
        foreign, nobody = [await owner.ask(document, {"id": each, **more}) for each in (theirs, random)]
        assert foreign.codes == nobody.codes == ["NOT_FOUND"]
        assert foreign.body["errors"] == nobody.body["errors"]
    changed = {"input": {"resourceId": theirs, "name": "Mine"}}
    assert (await owner.ask(UPDATE, changed)).codes == ["NOT_FOUND"]
    assert await names(owner, "ticket") == []
    assert await names(product.as_(other.owner), "ticket") == ["Theirs"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"type": "nothing", "name": "x"}, "type"),
        ({"type": "call", "name": ""}, "name"),
        ({"type": "call", "name": "x", "attributes": {"direction": "up"}}, "attributes.direction"),
        ({"type": "call", "name": "x", "attributes": {"seconds": "9"}}, "attributes.seconds"),
        ({"type": "call", "name": "x", "attributes": [1]}, "attributes"),
        ({"type": "call", "name": "x", "attributes": {"more": "x" * 17_000}}, "attributes"),
        ({"type": "call", "name": "x", "attributes": {"more": ["a\\\0"]}}, "attributes"),
        ({"type": "call", "name": "x", "attributes": {"\0": 1}}, "attributes"),
    ],
)
async def test_bad_input_is_refused_by_field(product: Product, given: dict[str, Any], field: str) -> None:
    world = await World.make(product)
    before = await snapshot(product.database)
    reply = await product.as_(world.owner).ask(CREATE, {"input": given})
    assert reply.codes == ["BAD_USER_INPUT"]
    assert list(reply.errors[0]["extensions"]["fields"]) == [field]
    assert await snapshot(product.database) == before


@pytest.mark.parametrize("more", ["1e400", "-1e400", "123456789012345678901", "[{a: 1e400}]"])
async def test_numbers_that_would_not_be_kept_as_they_are_are_refused(product: Product, more: str) -> None:
    world = await World.make(product)
    document = """mutation { resourceCreate(input: {type: "call", name: "x", attributes: {more: MORE}}) {
      resource { id } } }"""
    reply = await product.as_(world.owner).ask(document.replace("MORE", more))
    assert reply.codes == ["BAD_USER_INPUT"]
    assert list(reply.errors[0]["extensions"]["fields"]) == ["attributes"]
    assert await names(product.as_(world.owner), "call") == []


async def test_what_only_looks_like_a_nul_is_kept(product: Product) -> None:
    world = await World.make(product)
    given = {"more": "\\u0000", "far": 1e308, "tenth": 0.1, "large": 2**63}
    made = await product.as_(world.owner).query(
        CREATE, input={"type": "call", "name": "x", "attributes": given}
    )
    assert made["resourceCreate"]["resource"]["attributes"] == given


async def test_a_change_replaces_and_is_bound_to_the_types_states(product: Product) -> None:
    world = await World.make(product)
    agent = await world.enter("agent")
    ticket = await make(agent, "ticket", subject="old")
    changed = await agent.query(
        UPDATE,
        input={"resourceId": ticket, "name": "New", "state": "closed", "attributes": {"subject": "new"}},
    )
    assert changed["resourceUpdate"]["resource"] == {
        "id": ticket,
        "name": "New",
        "state": "closed",
        "attributes": {"subject": "new"},
    }
    for given, field in (({"state": "lost"}, "state"), ({"name": None}, "name"), ({"state": None}, "state")):
        reply = await agent.ask(UPDATE, {"input": {"resourceId": ticket, **given}})
        assert (reply.codes, list(reply.errors[0]["extensions"]["fields"])) == (["BAD_USER_INPUT"], [field])
    reply = await agent.ask(UPDATE, {"input": {"resourceId": ticket, "ownerId": "M_" + "x" * 22}})
    assert reply.codes == ["NOT_FOUND"]
    reply = await agent.ask(ACT, {"id": ticket, "action": "explode"})
    assert (reply.codes, list(reply.errors[0]["extensions"]["fields"])) == (["BAD_USER_INPUT"], ["action"])


@pytest.mark.requirement("004-21")
async def test_a_condition_filters_lists_and_decides_writes(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    short = await make(owner, "call", "Short", seconds=30)
    long = await make(owner, "call", "Long", seconds=300)
    await make(owner, "call", "Unknown")
    when = "resource.attributes.seconds <= 60"
    agent = product.as_(await under(world, "agent", f"call:read when {when}", f"call:monitor when {when}"))
    mine = await make(agent, "call", "Mine", seconds=600)
    assert await names(agent, "call") == ["Mine", "Short"]
    assert (await agent.query(ACT, id=short, action="monitor"))["resourceAct"]["resource"] == {"id": short}
    before = await snapshot(product.database)
    for each in (long, mine):
        assert (await agent.ask(ACT, {"id": each, "action": "monitor"})).codes == ["FORBIDDEN"]
    assert await snapshot(product.database) == before


@pytest.mark.requirement("004-21")
async def test_a_condition_may_look_at_the_request_and_the_tenant(product: Product) -> None:
    world = await World.make(product)
    await make(product.as_(world.owner), "call", "Theirs")
    hour = product.clock().hour
    agent = product.as_(await under(world, "agent", f"call:read when environment.hour == {hour}"))
    assert await names(agent, "call") == ["Theirs"]
    late = product.as_(await under(world, "agent", f"call:read when environment.hour != {hour}"))
    assert await names(late, "call") == []
    await under(world, "agent", "call:read when environment.ip in ['10.0.0.0/8'] or tenant.slug == 'nobody'")
    elsewhere = product.as_(await signed_in(product.database, world.tenant, "agent"))
    assert await names(elsewhere, "call") == []
    await under(
        world, "agent", f"call:read when tenant.slug == '{world.tenant.slug}' and 'agent' in subject.roles"
    )
    here = product.as_(await signed_in(product.database, world.tenant, "agent"))
    assert await names(here, "call") == ["Theirs"]


async def test_nobody_moves_an_object_out_of_the_condition_under_which_they_change_it(
    product: Product,
) -> None:
    world = await World.make(product)
    ticket = await make(product.as_(world.owner), "ticket", "Theirs")
    role = await world.role_with("ticket:read")
    clerk = product.as_(await under(world, role, "ticket:update when resource.state == 'open'"))
    renamed = await clerk.query(UPDATE, input={"resourceId": ticket, "name": "Renamed"})
    assert renamed["resourceUpdate"]["resource"]["name"] == "Renamed"
    before = await snapshot(product.database)
    reply = await clerk.ask(UPDATE, {"input": {"resourceId": ticket, "state": "closed"}})
    assert reply.codes == ["FORBIDDEN"]
    assert await snapshot(product.database) == before


async def test_an_api_key_reaches_what_its_issuer_and_its_permissions_both_do(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    await make(owner, "ticket", "Theirs")
    await world.prove(world.owner)
    key = product.with_token((await make_api_key(product.database, world.owner, "ticket:read")).text)
    assert await names(key, "ticket") == ["Theirs"]
    assert (await key.ask(CREATE, {"input": {"type": "ticket", "name": "x"}})).codes == ["FORBIDDEN"]
    assert (await key.ask(LIST, {"type": "call"})).codes == ["FORBIDDEN"]


async def test_an_api_key_has_for_its_own_what_is_its_issuers(product: Product) -> None:
    world = await World.make(product)
    await make(product.as_(world.owner), "call", "Theirs")
    role = await world.role_with("call:originate", "call:read_own", "apikey:manage")
    issuer = await signed_in(product.database, world.tenant, role)
    await make(product.as_(issuer), "call", "Issuer's")
    await world.prove(issuer)
    made = await make_api_key(product.database, issuer, "call:read_own", "call:originate")
    key = product.with_token(made.text)
    await make(key, "call", "Key's")
    assert await names(key, "call") == ["Issuer's", "Key's"]


async def test_without_a_token_or_with_the_platforms_nothing_is_reached(product: Product) -> None:
    world = await World.make(product)
    ticket = await make(product.as_(world.owner), "ticket")
    platform, support = await world.enter("platform"), await world.enter("support")
    before = await snapshot(product.database)
    for document, variables in (
        (CREATE, {"input": {"type": "ticket", "name": "x"}}),
        (UPDATE, {"input": {"resourceId": ticket}}),
        (DELETE, {"id": ticket}),
        (ACT, {"id": ticket, "action": "archive"}),
    ):
        assert (await product.anonymous.ask(document, variables)).codes == ["UNAUTHENTICATED"]
        assert (await platform.ask(document, variables)).codes == ["SCOPE_MISMATCH"]
    assert await snapshot(product.database) == before
    crossing = """query Cross($id: ID!) { system { tenant(id: $id) {
      resources(type: "ticket", first: 5) { nodes { id } } } } }"""
    seen = await platform.query(crossing, id=world.tenant.node_id)
    assert [node["id"] for node in seen["system"]["tenant"]["resources"]["nodes"]] == [ticket]
    assert (await support.ask(crossing, {"id": world.tenant.node_id})).codes == ["FORBIDDEN"]


async def test_a_service_that_forgets_to_decide_commits_nothing(product: Product) -> None:
    tenant = await make_tenant(product.database)
    authority = await signed_in(product.database, tenant, "owner")
    before = await snapshot(product.database)

    async def forgetful() -> None:
        async with product.database.writing(authority) as work:
            work.owe()
            await work.fetch("UPDATE tenant SET name = 'Taken' WHERE id = $1", tenant.id)

    with pytest.raises(RuntimeError, match="nobody has decided"):
        await forgetful()
    assert await snapshot(product.database) == before
