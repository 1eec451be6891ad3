"""Rights that end by themselves: a guest's membership, a role held for a time, at the database's clock."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenantry.authentication.login.claims import principal_of
from tenantry.directory.members.models import Member
from tests.api.test_refresh import kept, refreshed
from tests.support.api import LOGIN, Product, Reply, Speaker
from tests.support.factories import authority_of, make_api_key, make_member, make_tenant, sign_in
from tests.support.logins import address, role_id
from tests.support.refusals import snapshot
from tests.support.serving import serving
from tests.support.sockets import FOLLOW, socket_to
from tests.support.world import World

SET_ROLES = """mutation($member: ID!, $roles: [ID!]!, $end: DateTime) {
  memberRolesSet(input: {memberId: $member, roleIds: $roles, expiresAt: $end}) { __typename
    ... on MemberRolesSet { member { roles { key } roleAssignments { role { key } expiresAt } } }
    ... on Problem { code } } }"""
SET_ROLES_ONLY = SET_ROLES.replace(", $end: DateTime", "").replace(", expiresAt: $end", "")
UPDATE = """mutation($member: ID!, $end: DateTime) {
  memberUpdate(input: {memberId: $member, expiresAt: $end}) { member { expiresAt status } } }"""
INVITE = """mutation($email: String!, $roles: [ID!]!, $end: DateTime) {
  invitationsCreate(input: {invitations: [
    {email: $email, roleIds: $roles, membershipExpiresAt: $end}]}) { results { __typename
    ... on InvitationCreated { link } } } }"""
ACCEPT = """mutation($token: String!, $login: LoginInput!) {
  invitationAccept(input: {token: $token, login: $login}) { __typename
    ... on LoginSuccess { accessToken viewer { member { id expiresAt } } } ... on Problem { code } } }"""
MEMBERS = "{ tenant { members(first: 9) { nodes { email expiresAt } } } }"
ME = "{ viewer { roles { key } member { roles { key } roleAssignments { expiresAt } } permissions } }"
RENAME = 'mutation { tenantUpdate(input: {name: "Late"}) { __typename } }'
END_MEMBERSHIP = "UPDATE member SET expires_at = now() + $2::interval WHERE node_id = $1"
END_ROLES = """UPDATE member_role SET expires_at = now() + $2::interval
  WHERE member_id = (SELECT id FROM member WHERE node_id = $1)"""
PAST, SOON = timedelta(seconds=-1), timedelta(seconds=1)
LOOK_SECONDS = 5.0


def later(**parts: int) -> str:
    return (datetime.now(UTC) + timedelta(**(parts or {"days": 7}))).isoformat()


def reason(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.errors[0]["extensions"]["reason"]


async def end(product: Product, sql: str, member: Member | str, when: timedelta = PAST) -> None:
    """Let it end, as the clock would."""
    node_id = member if isinstance(member, str) else member.node_id
    await product.database.seen_by_owner(sql, node_id, when)


async def held_for_a_time(world: World, key: str = "admin") -> tuple[Member, Speaker]:
    """A member who holds a role until next week, signed in."""
    member = await make_member(world.product.database, world.tenant, "agent")
    role = await role_id(world.product.database, world.tenant, key)
    owner = world.product.as_(world.owner)
    data = await owner.query(SET_ROLES, member=member.node_id, roles=[role], end=later())
    (assignment,) = data["memberRolesSet"]["member"]["roleAssignments"]
    assert assignment["role"]["key"] == key
    assert assignment["expiresAt"] is not None
    return member, await world.product.as_member(member)


async def name_of(world: World) -> object:
    return await world.product.database.value("SELECT name FROM tenant WHERE id = $1", world.tenant.id)


@pytest.mark.requirement("001-14")
async def test_a_guest_comes_for_a_time_and_then_is_out_everywhere(product: Product) -> None:
    world = await World.make(product)
    owner, email, until = product.as_(world.owner), address(), later()
    admin = await role_id(product.database, world.tenant, "admin")
    made = await owner.query(INVITE, email=email, roles=[admin], end=until)
    token = made["invitationsCreate"]["results"][0]["link"].rsplit("#", 1)[1]
    login = product.login_input(email)
    accepted = (await product.anonymous.query(ACCEPT, token=token, login=login))["invitationAccept"]
    guest, member = product.with_token(accepted["accessToken"]), accepted["viewer"]["member"]
    assert datetime.fromisoformat(member["expiresAt"]) == datetime.fromisoformat(until)
    assert (await guest.ask(MEMBERS)).errors == []
    before = await name_of(world)
    await end(product, END_MEMBERSHIP, member["id"])
    for document in (MEMBERS, RENAME, ME):
        reply = await guest.ask(document)
        assert (reply.codes, reason(reply)) == (["UNAUTHENTICATED"], (401, "MEMBERSHIP_EXPIRED"))
        assert reply.body.get("data") is None
    assert await name_of(world) == before
    assert (await product.login(email))["__typename"] == "MemberSuspended"
    seen = (await owner.query(MEMBERS))["tenant"]["members"]["nodes"]
    assert {each["email"] for each in seen} >= {email}


async def test_a_membership_is_ended_moved_and_made_lasting_by_who_may_suspend(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await make_member(product.database, world.tenant, "agent")
    theirs, until = await product.as_member(agent), later()
    reply = await admin.ask(UPDATE, {"member": agent.node_id, "end": until})
    shown = reply.data["memberUpdate"]["member"]
    assert datetime.fromisoformat(shown["expiresAt"]) == datetime.fromisoformat(until)
    (record,) = await product.trail(reply)
    assert (record["action"], record["targets"]) == ("member.update", [agent.node_id])
    assert reason(await theirs.ask(ME)) == (401, "AUTHORITY_CHANGED")
    await end(product, END_MEMBERSHIP, agent)
    assert reason(await (await product.as_member(agent)).ask(ME)) == (401, "MEMBERSHIP_EXPIRED")
    data = await admin.query(UPDATE, member=agent.node_id, end=None)
    assert data["memberUpdate"]["member"] == {"expiresAt": None, "status": "ACTIVE"}
    assert (await (await product.as_member(agent)).ask(ME)).errors == []


@pytest.mark.requirement("001-14")
async def test_a_role_that_ends_is_as_one_taken_away_at_that_moment(product: Product) -> None:
    world = await World.make(product)
    member, theirs = await held_for_a_time(world)
    assert (await theirs.query(ME))["viewer"]["roles"] == [{"key": "admin"}]
    assert (await theirs.ask(RENAME)).errors == []
    await product.database.seen_by_owner("UPDATE tenant SET name = 'Acme' WHERE id = $1", world.tenant.id)
    await end(product, END_ROLES, member)
    assert (await theirs.ask(RENAME)).codes == ["UNAUTHENTICATED"]
    for document in (RENAME, ME, MEMBERS):
        assert reason(await theirs.ask(document)) == (401, "AUTHORITY_CHANGED")
    assert await name_of(world) == "Acme"
    again = await product.as_member(member)
    viewer = (await again.query(ME))["viewer"]
    assert viewer == {"roles": [], "member": {"roles": [], "roleAssignments": []}, "permissions": []}
    for document in (RENAME, MEMBERS):
        assert (await again.ask(document)).codes == ["FORBIDDEN"]
    assert await name_of(world) == "Acme"


async def test_nothing_that_begins_after_the_end_is_done_by_what_was_read_before(product: Product) -> None:
    """By the database's own clock, with an authority that the process keeps."""
    for _ in range(3):
        world = await World.make(product)
        member, theirs = await held_for_a_time(world)
        await end(product, END_ROLES, member, timedelta(milliseconds=300))
        over, done = 0, 0
        while over < 3:
            past = await product.database.value(
                "SELECT expires_at <= clock_timestamp() FROM member_role WHERE member_id = $1", member.id
            )
            replies = await asyncio.gather(theirs.ask(MEMBERS), theirs.ask(RENAME))
            if past:
                over += 1
                assert [reply.codes for reply in replies] == [["UNAUTHENTICATED"]] * 2
            done += sum(reply.errors == [] for reply in replies)
        assert done > 0, "there was a time before the end"


async def test_a_key_ends_with_its_issuers_membership_and_loses_what_their_role_gave(
    product: Product,
) -> None:
    world = await World.make(product)
    member, _ = await held_for_a_time(world)
    issuer = await sign_in(product.database, member)
    key = product.with_token((await make_api_key(product.database, issuer, "org:update")).text)
    assert (await key.ask(RENAME)).errors == []
    await product.database.seen_by_owner("UPDATE tenant SET name = 'Acme' WHERE id = $1", world.tenant.id)
    await end(product, END_ROLES, member)
    assert (await key.ask(RENAME)).codes == ["FORBIDDEN"]
    await end(product, END_MEMBERSHIP, member)
    assert reason(await key.ask(RENAME)) == (401, "MEMBERSHIP_EXPIRED")
    assert await name_of(world) == "Acme"


@pytest.mark.parametrize(
    ("sql", "why"), [(END_MEMBERSHIP, "MEMBERSHIP_EXPIRED"), (END_ROLES, "AUTHORITY_CHANGED")]
)
async def test_a_subscription_ends_with_them(product: Product, sql: str, why: str) -> None:
    world = await World.make(product)
    member, _ = await held_for_a_time(world)
    token = product.tokens.mint(principal_of(await sign_in(product.database, member))).token
    async with serving(product.wire) as base, socket_to(base) as socket:
        await socket.begin(token)
        await socket.ask(FOLLOW)
        assert (await socket.receive())["type"] == "next"
        await end(product, sql, member, SOON)
        told = await socket.receive(SOON.total_seconds() + LOOK_SECONDS)
        assert told["payload"]["errors"][0]["extensions"]["reason"] == why
        assert await socket.closed(LOOK_SECONDS) == (4401, why)


async def test_a_renewal_goes_on_with_what_is_left_and_not_past_the_end(product: Product) -> None:
    world = await World.make(product)
    member, _ = await held_for_a_time(world)
    made = await product.anonymous.ask(LOGIN, {"input": product.login_input(member.email)})
    await end(product, END_ROLES, member)
    assert reason(await product.with_token(made.data["login"]["accessToken"]).ask(ME))[0] == 401
    renewed = await refreshed(product, kept(made.headers))
    token = renewed.data["sessionRefresh"]["accessToken"]
    assert (await product.with_token(token).ask(MEMBERS)).codes == ["FORBIDDEN"]
    await end(product, END_MEMBERSHIP, member)
    refused = await refreshed(product, kept(renewed.headers))
    assert refused.errors[0]["extensions"]["reason"] == "MEMBERSHIP_EXPIRED"


async def refused_inputs(product: Product, world: World) -> list[tuple[str, dict[str, Any], str]]:
    """What no owner may come to: an end."""
    owner_role = await role_id(product.database, world.tenant, "owner")
    agent = await make_member(product.database, world.tenant, "agent")
    guest = await make_member(product.database, world.tenant, "agent")
    second = await make_member(product.database, world.tenant, "owner")
    await end(product, END_MEMBERSHIP, guest, timedelta(days=1))
    invited = {"email": address(), "roles": [owner_role], "end": later()}
    return [
        (SET_ROLES, {"member": agent.node_id, "roles": [owner_role], "end": later()}, "expiresAt"),
        (SET_ROLES_ONLY, {"member": guest.node_id, "roles": [owner_role]}, "roleIds"),
        (UPDATE, {"member": second.node_id, "end": later()}, "expiresAt"),
        (INVITE, invited, "membershipExpiresAt"),
        (UPDATE, {"member": agent.node_id, "end": later(days=-1)}, "expiresAt"),
        (SET_ROLES, {"member": agent.node_id, "roles": [], "end": later(days=-1)}, "expiresAt"),
        (INVITE, {**invited, "roles": [], "end": later(days=-1)}, "membershipExpiresAt"),
    ]


async def test_an_owner_has_no_end_and_no_end_has_come(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    for document, variables, field in await refused_inputs(product, world):
        before = await snapshot(product.database)
        reply = await owner.ask(document, variables)
        assert reply.codes == ["BAD_USER_INPUT"]
        assert list(reply.errors[0]["extensions"]["fields"]) == [field]
        assert await snapshot(product.database) == before


async def test_a_guest_is_not_made_the_owner(product: Product) -> None:
    world = await World.make(product)
    await world.prove(world.owner)
    guest = await make_member(product.database, world.tenant, "agent")
    await end(product, END_MEMBERSHIP, guest, timedelta(days=1))
    before = await snapshot(product.database)
    document = "mutation($m: ID!) { ownershipTransfer(input: {memberId: $m}) { __typename } }"
    assert (await product.as_(world.owner).ask(document, {"m": guest.node_id})).codes == ["CONFLICT"]
    assert await snapshot(product.database) == before


async def test_nobody_moves_an_end_of_their_own_or_of_whoever_may_do_more(product: Product) -> None:
    world = await World.make(product)
    member, theirs = await held_for_a_time(world)
    admin = await role_id(product.database, world.tenant, "admin")
    before = await snapshot(product.database)
    for document, variables in (
        (SET_ROLES, {"member": member.node_id, "roles": [admin], "end": None}),
        (SET_ROLES, {"member": member.node_id, "roles": [admin], "end": later(days=30)}),
        (UPDATE, {"member": member.node_id, "end": later(days=30)}),
        (UPDATE, {"member": world.owner.member, "end": None}),
    ):
        assert (await theirs.ask(document, variables)).codes == ["FORBIDDEN"]
    assert await snapshot(product.database) == before


async def test_a_tenant_elsewhere_knows_nothing_of_it(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    member, _ = await held_for_a_time(world)
    before = await snapshot(product.database)
    for speaker in (product.as_(other.owner), product.anonymous):
        for document, variables in (
            (UPDATE, {"member": member.node_id, "end": None}),
            (SET_ROLES, {"member": member.node_id, "roles": [], "end": later()}),
        ):
            code = "UNAUTHENTICATED" if speaker.token is None else "NOT_FOUND"
            assert (await speaker.ask(document, variables)).codes == [code]
    assert await snapshot(product.database) == before


async def test_whoever_belongs_elsewhere_still_signs_in_there(product: Product) -> None:
    tenants = [await make_tenant(product.database) for _ in range(2)]
    first, _ = [await make_member(product.database, each, email="two@terms.example") for each in tenants]
    await end(product, END_MEMBERSHIP, first)
    made = await product.login("two@terms.example")
    assert made["viewer"]["tenant"]["id"] == tenants[1].node_id
    refused = await product.login("two@terms.example", tenantId=tenants[0].node_id)
    assert refused["code"] == "MEMBER_SUSPENDED"
    assert (await authority_of(product.database, (await sign_in(product.database, first)).session_id)).member
