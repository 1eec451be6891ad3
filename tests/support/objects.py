"""Objects of a product, made, listed and acted on over the wire, as a client of it does."""

from typing import Any

from tenantry.kernel.principal import Authority
from tests.support.api import Speaker
from tests.support.factories import signed_in
from tests.support.world import World

CREATE = """mutation Make($input: ResourceCreateInput!) { resourceCreate(input: $input) {
  resource { id type name state attributes viewerCan { update delete }
    actions { name permission allowed } } } }"""
UPDATE = """mutation Change($input: ResourceUpdateInput!) { resourceUpdate(input: $input) {
  resource { id name state attributes } } }"""
DELETE = "mutation Delete($id: ID!) { resourceDelete(input: {resourceId: $id}) { resourceId } }"
ACT = """mutation Act($id: ID!, $action: String!) {
  resourceAct(input: {resourceId: $id, action: $action}) { action resource { id } } }"""
LIST = """query List($type: String!) { tenant { resources(type: $type, first: 50) {
  totalCount nodes { id name } } } }"""
ONE = "query One($id: ID!) { tenant { resource(id: $id) { id name } } }"


async def make(speaker: Speaker, type_: str, name: str = "One", **attributes: Any) -> str:
    """Node id of a new object."""
    given = {"type": type_, "name": name, "attributes": attributes}
    reply = await speaker.ask(CREATE, {"input": given})
    if reply.errors:
        raise AssertionError(reply.errors)
    return reply.data["resourceCreate"]["resource"]["id"]


async def names(speaker: Speaker, type_: str) -> list[str]:
    """Names of the objects of a type that a caller sees, in order of name."""
    found = (await speaker.query(LIST, type=type_))["tenant"]["resources"]
    if found["totalCount"] != len(found["nodes"]):
        raise AssertionError(found)
    return sorted(node["name"] for node in found["nodes"])


async def under(world: World, role: str, *grants: str) -> Authority:
    """A member with this role, which holds ``permission when condition`` besides."""
    await world.product.database.seen_by_owner(
        "UPDATE role SET conditional = $3 WHERE tenant_id = $1 AND key = $2",
        world.tenant.id,
        role,
        list(grants),
    )
    return await signed_in(world.product.database, world.tenant, role)
