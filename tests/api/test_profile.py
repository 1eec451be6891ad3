"""What people change of themselves, and what a tenant's administrators change of it."""

import pytest

from tests.support.api import Product
from tests.support.factories import make_api_key, make_member, make_tenant, sign_in
from tests.support.refusals import snapshot
from tests.support.world import World

RENAME = "mutation Rename($name: String) { profileUpdate(input: {name: $name}) { user { name email } } }"
KEEP = "mutation { profileUpdate(input: {}) { user { name } } }"
WHO = "{ viewer { user { name } } }"


@pytest.mark.requirement("004-18", "002-01")
async def test_people_rename_themselves_in_every_tenant(product: Product) -> None:
    first, second = await make_tenant(product.database), await make_tenant(product.database)
    here = await make_member(product.database, first, "agent", email="gina@names.example", name="Gina")
    there = await make_member(product.database, second, "agent", email="gina@names.example")
    one, two = [product.as_(await sign_in(product.database, member)) for member in (here, there)]
    reply = await one.ask(RENAME, {"name": " Regina "})
    assert reply.data["profileUpdate"]["user"] == {"name": "Regina", "email": "gina@names.example"}
    assert [record["action"] for record in await product.trail(reply)] == ["user.update"]
    assert (await two.query(WHO))["viewer"]["user"]["name"] == "Regina"
    assert (await two.query(KEEP))["profileUpdate"]["user"]["name"] == "Regina"
    assert (await one.query(RENAME, name=None))["profileUpdate"]["user"]["name"] is None


async def test_nobody_renames_anyone_by_a_key_or_to_nothing(product: Product) -> None:
    world = await World.make(product)
    agent = await world.enter("agent")
    key = product.with_token((await make_api_key(product.database, world.owner, "org:read")).text)
    before = await snapshot(product.database)
    assert (await agent.ask(RENAME, {"name": " "})).codes == ["BAD_USER_INPUT"]
    assert (await key.ask(RENAME, {"name": "Robot"})).codes == ["FORBIDDEN"]
    assert (await product.anonymous.ask(RENAME, {"name": "Nobody"})).codes == ["UNAUTHENTICATED"]
    assert await snapshot(product.database) == before


@pytest.mark.requirement("004-18")
async def test_an_administrator_renames_the_organisation(product: Product) -> None:
    world = await World.make(product)
    rename = """mutation Rename($id: ID!, $name: String) {
      tenantUpdate(input: {tenantId: $id, name: $name}) { tenant { name } } }"""
    admin, agent = await world.enter("admin"), await world.enter("agent")
    given = {"id": world.tenant.node_id, "name": "Acme & Daughters"}
    assert (await agent.ask(rename, given)).codes == ["FORBIDDEN"]
    assert (await admin.query(rename, **given))["tenantUpdate"]["tenant"]["name"] == "Acme & Daughters"
