"""API keys over the wire: shown once, as strong as their issuer is now, and nobody's login."""

import asyncio
import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tenantry.authentication.api_keys.service import MOST_KEYS
from tenantry.authentication.sessions.repository import touch
from tenantry.directory.members.models import Member
from tenantry.tokens.api_keys import new_api_key
from tests.support.api import Product, Speaker
from tests.support.factories import make_api_key, make_member, make_tenant, sign_in, signed_in
from tests.support.logins import address, role_id
from tests.support.refusals import snapshot
from tests.support.world import World

CREATE = """mutation($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) { __typename
    ... on ApiKeyCreated { key apiKey { id name prefix permissions expiresAt lastUsedAt createdAt
        issuer { id } } }
    ... on Problem { code message } ... on PermissionNotGrantable { permission } } }"""
REVOKE = "mutation($id: ID!) { apiKeyRevoke(input: {apiKeyId: $id}) { apiKey { id } } }"
LIST = "{ tenant { apiKeys(first: 50) { totalCount nodes { id name prefix permissions lastUsedAt } } } }"
MEMBERS = "{ tenant { members(first: 5) { totalCount } } }"
RENAME = "mutation($name: String!) { tenantUpdate(input: {name: $name}) { tenant { name } } }"
WHO = "{ viewer { scope permissions user { id } session { id } } }"
SET_ROLES = """mutation($member: ID!, $roles: [ID!]!) {
    memberRolesSet(input: {memberId: $member, roleIds: $roles}) { __typename } }"""


MANY = """
WITH s AS (
  INSERT INTO session (tenant_id, id, node_id, user_id, member_id, logged_at, last_seen_at, expires_at,
    revoked, is_key)
  SELECT $1, gen_random_uuid(), 'S_' || gen_random_uuid(), $2, $3, now(), now(), now() + interval '1 day',
    false, true FROM generate_series(1, $4::int) RETURNING *)
INSERT INTO api_key (tenant_id, id, node_id, session_id, member_id, name, prefix, key_hash, created_at)
SELECT tenant_id, id, 'K_' || id, id, member_id, 'x', 'x', uuid_send(id), now() FROM s
"""


async def created(product: Product, *permissions: str, **more: object) -> tuple[World, dict[str, Any]]:
    """A key that an owner has made over the wire."""
    world = await World.make(product)
    await world.prove(world.owner)
    given = {"name": "CI", "permissions": list(permissions), **more}
    data = await product.as_(world.owner).query(CREATE, input=given)
    return world, data["apiKeyCreate"]


async def issued(
    product: Product, role: str | tuple[str, ...], *permissions: str
) -> tuple[World, Member, Speaker]:
    """A member of this role, and a machine with a key of theirs."""
    world = await World.make(product)
    member = await make_member(product.database, world.tenant, role)
    made = await make_api_key(product.database, await sign_in(product.database, member), *permissions)
    return world, member, product.with_token(made.text)


@pytest.mark.requirement("003-07", "003-32")
async def test_a_key_is_shown_once_and_kept_as_a_hash(product: Product) -> None:
    world, made = await created(product, "user:read", "org:read")
    assert made["__typename"] == "ApiKeyCreated"
    entry = made["apiKey"]
    assert entry["permissions"] == ["org:read", "user:read"]
    assert entry["issuer"]["id"] == world.owner.member
    assert made["key"].startswith(entry["prefix"])
    assert (entry["expiresAt"], entry["lastUsedAt"]) == (None, None)
    listed = await product.as_(world.owner).ask(LIST)
    assert listed.data["tenant"]["apiKeys"]["totalCount"] == 1
    assert made["key"] not in listed.text
    rows = await product.database.seen_by_owner("SELECT k::text FROM api_key k")
    assert not any(made["key"] in row[0] for row in rows)


async def test_a_key_works_wherever_a_token_does_and_is_on_record_as_a_key(product: Product) -> None:
    world, made = await created(product, "user:read", "org:update")
    machine = product.with_token(made["key"])
    assert (await machine.query(WHO))["viewer"]["permissions"] == ["org:update", "user:read"]
    read = await machine.ask(MEMBERS)
    assert read.data["tenant"]["members"]["totalCount"] == 1
    changed = await machine.ask(RENAME, {"name": "By machine"})
    assert changed.data["tenantUpdate"]["tenant"]["name"] == "By machine"
    by_get = await product.http.get(
        "/graphql", params={"query": MEMBERS}, headers={"Authorization": f"Bearer {made['key']}"}
    )
    assert by_get.json()["data"] == read.data
    for reply in (read, changed):
        (record,) = await product.trail(reply)
        assert (record["actor_kind"], record["actor_id"]) == ("API_KEY", made["apiKey"]["id"])
        assert (record["actor_label"], record["tenant_id"]) == ("CI", world.tenant.id)
        assert made["key"] not in str(record)
    trail = await product.as_(world.owner).query(
        "query($id: ID) { tenant { auditEvents(first: 9, filter: {actorId: $id}) {"
        " nodes { actor { kind id label } } } } }",
        id=made["apiKey"]["id"],
    )
    actors = [node["actor"] for node in trail["tenant"]["auditEvents"]["nodes"]]
    assert {(each["kind"], each["label"]) for each in actors} == {("API_KEY", "CI")}


async def test_when_a_key_was_used_is_seen_and_its_issuer_was_not(product: Product) -> None:
    world, made = await created(product, "user:read")
    session = await product.database.value(
        "SELECT session_id FROM api_key WHERE node_id = $1", made["apiKey"]["id"]
    )
    seen = "SELECT last_seen_at FROM member WHERE id = $1"
    before = await product.database.value(seen, world.owner.member_id)
    await touch(product.database, {UUID(str(session)): product.clock() + timedelta(minutes=1)})
    listed = await product.as_(world.owner).query(LIST)
    assert listed["tenant"]["apiKeys"]["nodes"][0]["lastUsedAt"] is not None
    assert await product.database.value(seen, world.owner.member_id) == before


@pytest.mark.requirement("003-07")
async def test_nobody_gives_a_key_what_they_do_not_hold(product: Product) -> None:
    world = await World.make(product)
    role = await world.role_with("apikey:manage", "user:read")
    member = await make_member(product.database, world.tenant, role)
    authority = await sign_in(product.database, member)
    await world.prove(authority)
    speaker = product.as_(authority)
    before = await snapshot(product.database)
    for permissions in (["org:update"], ["user:read", "user:invite"]):
        refused = await speaker.query(CREATE, input={"name": "CI", "permissions": permissions})
        assert refused["apiKeyCreate"]["code"] == "PERMISSION_NOT_GRANTABLE"
        assert refused["apiKeyCreate"]["permission"] == permissions[-1]
    assert await snapshot(product.database) == before
    made = await speaker.query(CREATE, input={"name": "CI", "permissions": ["user:read"]})
    assert made["apiKeyCreate"]["__typename"] == "ApiKeyCreated"


@pytest.mark.parametrize(
    "given",
    [
        {"permissions": []},
        {"permissions": ["no:such"]},
        {"permissions": ["*"]},
        {"permissions": ["member:read"]},
        {"name": ""},
        {"name": "x" * 500},
        {"expiresAt": "2020-01-01T00:00:00Z"},
    ],
)
async def test_what_cannot_be_taken_is_named_and_nothing_is_made(
    product: Product, given: dict[str, object]
) -> None:
    world = await World.make(product)
    await world.prove(world.owner)
    before = await snapshot(product.database)
    taken = {"name": "CI", "permissions": ["org:read"], **given}
    reply = await product.as_(world.owner).ask(CREATE, {"input": taken})
    assert reply.codes == ["BAD_USER_INPUT"]
    assert await snapshot(product.database) == before


async def test_a_key_may_what_it_names_of_what_its_issuer_may_now(product: Product) -> None:
    world, member, machine = await issued(product, "admin", "user:read", "org:update")
    assert (await machine.ask(MEMBERS)).errors == []
    assert (await machine.ask("{ tenant { auditEvents(first: 1) { totalCount } } }")).codes == ["FORBIDDEN"]
    manager = await role_id(product.database, world.tenant, "manager")
    owner = product.as_(world.owner)
    await owner.query(SET_ROLES, member=member.node_id, roles=[manager])
    assert (await machine.ask(MEMBERS)).errors == []
    refused = await machine.ask(RENAME, {"name": "No more"})
    assert refused.codes == ["FORBIDDEN"]
    agent = await role_id(product.database, world.tenant, "agent")
    await owner.query(SET_ROLES, member=member.node_id, roles=[agent])
    assert (await machine.ask(MEMBERS)).codes == ["FORBIDDEN"]
    admin = await role_id(product.database, world.tenant, "admin")
    await owner.query(SET_ROLES, member=member.node_id, roles=[admin])
    assert (await machine.ask(RENAME, {"name": "Again"})).errors == []


@pytest.mark.parametrize(
    "end",
    [
        "mutation($id: ID!) { memberSuspend(input: {memberId: $id}) { __typename } }",
        "mutation($id: ID!) { memberRemove(input: {memberId: $id}) { __typename } }",
    ],
)
async def test_a_key_ends_with_its_issuers_membership(product: Product, end: str) -> None:
    world, member, machine = await issued(product, "admin", "user:read")
    assert (await machine.ask(MEMBERS)).errors == []
    assert (await product.as_(world.owner).ask(end, {"id": member.node_id})).errors == []
    reply = await machine.ask(MEMBERS)
    assert (reply.status, reply.codes) == (401, ["UNAUTHENTICATED"])


async def test_a_key_rests_while_its_tenant_is_suspended(product: Product) -> None:
    world, _, machine = await issued(product, "admin", "user:read")
    await product.database.seen_by_owner("UPDATE tenant SET suspended = true WHERE id = $1", world.tenant.id)
    reply = await machine.ask(MEMBERS)
    assert reply.errors[0]["extensions"] == {"code": "UNAUTHENTICATED", "reason": "TENANT_SUSPENDED"}


async def test_a_revoked_key_and_an_expired_one_are_as_good_as_unknown(product: Product) -> None:
    world, made = await created(product, "user:read")
    until = product.clock() + timedelta(seconds=60)
    given = {"name": "Short", "permissions": ["user:read"], "expiresAt": until.isoformat()}
    short = (await product.as_(world.owner).query(CREATE, input=given))["apiKeyCreate"]
    assert (await product.with_token(short["key"]).ask(MEMBERS)).errors == []
    owner = product.as_(world.owner)
    for _ in range(2):
        assert (await owner.query(REVOKE, id=made["apiKey"]["id"]))["apiKeyRevoke"]["apiKey"]
    product.clock.forward(61)
    replies = [
        await product.with_token(each).ask(MEMBERS)
        for each in (made["key"], short["key"], new_api_key().text, made["key"][:-1], "tntk_")
    ]
    assert {reply.text for reply in replies} == {replies[0].text}
    assert replies[0].status == 401
    assert replies[0].errors[0]["extensions"] == {"code": "UNAUTHENTICATED", "reason": "KEY_INVALID"}
    for reply in replies:
        (record,) = await product.trail(reply)
        assert (record["actor_kind"], record["actor_id"]) == ("ANONYMOUS", None)
    listed = await product.as_(world.owner).query(LIST)
    assert [node["name"] for node in listed["tenant"]["apiKeys"]["nodes"]] == ["Short"]


PERSONAL = [
    "mutation { logout { success } }",
    "mutation { sessionRevokeOthers { count } }",
    "mutation { totpEnroll { __typename } }",
    'mutation { totpConfirm(input: {code: "123456"}) { __typename } }',
    'mutation { stepUp(code: "123456") { __typename } }',
    "mutation { sessionRefresh { __typename } }",
    "mutation($tenant: ID!) { tenantSwitch(input: {tenantId: $tenant}) { __typename } }",
]


@pytest.mark.parametrize("document", PERSONAL)
async def test_a_key_is_nobodys_login(product: Product, document: str) -> None:
    world, _, machine = await issued(product, "owner", "user:read", "apikey:manage")
    before = await snapshot(product.database)
    variables = {"tenant": world.tenant.node_id} if "$tenant" in document else {}
    reply = await machine.ask(document, variables)
    assert reply.codes == ["FORBIDDEN"]
    assert await snapshot(product.database) == before
    (record,) = await product.trail(reply)
    assert (record["outcome"], record["actor_kind"]) == ("REFUSED", "API_KEY")


async def test_a_key_makes_no_keys_and_ends_some_if_it_may(product: Product) -> None:
    world, _, machine = await issued(product, "owner", "apikey:manage")
    reply = await machine.ask(CREATE, {"input": {"name": "More", "permissions": ["apikey:manage"]}})
    assert reply.codes == ["STEP_UP_REQUIRED"]
    other = await make_api_key(product.database, world.owner, "org:read")
    assert (await machine.ask(REVOKE, {"id": other.key.node_id})).errors == []


async def test_a_key_sees_nothing_of_its_issuers_other_life(product: Product) -> None:
    email = address()
    here, there = await make_tenant(product.database), await make_tenant(product.database)
    member = await make_member(product.database, here, "owner", email=email)
    await make_member(product.database, there, "owner", email=email)
    authority = await sign_in(product.database, member)
    session = await product.database.value("SELECT node_id FROM session WHERE id = $1", authority.session_id)
    made = await make_api_key(product.database, authority, "user:read")
    machine = product.with_token(made.text)
    data = await machine.query(
        "{ viewer { session { id } sessions(first: 9) { totalCount }"
        " memberships(first: 9) { totalCount } authority { tenantId } } }"
    )
    assert data["viewer"]["session"] is None
    assert data["viewer"]["sessions"]["totalCount"] == 0
    assert data["viewer"]["memberships"]["totalCount"] == 0
    for node_id in (session, there.node_id):
        reply = await machine.ask("query($id: ID!) { node(id: $id) { id } }", {"id": node_id})
        assert reply.codes == ["NOT_FOUND"]


async def test_people_do_not_meet_the_session_under_a_key(product: Product) -> None:
    world, made = await created(product, "user:read")
    owner = product.as_(world.owner)
    data = await owner.query("{ viewer { sessions(first: 9) { nodes { id } } } }")
    hidden = await product.database.value(
        "SELECT s.node_id FROM api_key k JOIN session s ON s.id = k.session_id WHERE k.node_id = $1",
        made["apiKey"]["id"],
    )
    assert len(data["viewer"]["sessions"]["nodes"]) == 1
    revoke = "mutation($id: ID!) { sessionRevoke(input: {sessionId: $id}) { session { id } } }"
    assert (await owner.ask(revoke, {"id": hidden})).codes == ["NOT_FOUND"]
    assert (await owner.ask("query($id: ID!) { node(id: $id) { id } }", {"id": hidden})).codes == [
        "NOT_FOUND"
    ]
    assert (await owner.query("mutation { sessionRevokeOthers { count } }"))["sessionRevokeOthers"][
        "count"
    ] == 0
    assert (await product.with_token(made["key"]).ask(MEMBERS)).errors == []


async def test_a_tenant_has_so_many_keys_and_no_more_however_they_are_made(product: Product) -> None:
    world = await World.make(product)
    await product.database.seen_by_owner(
        MANY, world.tenant.id, world.owner.user_id, world.owner.member_id, MOST_KEYS - 2
    )
    await world.prove(world.owner)
    other = await signed_in(product.database, world.tenant, "owner")
    await world.prove(other)
    given = {"name": "CI", "permissions": ["org:read"]}
    replies = await asyncio.gather(
        *(product.as_(who).ask(CREATE, {"input": given}) for who in (world.owner, other) * 4)
    )
    told = [reply.data["apiKeyCreate"]["__typename"] for reply in replies]
    assert sorted(told) == ["ApiKeyCreated"] * 2 + ["TooManyKeys"] * 6


async def test_no_key_reaches_the_log(product: Product, log: io.StringIO) -> None:
    _, made = await created(product, "user:read")
    machine = product.with_token(made["key"])
    await machine.ask(MEMBERS)
    await machine.ask("{ nonsense }")
    await product.with_token(made["key"] + "x").ask(MEMBERS)
    assert made["key"][14:50] not in log.getvalue()
