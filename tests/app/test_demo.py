"""The demo of `make run`: everyone whom the development provider offers signs in, as what they are."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

VERIFIER = "v" * 43
LOGIN = """mutation($token: JWT!, $issuer: String!) {
  login(input: {oidc: {idToken: $token, issuer: $issuer}}) { __typename
    ... on LoginSuccess { accessToken viewer { scope roles { key } tenant { slug } } } } }"""
INVITE = """mutation { invitationsCreate(input: {invitations: [{email: "a@b.example", roleIds: []}]}) {
  __typename } }"""
# Each asks for one of the service's own permissions, which a product's permissions cover.
QUESTIONS = {
    "members": "{ tenant { members(first: 1) { totalCount } } }",
    "trail": "{ tenant { auditEvents(first: 1) { totalCount } } }",
    "tenants": "{ system { tenants(first: 1) { totalCount } } }",
    "invite": INVITE,
}

# address, slug of the tenant or None for the platform, role, what of QUESTIONS is answered.
PEOPLE = [
    ("oscar@contact.example", "contact-center", "owner", "members trail invite"),
    ("ophelia@contact.example", "contact-center", "ops_manager", ""),
    ("quentin@contact.example", "contact-center", "qa_manager", "trail"),
    ("sofia@contact.example", "contact-center", "supervisor", ""),
    ("senta@contact.example", "contact-center", "senior_agent", ""),
    ("arno@contact.example", "contact-center", "agent", ""),
    ("piet@contact.example", None, "platform_admin", "tenants"),
    ("tara@crm.example", "messaging-crm", "ADMIN", "members trail invite"),
    ("ugo@crm.example", "messaging-crm", "USER", "members"),
    ("greta@crm.example", "messaging-crm", "GUEST", ""),
    ("stella@crm.example", None, "SUPER_ADMIN", "tenants"),
    ("ada@crm.example", None, "ADMIN", "tenants"),
    ("udo@crm.example", None, "USER", "tenants"),
    ("agnes@research.example", "research-workspace", "ADMIN", "members trail invite"),
    ("mats@research.example", "research-workspace", "MEMBER", "members"),
    ("viola@research.example", "research-workspace", "VIEWER", ""),
    ("olivia@phone.example", "phone-system", "owner", "members trail invite"),
    ("adam@phone.example", "phone-system", "admin", "members trail invite"),
    ("mia@phone.example", "phone-system", "manager", "members trail"),
    ("gina@phone.example", "phone-system", "agent", ""),
    ("orla@abac.example", "abac-suite", "owner", "members trail invite"),
    ("anton@abac.example", "abac-suite", "administrator", "members trail invite"),
    ("carla@abac.example", "abac-suite", "call_analyst note_writer", "members"),
    ("nils@abac.example", "abac-suite", "note_editor", ""),
    ("nora@abac.example", "abac-suite", "note_writer", ""),
    ("otto@abac.example", "abac-suite", "observer", "members"),
    ("petra@tenantry.example", None, "super_admin", "tenants"),
]


@pytest_asyncio.fixture
async def http(running_server: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=running_server, trust_env=False) as client:
        yield client


def asked(url: str) -> dict[str, str]:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    return {
        "response_type": "code",
        "client_id": "tenantry-development",
        "redirect_uri": f"{url}/graphiql/callback.html",
        "scope": "openid email",
        "state": "any",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }


async def id_token(http: httpx.AsyncClient, url: str, email: str) -> str:
    """As a browser gets it from the development provider."""
    sent = await http.post("/dev/idp/authorize", data={**asked(url), "email": email})
    form = {
        "grant_type": "authorization_code",
        "client_id": "tenantry-development",
        "redirect_uri": f"{url}/graphiql/callback.html",
        "code": parse_qs(urlsplit(sent.headers["location"]).query)["code"][0],
        "code_verifier": VERIFIER,
    }
    return (await http.post("/dev/idp/token", data=form)).json()["id_token"]


async def ask(
    http: httpx.AsyncClient, document: str, token: str | None, variables: dict[str, str] | None = None
) -> dict[str, Any]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = {"query": document, "variables": variables or {}}
    return (await http.post("/graphql", json=body, headers=headers)).json()


async def test_the_provider_offers_each_tenants_people_and_the_platforms(
    http: httpx.AsyncClient, running_server: str
) -> None:
    page = (await http.get("/dev/idp/authorize", params=asked(running_server))).text
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "ABAC suite demo",
        "Contact centre demo",
        "Messaging CRM demo",
        "Phone system demo",
        "Research workspace demo",
        "Platform",
        "Someone else",
    ]
    assert {email for email, *_ in PEOPLE} <= set(re.findall(r'name="email" value="(.*?)"', page))


@pytest.mark.requirement("000-16", "000-21", "001-08", "001-31", "002-10", "003-01", "004-10")
@pytest.mark.parametrize(("email", "slug", "roles", "answered"), PEOPLE, ids=[row[0] for row in PEOPLE])
async def test_everyone_signs_in_and_may_what_their_role_says(
    http: httpx.AsyncClient, running_server: str, email: str, slug: str | None, roles: str, answered: str
) -> None:
    given = {"token": await id_token(http, running_server, email), "issuer": f"{running_server}/dev/idp"}
    reply = await ask(http, LOGIN, None, given)
    assert "errors" not in reply
    login = reply["data"]["login"]
    assert login["__typename"] == "LoginSuccess"
    viewer = login["viewer"]
    assert viewer["scope"] == ("SYSTEM" if slug is None else "TENANT")
    assert [role["key"] for role in viewer["roles"]] == roles.split()
    if slug is not None:
        assert viewer["tenant"]["slug"] == slug
    replies = {name: await ask(http, text, login["accessToken"]) for name, text in QUESTIONS.items()}
    codes = {error["extensions"]["code"] for reply in replies.values() for error in reply.get("errors", [])}
    assert [name for name, reply in replies.items() if "errors" not in reply] == answered.split()
    assert codes <= {"FORBIDDEN", "SCOPE_MISMATCH"}
