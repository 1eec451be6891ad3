"""Signing in over a socket: by a certified OIDC provider, by Firebase, and what a token is worth."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio

from tests.support.api import LOGIN, Product, Speaker, running_product
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in
from tests.support.firebase_emulator import RunningFirebaseEmulator
from tests.support.logins import address
from tests.support.oidc_provider import Person, RunningOidcProvider
from tests.support.serving import serving
from tests.support.world import World

SWITCH = """mutation($input: TenantSwitchInput!) { tenantSwitch(input: $input) { __typename
    ... on LoginSuccess { accessToken viewer { tenant { id } } } ... on Problem { code } } }"""
SESSIONS = """{ viewer { session { id isCurrent }
    sessions(first: 10) { totalCount nodes { id ip userAgent revoked isCurrent } } } }"""
WHO = "{ viewer { scope } }"


@pytest_asyncio.fixture(scope="module")
async def product(
    database: TemporaryDatabase,
    oidc_provider: RunningOidcProvider,
    firebase_emulator: RunningFirebaseEmulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Product]:
    """The product that trusts both."""
    providers = [oidc_provider.settings("RS256")]
    folder = tmp_path_factory.mktemp("product")
    with firebase_emulator.in_environment():
        async with running_product(
            database, folder, providers=providers, firebase_project=firebase_emulator.project
        ) as made:
            yield made


@pytest_asyncio.fixture(scope="module")
async def http(product: Product) -> AsyncIterator[httpx.AsyncClient]:
    """A client on a socket."""
    async with serving(product.wire) as base, httpx.AsyncClient(base_url=base, trust_env=False) as client:
        yield client


async def by_oidc(
    product: Product, http: httpx.AsyncClient, provider: RunningOidcProvider, email: str, **choice: object
) -> dict[str, Any]:
    """What `login` comes to for this person of the provider."""
    product.clock.now = datetime.now(UTC)
    token = await provider.id_token(Person(f"sub-{email}", email), nonce="n-1")
    door = {"idToken": token, "issuer": provider.issuer, "nonce": "n-1", **choice}
    return (await Speaker(http).query(LOGIN, input={"oidc": door}))["login"]


@pytest.mark.requirement("J-03", "001-01", "001-02", "001-03", "001-04", "001-05", "000-13", "003-28")
async def test_a_member_signs_in_by_code_and_pkce_and_uses_the_token(
    product: Product, http: httpx.AsyncClient, oidc_provider: RunningOidcProvider
) -> None:
    tenant = await make_tenant(product.database)
    member = await make_member(product.database, tenant, "manager")
    login = await by_oidc(product, http, oidc_provider, member.email)
    assert login["__typename"] == "LoginSuccess"
    assert login["viewer"]["member"]["id"] == member.node_id
    claims = jwt.decode(login["accessToken"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 7_200
    assert claims["tenant_id"] == claims["orgId"] == tenant.node_id
    assert claims["sub"] == claims["userId"] == login["viewer"]["user"]["id"]
    assert (claims["role"], claims["roles"], claims["scope"]) == ("manager", ["manager"], "tenant")
    assert len(claims["permissions"]) == 14
    assert not {"email", "name"} & set(claims)
    keys = (await http.get("/.well-known/jwks.json")).json()
    kid = jwt.get_unverified_header(login["accessToken"])["kid"]
    (key,) = [jwt.PyJWK(each) for each in keys["keys"] if each["kid"] == kid]
    verified = jwt.decode(
        login["accessToken"],
        key,
        algorithms=["ES256"],
        audience=product.settings.audience,
        issuer=product.settings.issuer,
    )
    assert verified == claims
    data = await Speaker(http, login["accessToken"]).query(
        "{ viewer { member { roles { key } } } tenant { slug } }"
    )
    assert data["tenant"]["slug"] == tenant.slug


@pytest.mark.requirement("003-28", "J-03", "J-08")
async def test_a_member_signs_in_with_firebase(
    product: Product, http: httpx.AsyncClient, firebase_emulator: RunningFirebaseEmulator
) -> None:
    tenant = await make_tenant(product.database)
    member = await make_member(product.database, tenant, "agent")
    token = await firebase_emulator.sign_up(member.email, "correct horse")
    product.clock.now = datetime.now(UTC)
    login = (await Speaker(http).query(LOGIN, input={"firebase": {"idToken": token}}))["login"]
    assert login["__typename"] == "LoginSuccess"
    claims = jwt.decode(login["accessToken"], options={"verify_signature": False})
    assert (claims["orgId"], claims["userId"]) == (tenant.node_id, login["viewer"]["user"]["id"])
    assert (claims["role"], len(claims["permissions"])) == ("agent", 7)
    bound = await product.database.value(
        "SELECT count(*) FROM identity WHERE user_id = (SELECT user_id FROM member WHERE id = $1)", member.id
    )
    assert bound == 1


async def test_firebase_people_who_are_not_who_we_wait_for(
    product: Product, http: httpx.AsyncClient, firebase_emulator: RunningFirebaseEmulator
) -> None:
    tenant = await make_tenant(product.database)
    member = await make_member(product.database, tenant, "agent")
    unverified = await firebase_emulator.sign_up(member.email, "correct horse", verified=False)
    stranger = await firebase_emulator.sign_up(address(), "correct horse")
    product.clock.now = datetime.now(UTC)
    for token in (unverified, stranger):
        reply = await Speaker(http).ask(LOGIN, {"input": {"firebase": {"idToken": token}}})
        outcome = (reply.body.get("data") or {}).get("login") or {}
        assert outcome.get("code") == "NOT_INVITED" or reply.codes == ["UNAUTHENTICATED"]
    reply = await Speaker(http).ask(LOGIN, {"input": {"firebase": {"idToken": "no.token.at-all"}}})
    assert reply.codes == ["UNAUTHENTICATED"]
    assert await product.database.value("SELECT count(*) FROM session WHERE member_id = $1", member.id) == 0


async def test_a_stranger_is_not_invited_and_leaves_no_trace(
    product: Product, http: httpx.AsyncClient, oidc_provider: RunningOidcProvider
) -> None:
    email = address()
    assert (await by_oidc(product, http, oidc_provider, email))["code"] == "NOT_INVITED"
    assert await product.database.value('SELECT count(*) FROM "user" WHERE email = $1', email) == 0


@pytest.mark.requirement("003-32", "004-16")
async def test_an_invited_person_joins_by_signing_in(
    product: Product, http: httpx.AsyncClient, oidc_provider: RunningOidcProvider
) -> None:
    world = await World.make(product)
    email = address()
    await world.invited(email)
    login = await by_oidc(product, http, oidc_provider, email)
    assert login["__typename"] == "LoginSuccess"
    status = await product.database.value("SELECT status FROM member WHERE email = $1", email)
    assert status == "ACTIVE"


@pytest.mark.requirement("003-01")
async def test_a_person_of_several_tenants_chooses_with_a_ticket_that_works_once(
    product: Product, http: httpx.AsyncClient, oidc_provider: RunningOidcProvider
) -> None:
    first, second = (
        await make_tenant(product.database, name="A"),
        await make_tenant(product.database, name="B"),
    )
    member = await make_member(product.database, first, "agent")
    await make_member(product.database, second, "manager", email=member.email)
    asked = await by_oidc(product, http, oidc_provider, member.email)
    assert (asked["__typename"], asked["code"]) == ("TenantChoiceRequired", "TENANT_CHOICE_REQUIRED")
    assert [each["name"] for each in asked["choices"]] == ["A", "B"]
    assert {each["tenantId"] for each in asked["choices"]} == {first.node_id, second.node_id}
    choice = {"tenantId": second.node_id, "ticket": asked["ticket"]}
    entered = (await Speaker(http).query(SWITCH, input=choice))["tenantSwitch"]
    assert entered["viewer"]["tenant"]["id"] == second.node_id
    again = await Speaker(http).ask(SWITCH, {"input": choice})
    assert (again.codes, again.errors[0]["extensions"]["reason"]) == (["UNAUTHENTICATED"], "TICKET_INVALID")
    named = await by_oidc(product, http, oidc_provider, member.email, tenantId=first.node_id)
    assert named["viewer"]["tenant"]["id"] == first.node_id
    there = Speaker(http, named["accessToken"])
    switched = (await there.query(SWITCH, input={"tenantId": second.node_id}))["tenantSwitch"]
    assert switched["viewer"]["tenant"]["id"] == second.node_id
    assert (await there.ask(WHO)).status == 200
    mine = await there.query(
        "{ viewer { memberships(first: 5) { nodes { tenant { name } roles { key } } } } }"
    )
    assert {each["tenant"]["name"] for each in mine["viewer"]["memberships"]["nodes"]} == {"A", "B"}


async def test_a_switch_without_token_or_ticket_is_no_login(http: httpx.AsyncClient) -> None:
    reply = await Speaker(http).ask(SWITCH, {"input": {"tenantId": "T_any"}})
    assert (reply.codes, reply.errors[0]["extensions"]["reason"]) == (["UNAUTHENTICATED"], "MISSING")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"issuer": "https://other.example"}, "UNKNOWN_ISSUER"),
        ({"nonce": "another"}, "NONCE_MISMATCH"),
        ({"idToken": "eyJhbGciOiJub25lIn0.e30."}, "ALGORITHM_NOT_ALLOWED"),
        ({"idToken": "x"}, "MALFORMED"),
    ],
)
async def test_a_token_that_does_not_hold_says_why(
    product: Product,
    http: httpx.AsyncClient,
    oidc_provider: RunningOidcProvider,
    changes: dict[str, str],
    code: str,
) -> None:
    product.clock.now = datetime.now(UTC)
    token = await oidc_provider.id_token(Person("someone", address()), nonce="n-1")
    door = {"idToken": token, "issuer": oidc_provider.issuer, "nonce": "n-1"} | changes
    reply = await Speaker(http).ask(LOGIN, {"input": {"oidc": door}})
    assert (reply.codes, reply.errors[0]["extensions"]["reason"]) == (["UNAUTHENTICATED"], code)


@pytest.mark.requirement("000-04", "001-01", "000-14", "001-30")
@pytest.mark.parametrize("scheme", ["Basic", "Bearer", "bearer"])
async def test_the_token_comes_as_a_bearer_token_and_nothing_else_passes(
    product: Product, http: httpx.AsyncClient, scheme: str
) -> None:
    member = await make_member(product.database, await make_tenant(product.database), "agent")
    product.clock.now = datetime.now(UTC)
    token = (await product.as_member(member)).token or ""
    forged = token[:-6] + ("AAAAAA" if not token.endswith("AAAAAA") else "BBBBBB")
    for value, status in ((token, 401 if scheme == "Basic" else 200), (forged, 401)):
        answer = await http.post(
            "/graphql",
            json={"query": WHO},
            headers={"Authorization": f"{scheme} {value}", "Accept": "application/graphql-response+json"},
        )
        assert answer.status_code == status


@pytest.mark.requirement("000-03")
async def test_a_token_lives_two_hours(product: Product, http: httpx.AsyncClient) -> None:
    member = await make_member(product.database, await make_tenant(product.database), "agent")
    product.clock.now = datetime.now(UTC)
    authority = await sign_in(product.database, member, lifetime=10 * 3_600)
    speaker = Speaker(http, product.as_(authority).token)
    product.clock.forward(7_190)
    assert (await speaker.ask(WHO)).status == 200
    product.clock.forward(11)
    expired = await speaker.ask(WHO)
    product.clock.now = datetime.now(UTC)
    assert (expired.status, expired.errors[0]["extensions"]["reason"]) == (401, "EXPIRED")


@pytest.mark.requirement("001-01")
async def test_sessions_are_listed_and_ended(product: Product, http: httpx.AsyncClient) -> None:
    member = await make_member(product.database, await make_tenant(product.database), "agent")
    product.clock.now = datetime.now(UTC)
    speakers = [Speaker(http, (await product.as_member(member)).token) for _ in range(4)]
    here, *others = speakers
    viewer = (await here.query(SESSIONS))["viewer"]
    assert viewer["sessions"]["totalCount"] == 4
    assert [each["id"] for each in viewer["sessions"]["nodes"] if each["isCurrent"]] == [
        viewer["session"]["id"]
    ]
    theirs = (await others[0].query(SESSIONS))["viewer"]["session"]["id"]
    revoke = """mutation($id: ID!) { sessionRevoke(input: {sessionId: $id}) { session { id revoked } } }"""
    data = await here.query(revoke, id=theirs)
    assert data["sessionRevoke"]["session"] == {"id": theirs, "revoked": True}
    refused = await others[0].ask(WHO)
    assert (refused.status, refused.errors[0]["extensions"]["reason"]) == (401, "REVOKED")
    data = await here.query("mutation { sessionRevokeOthers { count } }")
    assert data["sessionRevokeOthers"]["count"] == 2
    assert [(await each.ask(WHO)).status for each in speakers] == [200, 401, 401, 401]
    assert (await here.query("mutation { logout { success } }"))["logout"]["success"] is True
    refused = await here.ask(WHO)
    assert (refused.status, refused.errors[0]["extensions"]["reason"]) == (401, "REVOKED")


async def test_the_server_says_how_to_sign_in(
    product: Product, http: httpx.AsyncClient, oidc_provider: RunningOidcProvider
) -> None:
    data = await Speaker(http).query(
        "{ serverInfo { version environment signInMethods { kind title issuer clientId } } }"
    )
    methods = {each["kind"]: each for each in data["serverInfo"]["signInMethods"]}
    assert set(methods) == {"OIDC", "FIREBASE"}
    assert methods["FIREBASE"]["issuer"] == product.settings.firebase_project
    issuers = [each["issuer"] for each in data["serverInfo"]["signInMethods"]]
    assert oidc_provider.issuer in issuers


@pytest.mark.requirement("001-03", "001-05")
async def test_the_platform_signs_in_without_a_tenant(
    product: Product, http: httpx.AsyncClient, oidc_provider: RunningOidcProvider
) -> None:
    world = await World.make(product)
    await world.enter("platform")
    assert world.caller is not None
    email = await product.database.value("SELECT email FROM member WHERE id = $1", world.caller.member_id)
    login = await by_oidc(product, http, oidc_provider, str(email), scope="SYSTEM")
    claims = jwt.decode(login["accessToken"], options={"verify_signature": False})
    assert (claims["tenant_id"], claims["scope"], claims["role"]) == (None, "system", "super_admin")
