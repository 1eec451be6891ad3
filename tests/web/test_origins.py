"""Whose pages may call: CORS for the allowed, refusals for the rest, no hindrance for programs."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tenantry.web.origins import Origins, read_origin
from tenantry.web.refusals import CrossSite
from tests.support.serving import serving
from tests.support.wires import make_wire

SPA = "https://spa.example"
HELLO = {"query": "{ hello }"}


@pytest_asyncio.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    wire = make_wire(public_url="https://tenantry.example", allowed_origins=f"{SPA}/,https://b.example")
    async with serving(wire.app) as base, httpx.AsyncClient(base_url=base) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin", "cookie": "a=b"},
        {"sec-fetch-site": "cross-site", "x-tenantry-csrf": "1"},
        {"sec-fetch-site": "cross-site", "content-type": "application/json"},
        {"cookie": "a=b", "x-tenantry-csrf": "1"},
        {"origin": SPA, "sec-fetch-site": "cross-site"},
        {"origin": "https://tenantry.example", "sec-fetch-site": "same-origin"},
    ],
)
async def test_a_get_that_is_let_in(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.get("/graphql", params=HELLO, headers=headers)
    assert response.json() == {"data": {"hello": "world"}}


async def test_an_allowed_page_may_read_the_answer_and_what_went_wrong(client: httpx.AsyncClient) -> None:
    for body, status in ((HELLO, 200), ({"query": 1}, 400)):
        response = await client.post("/graphql", json=body, headers={"origin": SPA})
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == SPA
        assert "x-request-id" in response.headers["access-control-expose-headers"]
        assert response.headers["access-control-allow-credentials"] == "true"


async def test_an_allowed_page_reads_a_bad_credential_too(client: httpx.AsyncClient) -> None:
    headers = {"origin": SPA, "authorization": "Bearer x"}
    response = await client.post("/graphql", json=HELLO, headers=headers)
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (401, SPA)


async def test_a_preflight_of_an_allowed_page_passes(client: httpx.AsyncClient) -> None:
    headers = {
        "origin": SPA,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    response = await client.options("/graphql", headers=headers)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == SPA
    assert response.headers["access-control-allow-methods"] == "GET, POST"
    allowed = response.headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type", "x-tenantry-csrf"} == set(allowed)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://spa.example.evil.example", "*"])
async def test_a_preflight_of_any_other_page_is_refused(client: httpx.AsyncClient, origin: str) -> None:
    headers = {"origin": origin, "access-control-request-method": "POST"}
    response = await client.options("/graphql", headers=headers)
    assert response.status_code == 403
    assert not any(name.startswith("access-control") for name in response.headers)


async def test_options_without_an_origin_names_the_methods(client: httpx.AsyncClient) -> None:
    response = await client.options("/graphql")
    assert (response.status_code, response.headers["allow"]) == (204, "GET, POST, OPTIONS")


@pytest.mark.parametrize(
    ("origin", "host", "development", "taken"),
    [
        ("http://localhost:8000", "localhost:8000", True, True),
        ("http://[::1]:8000", "[::1]:8000", True, True),
        ("http://localhost:8000", "localhost:8000", False, False),
        ("http://localhost:3000", "localhost:8000", True, False),
        ("http://rebound.example:8000", "rebound.example:8000", True, False),
        ("http://127.0.0.1:8000", "localhost:8000", True, True),
    ],
)
def test_in_development_this_machine_may_have_other_names(
    origin: str, host: str, development: bool, taken: bool
) -> None:
    origins = Origins("http://127.0.0.1:8000", [], loopback=development)
    headers = {b"origin": origin.encode(), b"host": host.encode()}
    if taken:
        assert origins.check(headers) is None
        assert origins.cors(headers) == ()
    else:
        with pytest.raises(CrossSite):
            origins.check(headers)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://App.Example/", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://app.example:8080", "http://app.example:8080"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_origin_is_read_as_browsers_write_it(text: str, origin: str) -> None:
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    ["*", "null", "app.example", "https://app.example/spa", "https://a@app.example", "ftp://app.example"],
)
def test_what_is_no_origin_stops_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        make_wire(allowed_origins=text)
