"""Changing members through the wire: what is answered, what stays refused, and who is out at once."""

from typing import Any

import pytest

from tests.support.api import Product
from tests.support.factories import make_member, sign_in
from tests.support.logins import role_id
from tests.support.refusals import snapshot
from tests.support.world import World

SET_ROLES = """mutation Roles($member: ID!, $roles: [ID!]!) {
  memberRolesSet(input: {memberId: $member, roleIds: $roles}) { __typename
    ... on MemberRolesSet { member { id isOwner roles { key permissions } } }
    ... on Problem { code message } ... on TooManyRoles { most } ... on RoleNotGrantable { roleId } } }"""
SUSPEND = """mutation($member: ID!) { memberSuspend(input: {memberId: $member}) { __typename
    ... on MemberSuspendedNow { member { id status viewerCan { suspend } } } ... on Problem { code } } }"""
REMOVE = """mutation($member: ID!) { memberRemove(input: {memberId: $member}) { __typename
    ... on MemberRemoved { memberId } ... on Problem { code message } } }"""
TRANSFER = """mutation($member: ID!, $keep: Boolean!) {
  ownershipTransfer(input: {memberId: $member, keep: $keep}) { __typename
    ... on OwnershipTransferred { member { id isOwner roles { key } } } ... on Problem { code } } }"""
BY_KEY = """mutation($member: ID!, $roles: [ID!]!, $keys: [String!]!) {
  memberRolesSet(input: {memberId: $member, roleIds: $roles, roleKeys: $keys}) {
    ... on MemberRolesSet { member { roles { key } } } ... on Problem { code } } }"""
WHO = "{ viewer { scope } }"


async def owners(world: World) -> list[str]:
    """Node ids of the tenant's owners."""
    rows = await world.product.database.seen_by_owner(
        "SELECT node_id FROM member WHERE tenant_id = $1 AND is_owner ORDER BY 1", world.tenant.id
    )
    return [row["node_id"] for row in rows]


@pytest.mark.requirement("003-25", "003-15", "004-04")
async def test_roles_are_set_and_seen_in_the_same_answer(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await make_member(product.database, world.tenant, "agent")
    theirs = await product.as_member(agent)
    manager = await role_id(product.database, world.tenant, "manager")
    reply = await admin.ask(SET_ROLES, {"member": agent.node_id, "roles": [manager]})
    answered = reply.data["memberRolesSet"]
    assert answered["member"]["id"] == agent.node_id
    assert [role["key"] for role in answered["member"]["roles"]] == ["manager"]
    (record,) = await product.trail(reply)
    assert (record["action"], record["outcome"]) == ("member.roles_set", "OK")
    assert record["targets"] == [agent.node_id, manager]
    refused = await theirs.ask(WHO)
    assert (refused.status, refused.codes) == (401, ["UNAUTHENTICATED"])
    assert refused.errors[0]["extensions"]["reason"] == "AUTHORITY_CHANGED"
    after = await (await product.as_member(agent)).query("{ tenant { members(first: 9) { totalCount } } }")
    assert after["tenant"]["members"]["totalCount"] == 3


async def test_roles_are_named_by_their_keys_too(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    admin = await world.enter("admin")
    agent = await make_member(product.database, world.tenant, "agent")
    manager = await role_id(product.database, world.tenant, "manager")
    both = {"member": agent.node_id, "roles": [manager], "keys": ["manager"]}
    answered = (await admin.query(BY_KEY, **both))["memberRolesSet"]
    assert answered["member"]["roles"] == [{"key": "manager"}]
    theirs = await other.role_with("ticket:read")
    for keys in ([theirs], ["no_such_role"], ["agent", "no_such_role"], [manager], [""]):
        reply = await admin.ask(BY_KEY, {"member": agent.node_id, "roles": [], "keys": keys})
        assert reply.codes == ["NOT_FOUND"]
    reply = await admin.ask(BY_KEY, {"member": agent.node_id, "roles": [], "keys": ["owner"]})
    assert reply.data["memberRolesSet"] == {"code": "ROLE_NOT_GRANTABLE"}
    reply = await admin.ask(BY_KEY, {"member": agent.node_id, "roles": [manager], "keys": ["agent"]})
    assert reply.data["memberRolesSet"] == {"code": "TOO_MANY_ROLES"}
    members = "{ tenant { members(first: 9) { nodes { id roles { key } } } } }"
    nodes = (await admin.query(members))["tenant"]["members"]["nodes"]
    assert [each["roles"] for each in nodes if each["id"] == agent.node_id] == [[{"key": "manager"}]]


async def test_nobody_gives_what_they_do_not_hold(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await make_member(product.database, world.tenant, "agent")
    owner = await role_id(product.database, world.tenant, "owner")
    before = await snapshot(product.database)
    reply = await admin.ask(SET_ROLES, {"member": agent.node_id, "roles": [owner]})
    problem = reply.data["memberRolesSet"]
    assert (problem["__typename"], problem["code"]) == ("RoleNotGrantable", "ROLE_NOT_GRANTABLE")
    assert problem["roleId"] == owner
    (record,) = await product.trail(reply)
    assert (record["outcome"], record["code"]) == ("REFUSED", "ROLE_NOT_GRANTABLE")
    assert await snapshot(product.database) == before


async def test_a_member_holds_as_many_roles_as_the_blueprint_allows(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    agent = await make_member(product.database, world.tenant, "agent")
    roles = [await role_id(product.database, world.tenant, key) for key in ("agent", "manager")]
    before = await snapshot(product.database)
    data = await owner.query(SET_ROLES, member=agent.node_id, roles=roles)
    assert data["memberRolesSet"]["__typename"] == "TooManyRoles"
    assert data["memberRolesSet"]["most"] == 1
    assert await snapshot(product.database) == before


@pytest.mark.parametrize("document", [SUSPEND, REMOVE, SET_ROLES], ids=["suspend", "remove", "roles"])
async def test_the_last_owner_stays(product: Product, document: str) -> None:
    world = await World.make(product)
    before = await snapshot(product.database)
    variables: dict[str, Any] = {"member": world.owner.member}
    if document is SET_ROLES:
        variables["roles"] = []
    reply = await product.as_(world.owner).ask(document, variables)
    (answered,) = reply.data.values()
    assert (answered["__typename"], answered["code"]) == ("LastOwner", "LAST_OWNER")
    assert await snapshot(product.database) == before


@pytest.mark.requirement("003-32")
async def test_suspended_means_out_until_reactivated(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await make_member(product.database, world.tenant, "agent")
    theirs = await product.as_member(agent)
    assert (await theirs.ask(WHO)).status == 200
    data = await admin.query(SUSPEND, member=agent.node_id)
    assert data["memberSuspend"]["member"] == {
        "id": agent.node_id,
        "status": "SUSPENDED",
        "viewerCan": {"suspend": True},
    }
    refused = await theirs.ask(WHO)
    assert (refused.status, refused.errors[0]["extensions"]["reason"]) == (401, "MEMBER_SUSPENDED")
    assert (await product.login(agent.email))["__typename"] == "MemberSuspended"
    again = await admin.query(
        "mutation($member: ID!) { memberReactivate(input: {memberId: $member}) { member { status } } }",
        member=agent.node_id,
    )
    assert again["memberReactivate"]["member"]["status"] == "ACTIVE"
    assert (await product.login(agent.email))["__typename"] == "LoginSuccess"
    assert (await theirs.ask(WHO)).status == 401


@pytest.mark.requirement("003-26", "003-14")
async def test_removed_means_gone(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await make_member(product.database, world.tenant, "agent")
    theirs = await product.as_member(agent)
    data = await admin.query(REMOVE, member=agent.node_id)
    assert data["memberRemove"] == {"__typename": "MemberRemoved", "memberId": agent.node_id}
    refused = await theirs.ask(WHO)
    assert (refused.status, refused.errors[0]["extensions"]["reason"]) == (401, "UNKNOWN_SESSION")
    assert (await product.login(agent.email))["__typename"] == "NotInvited"


async def test_whoever_may_do_more_is_out_of_reach(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    for document in (SUSPEND, REMOVE):
        reply = await admin.ask(document, {"member": world.owner.member})
        assert reply.codes == ["FORBIDDEN"]
    assert await owners(world) == [world.owner.member]


@pytest.mark.requirement("004-03", "004-15")
@pytest.mark.parametrize("keep", [True, False])
async def test_ownership_is_handed_over(product: Product, keep: bool) -> None:
    world = await World.make(product)
    admin = await make_member(product.database, world.tenant, "admin")
    await world.prove(world.owner)
    speaker = product.as_(world.owner)
    data = await speaker.query(TRANSFER, member=admin.node_id, keep=keep)
    made = data["ownershipTransfer"]["member"]
    assert made["isOwner"] is True
    assert [role["key"] for role in made["roles"]] == ["owner"]
    assert await owners(world) == sorted([admin.node_id, *([world.owner.member] if keep else [])])
    assert (await speaker.ask(WHO)).status == (200 if keep else 401)


async def test_ones_own_rights_can_be_given_up_and_the_answer_still_comes(product: Product) -> None:
    world = await World.make(product)
    await make_member(product.database, world.tenant, "owner")
    agent = await role_id(product.database, world.tenant, "agent")
    speaker = product.as_(world.owner)
    data = await speaker.query(SET_ROLES, member=world.owner.member, roles=[agent])
    assert [role["key"] for role in data["memberRolesSet"]["member"]["roles"]] == ["agent"]
    assert (await speaker.ask(WHO)).status == 401


async def test_a_member_is_renamed_and_values_taken_away(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await make_member(product.database, world.tenant, "agent", name="Before")
    update = """mutation($input: MemberUpdateInput!) { memberUpdate(input: $input) {
        member { name extension } } }"""
    given = {"memberId": agent.node_id, "name": "After", "extension": "204"}
    data = await admin.query(update, input=given)
    assert data["memberUpdate"]["member"] == {"name": "After", "extension": "204"}
    data = await admin.query(update, input={"memberId": agent.node_id, "extension": None})
    assert data["memberUpdate"]["member"] == {"name": "After", "extension": None}
    reply = await admin.ask(update, {"input": {"memberId": agent.node_id, "name": "x" * 200}})
    assert reply.codes == ["BAD_USER_INPUT"]
    assert list(reply.errors[0]["extensions"]["fields"]) == ["name"]


async def test_an_invited_member_is_handled_by_the_invitation(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    invited = await world.invited("waiting@people.example")
    (row,) = await product.database.seen_by_owner(
        "SELECT node_id FROM member WHERE id = $1", invited.invitation.member_id
    )
    reply = await admin.ask(SUSPEND, {"member": row["node_id"]})
    assert reply.codes == ["CONFLICT"]


async def test_members_are_found_filtered_and_counted(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    gina = await make_member(product.database, world.tenant, "agent", name="Gina")
    await sign_in(product.database, gina)
    data = await admin.query(
        """query($filter: MemberFilter) { tenant { members(first: 10, filter: $filter) { totalCount
            nodes { name isOwner user { email } roles { key memberCount } }
            pageInfo { hasNextPage } } } }""",
        filter={"search": "gin", "status": "ACTIVE"},
    )
    found = data["tenant"]["members"]
    assert (found["totalCount"], found["pageInfo"]["hasNextPage"]) == (1, False)
    assert found["nodes"] == [
        {
            "name": "Gina",
            "isOwner": False,
            "user": {"email": gina.email},
            "roles": [{"key": "agent", "memberCount": 1}],
        }
    ]
