"""The pages beside the graph: health, keys, the front, and what nobody foresaw."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import httpx
import jwt
import pytest
from graphql import build_schema
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tenantry.settings import Settings
from tenantry.web.telemetry import configure_logging
from tests.support.serving import serving
from tests.support.wires import ADA, TestWire, make_wire

DEVELOPMENT = {"environment": "development"}


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.root
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(Settings.model_validate({"environment": "production"}), stream=stream)
    yield stream
    root.handlers[:], root.level = before


def client(wire: TestWire) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(wire.app), base_url="http://tenantry.example")


async def test_the_process_lives_whatever_the_database_does() -> None:
    async def gone() -> bool:
        raise ConnectionRefusedError("postgresql://secret@db")

    async with client(make_wire(database=gone)) as http:
        alive, ready = await http.get("/healthz"), await http.get("/readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (503, {"status": "unavailable", "missing": ["database"]})
    assert ready.headers["retry-after"] == "2"


async def test_ready_when_the_database_answers() -> None:
    async with client(make_wire()) as http:
        ready = await http.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "missing": []})


async def test_a_database_that_hangs_is_missing_after_two_seconds() -> None:
    async def hangs() -> bool:
        await asyncio.sleep(60)
        return True

    async with client(make_wire(database=hangs)) as http:
        ready = await asyncio.wait_for(http.get("/readyz"), 4)
    assert (ready.status_code, ready.json()["missing"]) == (503, ["database"])


@pytest.mark.requirement("000-14")
async def test_what_is_published_verifies_a_token() -> None:
    wire = make_wire(public_url="https://id.example")
    async with client(wire) as http:
        found = await http.get("/.well-known/openid-configuration")
        keys = await http.get(found.json()["jwks_uri"].removeprefix("https://id.example"))
    assert found.json()["issuer"] == "https://id.example"
    assert all("d" not in key for key in keys.json()["keys"])
    token = wire.bearer()["Authorization"].split()[1]
    key = jwt.PyJWK(keys.json()["keys"][0])
    claims = jwt.decode(token, key, audience="tenantry", issuer="https://id.example", algorithms=["ES256"])
    assert claims["sub"] == ADA.subject
    for response in (found, keys):
        assert response.headers["cache-control"] == "public, max-age=300"
        assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("settings", "status"), [(DEVELOPMENT, 200), ({"introspection": True}, 200), ({}, 404)]
)
async def test_the_schema_is_shown_where_introspection_is(settings: dict[str, object], status: int) -> None:
    async with client(make_wire(**settings)) as http:
        response = await http.get("/schema.graphql")
    assert response.status_code == status
    if status == 200:
        assert build_schema(response.text).query_type is not None


async def test_the_front_leads_to_graphiql_where_it_is_and_says_what_this_is_elsewhere() -> None:
    async with client(make_wire(graphiql=True)) as http:
        here = await http.get("/")
    async with client(make_wire()) as http:
        elsewhere = await http.get("/")
    assert (here.status_code, here.headers["location"]) == (307, "/graphiql")
    assert elsewhere.json()["graphql"] == "/graphql"


async def test_numbers_are_there_for_prometheus() -> None:
    async with client(make_wire()) as http:
        response = await http.get("/metrics")
    assert "tenantry_operations" in response.text


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/graphql/", "//graphql", "/GRAPHQL"])
async def test_what_is_not_there_is_not_found(path: str) -> None:
    async with client(make_wire(**DEVELOPMENT)) as http:
        response = await http.get(httpx.URL("http://tenantry.example").copy_with(raw_path=path.encode()))
    assert response.status_code == 404


async def test_every_page_is_strict_and_has_an_id() -> None:
    async with client(make_wire(public_url="https://id.example")) as http:
        answers = [await http.get(path) for path in ("/", "/healthz", "/metrics", "/nothing")]
    for response in answers:
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["strict-transport-security"].startswith("max-age=")
        assert len(response.headers["x-request-id"]) == 28


async def test_a_page_keeps_its_own_headers() -> None:
    async def page(_request: Request) -> Response:
        return PlainTextResponse("x", headers={"Content-Security-Policy": "default-src 'self'"})

    async with client(make_wire(routes=(Route("/page", page),))) as http:
        response = await http.get("/page")
    assert response.headers["content-security-policy"] == "default-src 'self'"
    assert response.headers["x-frame-options"] == "DENY"


async def test_the_unexpected_in_a_page_is_masked_and_logged_once(logged: io.StringIO) -> None:
    async def page(_request: Request) -> Response:
        raise LookupError("a detail that no client may see")

    async with serving(make_wire(routes=(Route("/page", page),)).app) as base, httpx.AsyncClient() as http:
        response = await http.get(f"{base}/page")
    assert response.status_code == 500
    assert "a detail" not in response.text
    [error] = response.json()["errors"]
    assert error["extensions"]["correlationId"] == response.headers["x-request-id"]
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    [line] = [line for line in lines if line["event"] == "request.failed"]
    assert line["request_id"] == response.headers["x-request-id"]


async def test_no_line_of_the_log_holds_a_query_string(logged: io.StringIO) -> None:
    async with serving(make_wire().app) as base, httpx.AsyncClient() as http:
        logging.getLogger("httpx").setLevel(logging.WARNING)
        response = await http.get(
            f"{base}/graphql", params={"query": "{ hello }", "variables": '{"a": "s3cret"}'}
        )
    assert response.status_code == 200
    assert "s3cret" not in logged.getvalue()


async def test_a_websocket_is_refused_politely() -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await make_wire().app({"type": "websocket", "path": "/graphql"}, receive, send)
    [message] = sent
    assert (message["type"], message["code"]) == ("websocket.close", 1008)
