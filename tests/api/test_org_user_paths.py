"""The paths of document 003: who may send what there, what comes back, and what is recorded."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.api import Product, Speaker, running_product
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_api_key, make_member, make_tenant, system_authority
from tests.support.firebase_emulator import RunningFirebaseEmulator
from tests.support.logins import address
from tests.support.paths import Visitor, error_of, records, refused
from tests.support.world import World

USERS = "/api/v1/org-users"
PROFILE = "/api/v1/org-users/me/profile"
INVITE = "/api/v1/org-users/invite"
ROLES = "/api/v1/roles"
LOGIN = "/api/v1/auth/user-login"
NOBODYS = "M_AAAAAAAAAAAAAAAAAAAAAA"


@pytest_asyncio.fixture(scope="module")
async def product(
    database: TemporaryDatabase,
    firebase_emulator: RunningFirebaseEmulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Product]:
    """The product that trusts Firebase."""
    with firebase_emulator.in_environment():
        folder = tmp_path_factory.mktemp("product")
        async with running_product(database, folder, firebase_project=firebase_emulator.project) as made:
            yield made


async def visitor(world: World, who: str) -> Visitor:
    return Visitor(world.product, await world.enter(who))


async def roles_of(world: World, member_id: str) -> list[str]:
    rows = await world.product.database.seen_by_owner(
        "SELECT r.key FROM member m JOIN member_role h ON h.member_id = m.id JOIN role r ON r.id = h.role_id"
        " WHERE m.node_id = $1 ORDER BY r.key",
        member_id,
    )
    return [row["key"] for row in rows]


# --- POST /api/v1/auth/user-login -----------------------------------------------------------------


@pytest.mark.requirement("003-21", "001-06")
async def test_a_firebase_token_is_exchanged_for_ours(
    product: Product, firebase_emulator: RunningFirebaseEmulator
) -> None:
    member = await make_member(
        product.database, await make_tenant(product.database), "admin", email=address()
    )
    token = await firebase_emulator.sign_up(member.email, "correct horse")
    answer = await Visitor(product, product.anonymous).send("POST", LOGIN, {"firebase_token": token})
    assert answer.status_code == 200
    assert set(answer.json()) == {"accessToken", "expiresAt"}
    assert answer.headers["set-cookie"].startswith("__Host-tenantry_refresh=")
    signed_in = Visitor(product, product.with_token(answer.json()["accessToken"]))
    profile = (await signed_in.get(PROFILE)).json()
    assert (profile["member"]["email"], [role["key"] for role in profile["roles"]]) == (
        member.email,
        ["admin"],
    )
    (record,) = await records(product, answer)
    assert (record["method"], record["path"], record["action"]) == ("POST", LOGIN, "authentication.login")
    assert token not in str(record)


@pytest.mark.requirement("003-21")
async def test_a_login_that_comes_to_something_else_says_to_what(
    product: Product, firebase_emulator: RunningFirebaseEmulator
) -> None:
    nobody = Visitor(product, product.anonymous)
    stranger = await firebase_emulator.sign_up(address(), "correct horse")
    answer = await nobody.send("POST", LOGIN, {"firebase_token": stranger})
    assert refused(answer) == (403, "NOT_INVITED")
    assert "set-cookie" not in answer.headers
    one, two = await make_tenant(product.database), await make_tenant(product.database)
    email = address()
    await make_member(product.database, one, email=email)
    await make_member(product.database, two, email=email)
    token = await firebase_emulator.sign_up(email, "correct horse")
    answer = await nobody.send("POST", LOGIN, {"firebase_token": token})
    assert refused(answer) == (409, "TENANT_CHOICE_REQUIRED")
    facts = error_of(answer)["extensions"]
    assert {each["tenantId"] for each in facts["choices"]} == {one.node_id, two.node_id}
    assert set(facts) == {"code", "choices", "ticket"}
    chosen = await nobody.send("POST", LOGIN, {"firebase_token": token, "tenantId": two.node_id})
    assert chosen.status_code == 200
    profile = await Visitor(product, product.with_token(chosen.json()["accessToken"])).get(PROFILE)
    assert profile.json()["tenant"]["id"] == two.node_id


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"firebase_token": "x"}, 401, "UNAUTHENTICATED"),
        ({}, 400, "BAD_USER_INPUT"),
        ({"firebase_token": None}, 400, "BAD_USER_INPUT"),
        ({"firebase_token": 1}, 400, "BAD_USER_INPUT"),
        ({"firebase_token": "x", "scope": "ALL"}, 400, "BAD_USER_INPUT"),
        ({"idToken": "x"}, 400, "BAD_USER_INPUT"),
    ],
)
async def test_what_is_no_proof_signs_nobody_in(
    product: Product, body: dict[str, object], status: int, code: str
) -> None:
    answer = await Visitor(product, product.anonymous).send("POST", LOGIN, body)
    assert refused(answer) == (status, code)
    assert "set-cookie" not in answer.headers


# --- POST /api/v1/org-users/invite ----------------------------------------------------------------


@pytest.mark.requirement("003-22")
async def test_an_admin_invites_by_the_roles_name(product: Product) -> None:
    world = await World.make(product)
    admin, email = await visitor(world, "admin"), address()
    answer = await admin.send("POST", INVITE, {"email": email, "name": "New", "role": "manager"})
    assert answer.status_code == 201
    invitation = answer.json()["invitation"]
    assert (invitation["email"], invitation["status"]) == (email, "PENDING")
    assert [role["key"] for role in invitation["roles"]] == ["manager"]
    assert len(product.mail.to(email)) == 1
    (record,) = await records(product, answer)
    assert (record["method"], record["path"], record["outcome"]) == ("POST", INVITE, "OK")
    assert (record["operation_name"], record["tenant"]) == ("OrgUserInvite", world.tenant.node_id)
    again = await admin.send("POST", INVITE, {"email": email, "role": "manager"})
    assert refused(again) == (409, "INVITATION_PENDING")


@pytest.mark.requirement("003-22", "001-30")
@pytest.mark.parametrize(
    ("who", "status", "code"),
    [("anonymous", 401, "UNAUTHENTICATED"), ("agent", 403, "FORBIDDEN"), ("manager", 403, "FORBIDDEN")],
)
async def test_below_an_admin_nobody_is_invited(product: Product, who: str, status: int, code: str) -> None:
    world = await World.make(product)
    email = address()
    answer = await (await visitor(world, who)).send("POST", INVITE, {"email": email, "role": "agent"})
    assert refused(answer) == (status, code)
    assert product.mail.to(email) == []
    assert await product.database.value("SELECT count(*) FROM invitation WHERE email = $1", email) == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"email": "no address", "role": "agent"}, 400, "INVALID_EMAIL"),
        ({"email": "a@people.example", "role": "owner"}, 403, "ROLE_NOT_GRANTABLE"),
        ({"email": "a@people.example", "role": "no_such_role"}, 404, "NOT_FOUND"),
        ({"email": "a@people.example"}, 400, "BAD_USER_INPUT"),
        ({"email": "a@people.example", "role": "agent", "extension": "12"}, 400, "BAD_USER_INPUT"),
        ([], 400, "BAD_USER_INPUT"),
    ],
)
async def test_what_cannot_be_asked_in(product: Product, body: object, status: int, code: str) -> None:
    world = await World.make(product)
    answer = await (await visitor(world, "admin")).send("POST", INVITE, body)
    assert refused(answer) == (status, code)
    assert product.mail.to("a@people.example") == []


# --- GET /api/v1/org-users, /me/profile, /roles ---------------------------------------------------


@pytest.mark.requirement("003-23")
async def test_a_manager_lists_the_people_page_by_page(product: Product) -> None:
    world = await World.make(product)
    for name in ("b", "c"):
        await make_member(product.database, world.tenant, "agent", email=f"{name}-{address()}")
    manager = await visitor(world, "manager")
    first = (await manager.get(USERS, first="2")).json()
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"], len(first["nodes"])) == (4, True, 2)
    rest = (await manager.get(USERS, first="2", after=first["pageInfo"]["endCursor"])).json()
    assert rest["pageInfo"]["hasNextPage"] is False
    emails = [node["email"] for page in (first, rest) for node in page["nodes"]]
    assert emails == sorted(emails)
    assert len(set(emails)) == 4
    assert set(first["nodes"][0]) == {
        "id", "email", "name", "status", "isOwner", "roles", "extension", "joinedAt", "lastSeenAt",
    }  # fmt: skip
    everybody = (await manager.get(USERS)).json()
    assert len(everybody["nodes"]) == 4
    found = (await manager.get(USERS, search="b-", status="ACTIVE")).json()
    assert [node["email"][:2] for node in found["nodes"]] == ["b-"]


@pytest.mark.requirement("003-23", "001-30")
@pytest.mark.parametrize(
    ("who", "status", "code"), [("anonymous", 401, "UNAUTHENTICATED"), ("agent", 403, "FORBIDDEN")]
)
async def test_below_a_manager_nobody_is_listed(product: Product, who: str, status: int, code: str) -> None:
    world = await World.make(product)
    answer = await (await visitor(world, who)).get(USERS)
    assert refused(answer) == (status, code)
    assert world.owner.member not in answer.text
    assert ("www-authenticate" in answer.headers) is (who == "anonymous")


@pytest.mark.requirement("003-24")
@pytest.mark.parametrize("who", ["agent", "manager", "admin", "owner"])
async def test_everybody_sees_their_own_profile(product: Product, who: str) -> None:
    world = await World.make(product)
    answer = await (await visitor(world, who)).get(PROFILE)
    profile = answer.json()
    assert answer.status_code == 200
    assert [role["key"] for role in profile["roles"]] == [who]
    assert len(profile["permissions"]) == {"agent": 7, "manager": 14, "admin": 29, "owner": 30}[who]
    assert world.caller is not None
    assert (profile["member"]["id"], profile["tenant"]["id"]) == (world.caller.member, world.tenant.node_id)


async def test_a_machine_has_a_profile_too(product: Product) -> None:
    world = await World.make(product)
    key = await make_api_key(product.database, world.owner, "user:read")
    machine = Visitor(product, Speaker(product.http, key.text))
    assert (await machine.get(PROFILE)).json()["permissions"] == ["user:read"]
    assert (await machine.get(USERS)).status_code == 200
    assert refused(await machine.send("POST", INVITE, {"email": address(), "role": "agent"})) == (
        403, "FORBIDDEN",
    )  # fmt: skip


@pytest.mark.requirement("003-27")
async def test_roles_come_with_their_permissions(product: Product) -> None:
    world = await World.make(product)
    answer = (await (await visitor(world, "agent")).get(ROLES)).json()
    counts = {role["key"]: len(role["permissions"]) for role in answer["nodes"]}
    assert counts == {"owner": 30, "admin": 29, "manager": 14, "agent": 7}
    assert refused(await (await visitor(world, "anonymous")).get(ROLES)) == (401, "UNAUTHENTICATED")


# --- PUT /api/v1/org-users/:id/role, DELETE /api/v1/org-users/:id ---------------------------------


@pytest.mark.requirement("003-25")
async def test_an_admin_changes_a_role(product: Product) -> None:
    world = await World.make(product)
    member = await make_member(product.database, world.tenant, "agent")
    path = f"{USERS}/{member.node_id}/role"
    answer = await (await visitor(world, "admin")).send("PUT", path, {"role": "manager"})
    assert answer.status_code == 200
    assert [role["key"] for role in answer.json()["member"]["roles"]] == ["manager"]
    assert await roles_of(world, member.node_id) == ["manager"]
    (record,) = await records(product, answer)
    assert (record["method"], record["path"], record["action"]) == ("PUT", path, "member.roles_set")


@pytest.mark.requirement("003-25", "001-30")
@pytest.mark.parametrize(
    ("who", "role", "status", "code"),
    [
        ("anonymous", "manager", 401, "UNAUTHENTICATED"),
        ("manager", "manager", 403, "FORBIDDEN"),
        ("admin", "owner", 403, "ROLE_NOT_GRANTABLE"),
        ("admin", "no_such_role", 404, "NOT_FOUND"),
    ],
)
async def test_a_role_that_is_not_theirs_to_give(
    product: Product, who: str, role: str, status: int, code: str
) -> None:
    world = await World.make(product)
    member = await make_member(product.database, world.tenant, "agent")
    answer = await (await visitor(world, who)).send("PUT", f"{USERS}/{member.node_id}/role", {"role": role})
    assert refused(answer) == (status, code)
    assert await roles_of(world, member.node_id) == ["agent"]


@pytest.mark.requirement("003-26")
async def test_an_admin_removes_a_member(product: Product) -> None:
    world = await World.make(product)
    member = await make_member(product.database, world.tenant, "agent")
    theirs = Visitor(product, await product.as_member(member))
    answer = await (await visitor(world, "admin")).send("DELETE", f"{USERS}/{member.node_id}")
    assert (answer.status_code, answer.json()) == (200, {"memberId": member.node_id})
    assert refused(await theirs.get(PROFILE)) == (401, "UNAUTHENTICATED")
    (record,) = await records(product, answer)
    assert (record["method"], record["action"], record["targets"]) == (
        "DELETE",
        "member.remove",
        [member.node_id],
    )


@pytest.mark.requirement("003-26", "001-30")
@pytest.mark.parametrize(
    ("who", "status", "code"), [("anonymous", 401, "UNAUTHENTICATED"), ("manager", 403, "FORBIDDEN")]
)
async def test_below_an_admin_nobody_is_removed(product: Product, who: str, status: int, code: str) -> None:
    world = await World.make(product)
    member = await make_member(product.database, world.tenant, "agent")
    answer = await (await visitor(world, who)).send("DELETE", f"{USERS}/{member.node_id}")
    assert refused(answer) == (status, code)
    assert await roles_of(world, member.node_id) == ["agent"]


@pytest.mark.requirement("003-26")
async def test_owners_stay_where_an_admin_or_the_last_of_them_asks(product: Product) -> None:
    world = await World.make(product)
    path = f"{USERS}/{world.owner.member}"
    assert refused(await (await visitor(world, "admin")).send("DELETE", path)) == (403, "FORBIDDEN")
    owner = Visitor(product, product.as_(world.owner))
    assert refused(await owner.send("DELETE", path)) == (409, "LAST_OWNER")
    assert await roles_of(world, world.owner.member) == ["owner"]


@pytest.mark.requirement("001-19")
async def test_another_tenants_member_and_none_are_the_same_there(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    member = await make_member(product.database, other.tenant, "agent")
    admin = await visitor(world, "admin")
    for method, tail, body in (("DELETE", "", None), ("PUT", "/role", {"role": "manager"})):
        theirs = await admin.send(method, f"{USERS}/{member.node_id}{tail}", body)
        nobodys = await admin.send(method, f"{USERS}/{NOBODYS}{tail}", body)
        assert refused(theirs) == (404, "NOT_FOUND")
        assert theirs.text == nobodys.text
    assert await roles_of(other, member.node_id) == ["agent"]


@pytest.mark.parametrize("token", ["", "no.token.of-ours"])
async def test_what_no_record_could_hold_in_a_path_keeps_nobody_from_being_recorded(
    product: Product, token: str
) -> None:
    world = await World.make(product)
    bearer = token or (await world.enter("admin")).token
    answer = await product.http.delete(
        f"{USERS}/a%00b%0A{'x' * 400}", headers={"Authorization": f"Bearer {bearer}"}
    )
    assert refused(answer) == ((401, "UNAUTHENTICATED") if token else (400, "BAD_USER_INPUT"))
    (record,) = await records(product, answer)
    assert record["path"].startswith(f"{USERS}/abx")
    assert len(record["path"]) <= 300


# --- the tenant that a request names besides ------------------------------------------------------


@pytest.mark.requirement("001-21", "001-19")
async def test_a_tenant_that_is_named_must_be_the_tokens(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    admin = await visitor(world, "admin")
    assert (await admin.get(USERS, tenantId=world.tenant.node_id)).status_code == 200
    foreign = await admin.get(USERS, tenantId=other.tenant.node_id)
    assert refused(foreign) == (404, "NOT_FOUND")
    assert foreign.text == (await admin.get(USERS, tenantId="T_none")).text
    (record,) = await records(product, foreign)
    assert (record["action"], record["code"], record["tenant"]) == (
        "operation.refused", "NOT_FOUND", world.tenant.node_id,
    )  # fmt: skip
    email = address()
    body = {"email": email, "role": "agent", "tenantId": other.tenant.node_id}
    assert refused(await admin.send("POST", INVITE, body)) == (404, "NOT_FOUND")
    assert product.mail.to(email) == []
    assert (await admin.send("POST", INVITE, body | {"tenantId": world.tenant.node_id})).status_code == 201
    assert refused(await admin.send("POST", INVITE, body | {"tenantId": 5})) == (400, "BAD_USER_INPUT")


@pytest.mark.requirement("001-21")
async def test_an_argument_that_names_a_tenant_must_name_the_tokens(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    owner = product.as_(world.owner)
    update = 'mutation($id: ID) { tenantUpdate(input: {tenantId: $id, name: "Renamed"}) { tenant { name } } }'
    for foreign in (other.tenant.node_id, "T_none"):
        assert (await owner.ask(update, {"id": foreign})).codes == ["BAD_USER_INPUT"]
    assert (await owner.query(update, id=world.tenant.node_id))["tenantUpdate"]["tenant"]["name"] == "Renamed"
    names = await product.database.seen_by_owner("SELECT name FROM tenant WHERE id = $1", other.tenant.id)
    assert [row["name"] for row in names] == ["Acme"]


@pytest.mark.requirement("001-26", "001-31")
async def test_a_platform_token_finds_no_people_of_a_tenant_there(product: Product) -> None:
    world = await World.make(product)
    staff = Visitor(product, product.as_(await system_authority(product.database, "super_admin")))
    for method, path, body in (
        ("GET", USERS, None),
        ("GET", PROFILE, None),
        ("GET", ROLES, None),
        ("POST", INVITE, {"email": address(), "role": "agent"}),
        ("PUT", f"{USERS}/{world.owner.member}/role", {"role": "agent"}),
        ("DELETE", f"{USERS}/{world.owner.member}", None),
    ):
        answer = await staff.send(method, path, body)
        assert refused(answer) == (403, "SCOPE_MISMATCH")
        assert error_of(answer)["extensions"]["required"] == "TENANT"
    assert await roles_of(world, world.owner.member) == ["owner"]
