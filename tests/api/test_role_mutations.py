"""A tenant's own roles through the wire."""

import pytest

from tests.support.api import Product
from tests.support.factories import make_member
from tests.support.logins import role_id
from tests.support.refusals import snapshot
from tests.support.world import World

CREATE = """mutation($input: RoleCreateInput!) { roleCreate(input: $input) { __typename
    ... on RoleCreated { role { id key name isLocked scope permissions memberCount } }
    ... on RoleNotGrantable { code roleId } } }"""
UPDATE = """mutation($input: RoleUpdateInput!) { roleUpdate(input: $input) { __typename
    ... on RoleUpdated { role { name description permissions } } ... on Problem { code message } } }"""
DELETE = """mutation($role: ID!) { roleDelete(input: {roleId: $role}) { __typename
    ... on RoleDeleted { roleId } ... on Problem { code message } } }"""


@pytest.mark.requirement("004-04", "004-12", "003-27")
async def test_a_role_is_made_given_changed_and_deleted(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    given = {"name": "Night shift", "permissions": ["ticket:read", "call:read"], "description": "At night"}
    made = (await owner.query(CREATE, input=given))["roleCreate"]["role"]
    assert (made["key"], made["isLocked"], made["memberCount"]) == ("night_shift", False, 0)
    assert sorted(made["permissions"]) == ["call:read", "ticket:read"]
    member = await make_member(product.database, world.tenant, "night_shift")
    speaker = await product.as_member(member)
    viewer = (await speaker.query("{ viewer { permissions roles { name } } }"))["viewer"]
    assert sorted(viewer["permissions"]) == ["call:read", "ticket:read"]
    assert (await owner.query(DELETE, role=made["id"]))["roleDelete"]["code"] == "ROLE_IN_USE"

    changed = {"roleId": made["id"], "name": "Late", "permissions": ["ticket:read"], "description": None}
    data = await owner.query(UPDATE, input=changed)
    assert data["roleUpdate"]["role"] == {
        "name": "Late",
        "description": None,
        "permissions": ["ticket:read"],
    }
    assert (await speaker.ask("{ viewer { scope } }")).codes == ["UNAUTHENTICATED"]
    await owner.query(
        "mutation($m: ID!) { memberRemove(input: {memberId: $m}) { __typename } }", m=member.node_id
    )
    assert (await owner.query(DELETE, role=made["id"]))["roleDelete"] == {
        "__typename": "RoleDeleted",
        "roleId": made["id"],
    }


async def test_locked_roles_stay_as_the_blueprint_made_them(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    agent = await role_id(product.database, world.tenant, "agent")
    before = await snapshot(product.database)
    data = await owner.query(UPDATE, input={"roleId": agent, "name": "Other"})
    assert (data["roleUpdate"]["__typename"], data["roleUpdate"]["code"]) == ("RoleLocked", "ROLE_LOCKED")
    assert (await owner.query(DELETE, role=agent))["roleDelete"]["__typename"] == "RoleLocked"
    assert await snapshot(product.database) == before


async def test_a_role_never_holds_more_than_its_maker(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    before = await snapshot(product.database)
    data = await admin.query(CREATE, input={"name": "Keys", "permissions": ["apikey:manage"]})
    assert data["roleCreate"]["__typename"] == "RoleNotGrantable"
    assert await snapshot(product.database) == before


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "", "permissions": []}, "name"),
        ({"name": "X", "permissions": ["no:such"]}, "permissions.0"),
        ({"name": "X", "key": "9 lives", "permissions": []}, "key"),
    ],
)
async def test_what_cannot_be_taken_is_named(product: Product, given: dict[str, object], field: str) -> None:
    world = await World.make(product)
    reply = await product.as_(world.owner).ask(CREATE, {"input": given})
    assert reply.codes == ["BAD_USER_INPUT"]
    assert list(reply.errors[0]["extensions"]["fields"]) == [field]
    assert reply.status == 200


async def test_nothing_required_can_be_taken_away(product: Product) -> None:
    world = await World.make(product)
    await world.fill("<powerless role>")
    reply = await product.as_(world.owner).ask(
        UPDATE, {"input": {"roleId": world.made["powerless role"], "name": None}}
    )
    assert reply.codes == ["BAD_USER_INPUT"]


async def test_a_key_is_taken_once(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    await owner.query(CREATE, input={"name": "Twice", "permissions": []})
    assert (await owner.ask(CREATE, {"input": {"name": "Twice", "permissions": []}})).codes == ["CONFLICT"]
