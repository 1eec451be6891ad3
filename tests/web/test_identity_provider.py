"""The development identity provider: code + PKCE and nothing less, spent once, on loopback only."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.routing import Mount

from tenantry.web.development.identity_provider import DemoPerson, identity_provider
from tests.support.clocks import MovableClock

ORIGIN = "http://127.0.0.1:8000"
ISSUER = f"{ORIGIN}/dev/idp"
REDIRECT = f"{ORIGIN}/graphiql/callback.html"
SPA = "http://localhost:5173/signed-in?from=idp"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code",
    "client_id": "tenantry-development",
    "redirect_uri": REDIRECT,
    "scope": "openid email",
    "state": "state-1",
    "nonce": "nonce-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
PEOPLE = (
    DemoPerson("olive@phone.example", "Olive <Owner>", "Northwind & Sons", ("Owner",)),
    DemoPerson("gus@phone.example", "Gus Agent", "Northwind & Sons", ("Agent",)),
    DemoPerson("olive@phone.example", "Olive <Owner>", "Southwind", ("Manager", "Auditor")),
)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest_asyncio.fixture
async def browser(clock: MovableClock) -> AsyncIterator[httpx.AsyncClient]:
    async with client(clock) as http:
        yield http


def client(clock: MovableClock, *, base: str = ORIGIN, peer: str = "127.0.0.1") -> httpx.AsyncClient:
    async def people() -> Sequence[DemoPerson]:
        return PEOPLE

    provider = identity_provider(
        issuer=ISSUER,
        client_id="tenantry-development",
        redirect_uris=[REDIRECT, SPA],
        people=people,
        clock=clock,
    )
    app = Starlette(routes=[Mount("/dev/idp", provider)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(peer, 1)), base_url=base)


async def choose(http: httpx.AsyncClient, email: str, **changes: str) -> httpx.Response:
    return await http.post("/dev/idp/authorize", data={**ASKED, **changes, "email": email})


async def code_for(http: httpx.AsyncClient, email: str = "olive@phone.example", **changes: str) -> str:
    answer = await choose(http, email, **changes)
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


async def redeem(http: httpx.AsyncClient, code: str, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": "tenantry-development",
        "redirect_uri": REDIRECT,
        "code": code,
        "code_verifier": VERIFIER,
    }
    return await http.post("/dev/idp/token", data={**form, **changes})


async def test_discovery_names_endpoints_under_the_issuer(browser: httpx.AsyncClient) -> None:
    found = (await browser.get("/dev/idp/.well-known/openid-configuration")).json()
    assert found["issuer"] == ISSUER
    assert {found[name] for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")} == {
        f"{ISSUER}/authorize",
        f"{ISSUER}/token",
        f"{ISSUER}/jwks.json",
    }
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["id_token_signing_alg_values_supported"] == ["ES256"]


async def test_the_page_lists_people_by_tenant_escaped(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/dev/idp/authorize", params=ASKED)
    assert answer.status_code == 200
    assert re.findall(r"<h2>(.*?)</h2>", answer.text) == ["Northwind &amp; Sons", "Southwind", "Someone else"]
    assert answer.text.count('name="email" value="olive@phone.example"') == 2
    assert "Olive &lt;Owner&gt;" in answer.text
    assert "Manager, Auditor" in answer.text


async def test_the_page_s_policy_allows_no_script_and_answers_to_the_client_only(
    browser: httpx.AsyncClient,
) -> None:
    answer = await browser.get("/dev/idp/authorize", params={**ASKED, "redirect_uri": SPA})
    policy = answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert "form-action 'self' http://localhost:5173;" in policy
    assert answer.headers["cache-control"] == "no-store"


async def test_a_hostile_state_stays_text(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/dev/idp/authorize", params={**ASKED, "state": '"><script>x</script>'})
    assert "<script>" not in answer.text
    assert "&quot;&gt;&lt;script&gt;" in answer.text


async def test_a_person_s_id_token(browser: httpx.AsyncClient, clock: MovableClock) -> None:
    answer = await redeem(browser, await code_for(browser))
    keys = (await browser.get("/dev/idp/jwks.json")).json()["keys"]
    token = answer.json()["id_token"]
    claims = jwt.decode(token, jwt.PyJWK(keys[0]), algorithms=["ES256"], audience="tenantry-development")
    now = int(clock.now.timestamp())
    assert claims.pop("sub") not in ("", "olive@phone.example")
    assert claims == {
        "iss": ISSUER,
        "aud": "tenantry-development",
        "iat": now,
        "exp": now + 300,
        "auth_time": now,
        "email": "olive@phone.example",
        "email_verified": True,
        "name": "Olive <Owner>",
        "nonce": "nonce-1",
    }
    assert answer.headers["cache-control"] == "no-store"


async def test_a_person_s_subject_outlives_the_provider(clock: MovableClock) -> None:
    subjects: set[str] = set()
    for _ in range(2):
        async with client(clock) as http:
            token = (await redeem(http, await code_for(http))).json()["id_token"]
            subjects.add(jwt.decode(token, options={"verify_signature": False})["sub"])
    assert len(subjects) == 1


async def test_any_other_address_will_do(browser: httpx.AsyncClient) -> None:
    token = (await redeem(browser, await code_for(browser, " New@Example.com "))).json()["id_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["email"], claims["name"]) == ("new@example.com", "new")


@pytest.mark.parametrize("email", ["", "nobody", "a b@example.com", "a@b@c"])
async def test_what_is_no_address_gets_no_code(browser: httpx.AsyncClient, email: str) -> None:
    answer = await choose(browser, email)
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_the_answer_carries_state_and_issuer(browser: httpx.AsyncClient) -> None:
    answer = await choose(browser, "gus@phone.example", redirect_uri=SPA)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{SPA}&code=")
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (query["state"], query["iss"]) == (["state-1"], [ISSUER])


async def test_a_fragment_keeps_the_code_from_servers(browser: httpx.AsyncClient) -> None:
    answer = await choose(browser, "gus@phone.example", response_mode="fragment")
    target = urlsplit(answer.headers["location"])
    assert target.query == ""
    assert set(parse_qs(target.fragment)) == {"code", "iss", "state"}


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "another"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": f"{REDIRECT}/"},
        {"redirect_uri": f"{REDIRECT}?x=1"},
        {"redirect_uri": ""},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_client_is_told_and_never_redirected(
    browser: httpx.AsyncClient, method: str, change: dict[str, str]
) -> None:
    fields = {**ASKED, **change, "email": "olive@phone.example"}
    where = {"params": fields} if method == "GET" else {"data": fields}
    answer = await browser.request(method, "/dev/idp/authorize", **where)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
    ],
)
async def test_a_lesser_flow_is_refused_to_the_client(
    browser: httpx.AsyncClient, change: dict[str, str], error: str
) -> None:
    answer = await browser.get("/dev/idp/authorize", params={**ASKED, **change})
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.headers["location"].startswith(REDIRECT)
    assert (query["error"], query["state"]) == ([error], ["state-1"])
    assert "code" not in query


async def test_a_parameter_given_twice_is_refused(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/dev/idp/authorize", params=[*ASKED.items(), ("state", "state-2")])
    assert answer.status_code == 400


async def test_many_parameters_are_refused(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/dev/idp/authorize", params={f"p{number}": "" for number in range(60)})
    assert answer.status_code == 400


async def test_a_code_is_spent_by_its_first_use(browser: httpx.AsyncClient) -> None:
    code = await code_for(browser)
    first, second = await redeem(browser, code), await redeem(browser, code)
    assert (first.status_code, second.status_code) == (200, 400)
    assert second.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "change",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"code_verifier": "v" * 42},
        {"client_id": "another"},
        {"redirect_uri": SPA},
    ],
)
async def test_a_wrong_proof_spends_the_code(browser: httpx.AsyncClient, change: dict[str, str]) -> None:
    code = await code_for(browser)
    refused, late = await redeem(browser, code, **change), await redeem(browser, code)
    assert [answer.json().get("error") for answer in (refused, late)] == ["invalid_grant"] * 2


async def test_another_grant_is_not_served(browser: httpx.AsyncClient) -> None:
    answer = await redeem(browser, "x", grant_type="password")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 400)])
async def test_a_code_lives_sixty_seconds(
    browser: httpx.AsyncClient, clock: MovableClock, seconds: int, status: int
) -> None:
    code = await code_for(browser)
    clock.forward(seconds)
    assert (await redeem(browser, code)).status_code == status


async def test_a_large_form_is_not_read(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/dev/idp/token", content=b"x" * 20_000)
    assert answer.status_code == 413


async def test_the_client_s_origin_may_redeem_and_no_other(browser: httpx.AsyncClient) -> None:
    paths = ("/dev/idp/jwks.json", "/dev/idp/.well-known/openid-configuration")
    for origin, allowed in (("http://localhost:5173", True), ("https://evil.example", False)):
        answers = [await browser.get(path, headers={"Origin": origin}) for path in paths]
        assert [("access-control-allow-origin" in answer.headers) for answer in answers] == [allowed] * 2


@pytest.mark.parametrize(
    ("base", "peer"),
    [(ORIGIN, "192.0.2.7"), ("http://rebound.example:8000", "127.0.0.1"), ("http://192.0.2.1", "::1")],
)
async def test_the_network_gets_nothing(clock: MovableClock, base: str, peer: str) -> None:
    async with client(clock, base=base, peer=peer) as http:
        answers = [
            await http.get("/dev/idp/authorize", params=ASKED),
            await choose(http, "olive@phone.example"),
        ]
    assert [answer.status_code for answer in answers] == [403, 403]


@pytest.mark.parametrize("base", ["http://localhost:8000", "http://[::1]:8000", "http://[::1]"])
async def test_every_name_of_this_machine_is_served(clock: MovableClock, base: str) -> None:
    async with client(clock, base=base, peer="::1") as http:
        assert (await http.get("/dev/idp/jwks.json")).status_code == 200


async def test_codes_and_addresses_are_not_logged(
    browser: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    code = await code_for(browser)
    await redeem(browser, code)
    lines = [record.getMessage() for record in caplog.records]
    assert not [line for line in lines if code in line or "olive@phone.example" in line]
