"""What is let in: media types, statuses, credentials, who is recorded, and what nobody foresaw."""

import io
import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from tenantry.api.operations import Answer
from tenantry.kernel.principal import ANONYMOUS
from tenantry.settings import Settings
from tenantry.web.telemetry import configure_logging
from tests.support.serving import serving
from tests.support.wires import ADA, TestWire, make_wire

NEW = "application/graphql-response+json"
HELLO = {"query": "{ hello }"}


@pytest.fixture
def wire() -> TestWire:
    return make_wire(trusted_proxies="127.0.0.1/32,10.0.0.0/8", allowed_origins="https://spa.example")


@pytest_asyncio.fixture
async def client(wire: TestWire) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(wire.app) as base, httpx.AsyncClient(base_url=base) as client:
        yield client


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.root
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(Settings.model_validate({"environment": "production"}), stream=stream)
    yield stream
    root.handlers[:], root.level = before


@pytest.mark.requirement("000-04")
async def test_a_token_names_who_asks(wire: TestWire, client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json=HELLO, headers=wire.bearer())
    assert (response.status_code, response.json()) == (200, {"data": {"hello": "world"}})
    principal = wire.graph.served[0].caller.principal
    assert (principal.subject, principal.tenant, principal.session) == (ADA.subject, ADA.tenant, ADA.session)


async def test_without_a_credential_nobody_asks(wire: TestWire, client: httpx.AsyncClient) -> None:
    await client.post("/graphql", json=HELLO)
    assert wire.graph.served[0].caller.principal is ANONYMOUS


@pytest.mark.parametrize(
    ("credential", "reason"),
    [
        ("Bearer", "MALFORMED"),
        ("Bearer not-a-token", "MALFORMED"),
        ("Bearer eyJhbGciOiJub25lIn0.e30.", "WRONG_TYPE"),
        ("Bearer caf\u00e9", "MALFORMED"),
        ("Basic YWRhOnNlY3JldA==", "MALFORMED"),
        ("Token abc", "MALFORMED"),
        ("", "MALFORMED"),
    ],
)
@pytest.mark.parametrize("accept", [NEW, "application/json"])
async def test_a_bad_credential_is_refused_and_recorded_never_taken_for_nobody(
    wire: TestWire, client: httpx.AsyncClient, credential: str, reason: str, accept: str
) -> None:
    headers = {"authorization": credential.encode("latin-1"), "accept": accept.encode()}
    response = await client.post("/graphql", json=HELLO, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    [error] = response.json()["errors"]
    assert error["extensions"] == {"code": "UNAUTHENTICATED", "reason": reason}
    assert wire.graph.served == []
    [(caller, _)] = wire.graph.refused
    assert caller.principal is ANONYMOUS
    assert caller.request_id == response.headers["x-request-id"]


async def test_two_credentials_are_none(wire: TestWire, client: httpx.AsyncClient) -> None:
    token = wire.bearer()["Authorization"]
    headers = [("authorization", token), ("authorization", "Bearer x")]
    response = await client.post("/graphql", json=HELLO, headers=headers)
    assert response.status_code == 401
    assert wire.graph.served == []


async def test_a_token_elsewhere_is_not_looked_at(wire: TestWire, client: httpx.AsyncClient) -> None:
    token = wire.bearer()["Authorization"].split()[1]
    await client.post(f"/graphql?access_token={token}", json={**HELLO, "access_token": token})
    assert wire.graph.served[0].caller.principal is ANONYMOUS


async def test_a_token_is_neither_answered_nor_logged(
    wire: TestWire, client: httpx.AsyncClient, logged: io.StringIO
) -> None:
    token = wire.bearer()["Authorization"].split()[1]
    start, _, _ = token.rpartition(".")
    answers = [
        await client.post("/graphql", json=query, headers={"authorization": f"Bearer {sent}"})
        for query in (HELLO, {"query": "{ fails }"}, {"query": 1})
        for sent in (token, f"{start}.forged", f"{token} {token}")
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 401, 500, 401, 401, 400, 401, 401]
    said = logged.getvalue() + "".join(answer.text + str(answer.headers) for answer in answers)
    assert "credential.refused" in said
    assert "request.failed" in said
    assert not any(part in said for part in token.split("."))


@pytest.mark.requirement("000-24", "000-25")
async def test_the_caller_says_where_the_request_came_from(wire: TestWire, client: httpx.AsyncClient) -> None:
    headers = {"x-forwarded-for": "6.6.6.6, 203.0.113.9, 10.1.2.3", "user-agent": "probe/1 " + "x" * 400}
    response = await client.post("/graphql", json=HELLO, headers=headers)
    caller = wire.graph.served[0].caller
    assert (caller.method, caller.path, caller.ip) == ("POST", "/graphql", "203.0.113.9")
    assert caller.user_agent == ("probe/1 " + "x" * 400)[:300]
    assert caller.request_id == response.headers["x-request-id"]


async def test_a_peer_that_is_no_trusted_proxy_cannot_name_another_address() -> None:
    wire = make_wire()
    headers = {"x-forwarded-for": "6.6.6.6", "x-real-ip": "6.6.6.6", "forwarded": "for=6.6.6.6"}
    async with serving(wire.app) as base, httpx.AsyncClient() as client:
        await client.post(f"{base}/graphql", json=HELLO, headers=headers)
    assert wire.graph.served[0].caller.ip == "127.0.0.1"


async def test_a_client_s_request_id_is_not_taken(client: httpx.AsyncClient) -> None:
    response = await client.post("/graphql", json=HELLO, headers={"x-request-id": "mine"})
    assert response.headers["x-request-id"] != "mine"


@pytest.mark.parametrize(
    ("query", "plain", "new"),
    [
        ("{ hello }", 200, 200),
        ("{", 200, 400),
        ("{ nothing }", 200, 400),
        ("query ($a: Int!) { hello }", 200, 400),
    ],
)
async def test_the_type_of_the_answer_decides_its_status(
    client: httpx.AsyncClient, query: str, plain: int, new: int
) -> None:
    for accept, status in (("application/json", plain), (NEW, new)):
        response = await client.post("/graphql", json={"query": query}, headers={"accept": accept})
        assert (response.status_code, response.headers["content-type"]) == (
            status,
            f"{accept}; charset=utf-8",
        )


@pytest.mark.parametrize("accept", ["application/json", NEW])
@pytest.mark.parametrize(
    ("answer", "name", "value"),
    [
        (Answer(b"{}", 503), "retry-after", "2"),
        (Answer(b"{}", 503, retry_after=5), "retry-after", "5"),
        (Answer(b"{}", 401), "www-authenticate", "Bearer"),
        (Answer(b"{}", 405), "allow", "POST"),
    ],
)
async def test_what_stands_between_is_told_by_status_and_header(
    wire: TestWire, client: httpx.AsyncClient, accept: str, answer: Answer, name: str, value: str
) -> None:
    wire.graph.always = answer
    response = await client.post("/graphql", json=HELLO, headers={"accept": accept})
    assert (response.status_code, response.headers[name]) == (answer.status, value)


@pytest.mark.parametrize("accept", ["application/json", NEW])
async def test_a_mutation_by_get_is_refused(wire: TestWire, client: httpx.AsyncClient, accept: str) -> None:
    response = await client.get(
        "/graphql", params={"query": "mutation { change }"}, headers={"accept": accept}
    )
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert wire.graph.served[0].mutations is False


async def test_a_query_by_get_has_its_four_parameters(wire: TestWire, client: httpx.AsyncClient) -> None:
    parameters = {
        "query": "query A { hello } query B($t: String!) { echo(text: $t) }",
        "operationName": "B",
        "variables": '{"t": "caf\u00e9 & 1+1"}',
        "extensions": '{"x": 1}',
    }
    response = await client.get("/graphql", params=parameters)
    assert response.json() == {"data": {"echo": "caf\u00e9 & 1+1"}}
    assert wire.graph.served[0].operation_name == "B"


async def test_the_unexpected_is_masked_and_found_in_the_log(
    client: httpx.AsyncClient, logged: io.StringIO
) -> None:
    response = await client.post("/graphql", json={"query": "{ fails }"})
    [error] = response.json()["errors"]
    assert response.status_code == 500
    assert error["extensions"] == {
        "code": "INTERNAL",
        "correlationId": response.headers["x-request-id"],
    }
    assert "a detail" not in response.text
    [line] = [line for line in logged.getvalue().splitlines() if "request.failed" in line]
    assert response.headers["x-request-id"] in line
    assert "LookupError" in line


async def test_many_requests_share_a_connection_and_no_id(client: httpx.AsyncClient) -> None:
    answers = [await client.post("/graphql", json=HELLO) for _ in range(20)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 20
    assert sorted(id_[:12] for id_ in ids) == [id_[:12] for id_ in ids]
