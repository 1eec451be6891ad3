"""The paths of stored operations as HTTP: methods, media types, parameters, and what the graph is handed."""

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import httpx
import pytest
import pytest_asyncio
from graphql import build_schema, parse, validate

from tenantry.access.rules import public
from tenantry.api.operations import Answer
from tenantry.api.schema import bare_schema
from tenantry.web.stored.documents import DOCUMENTS
from tenantry.web.stored.operation import StoredOperation
from tenantry.web.stored.table import STORED
from tests.support.wires import TestWire, make_wire

JSON = {"Content-Type": "application/json"}
SPA = "https://spa.example"
USERS = "/api/v1/org-users"
MEMBER = f"{USERS}/M_1"

Sent: TypeAlias = tuple[str, str, dict[str, str], bytes]
"""Method, path, headers and body."""
Asked: TypeAlias = tuple[str, str, Any]
"""Method, path and the body's JSON."""


@pytest.fixture
def wire() -> TestWire:
    made = make_wire(allowed_origins=SPA)
    made.graph.always = Answer(b'{"data":{"tenant":{"members":{"nodes":[]},"roles":{}}}}')
    return made


@pytest_asyncio.fixture
async def client(wire: TestWire) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(wire.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://tenantry.example") as http:
        yield http


def test_every_document_is_one_that_the_graph_takes_and_a_path_runs() -> None:
    schema = build_schema(bare_schema().as_str())
    for name, document in DOCUMENTS.items():
        assert validate(schema, parse(document)) == [], name
    assert sorted(DOCUMENTS) == sorted(each.name for each in STORED)
    assert len({each.asked for each in STORED}) == len(STORED)


@pytest.mark.parametrize(
    ("asked", "name", "what"),
    [
        (("POST", "/api/v1/roles"), "Roles", "a query is asked for by GET"),
        (("GET", "/system/tenants"), "SystemTenantCreate", "a mutation by another method"),
        (("GET", "/system/tenants/{key}"), "SystemTenant", "no variable of the name"),
    ],
)
def test_a_route_that_cannot_be_meant_does_not_load(asked: tuple[str, str], name: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        StoredOperation(asked, "…", name, (), public())


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", USERS, "GET, OPTIONS"),
        ("GET", MEMBER, "DELETE, OPTIONS"),
        ("PATCH", f"{MEMBER}/role", "PUT, OPTIONS"),
        ("DELETE", "/crm/contacts", "GET, POST, OPTIONS"),
        ("HEAD", "/system/users", "GET, OPTIONS"),
        ("GET", "/auth/refresh", "POST, OPTIONS"),
    ],
)
async def test_another_method_is_told_which_there_are(
    wire: TestWire, client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path, headers=wire.bearer())
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert wire.graph.served == []


@pytest.mark.parametrize(
    "path",
    [
        f"{USERS}/",
        f"{USERS}/M_1/roles",
        f"{USERS}//role",
        "/crm",
        "/crm/contacts/1",
        "/system/logs",
        "/API/v1/roles",
    ],
)
async def test_no_such_path(wire: TestWire, client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers=wire.bearer())
    assert answer.status_code == 404
    assert wire.graph.served == []


async def test_a_preflight_names_the_paths_own_methods(client: httpx.AsyncClient) -> None:
    answer = await client.options(MEMBER, headers={"Origin": SPA, "Access-Control-Request-Method": "DELETE"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-methods"] == "DELETE"
    assert answer.headers["allow"] == "DELETE, OPTIONS"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (("GET", USERS, {"Accept": "text/html"}, b""), 406),
        (("DELETE", MEMBER, {"Origin": "https://evil.example"}, b""), 403),
        (("DELETE", MEMBER, {"Sec-Fetch-Site": "cross-site"}, b""), 403),
        (("PUT", f"{MEMBER}/role", {}, b'{"role": "agent"}'), 415),
        (("PUT", f"{MEMBER}/role", {"Content-Type": "text/plain"}, b'{"role": "agent"}'), 415),
        (("PUT", f"{MEMBER}/role", JSON, b"{"), 400),
        (("PUT", f"{MEMBER}/role", JSON, b""), 400),
        (("PUT", f"{MEMBER}/role", JSON, b'[{"role": "agent"}]'), 400),
        (("PUT", f"{MEMBER}/role", JSON, b'{"role": "agent", "role": "owner"}'), 400),
        (("PUT", f"{MEMBER}/role", JSON, b'{"role": "agent", "id": "M_2"}'), 400),
        (("PUT", f"{MEMBER}/role?role=owner", JSON, b'{"role": "agent"}'), 400),
        (("PUT", f"{MEMBER}/role", JSON, b" " * 65_537), 413),
        (
            ("POST", "/crm/contacts", JSON, b'{"name": "A", "attributes": ' + b"[" * 40 + b"]" * 40 + b"}"),
            400,
        ),
        (("GET", f"{USERS}?first=ten", {}, b""), 400),
        (("GET", f"{USERS}?first=1.0", {}, b""), 400),
        (("GET", f"{USERS}?first=1&first=2", {}, b""), 400),
        (("GET", f"{USERS}?limit=1", {}, b""), 400),
        (("GET", f"{USERS}?search=%ff", {}, b""), 400),
        (("GET", f"{MEMBER[:-3]}me/profile?id=1", {}, b""), 400),
    ],
)
async def test_refused_before_the_graph(
    wire: TestWire, client: httpx.AsyncClient, request_: Sent, status: int
) -> None:
    method, path, headers, content = request_
    answer = await client.request(method, path, headers=wire.bearer() | headers, content=content)
    assert answer.status_code == status
    assert list(answer.json()) == ["errors"]
    assert answer.json()["errors"][0]["extensions"]["code"]
    assert wire.graph.served == []


async def test_a_token_that_does_not_hold_is_told_so_and_recorded(
    wire: TestWire, client: httpx.AsyncClient
) -> None:
    answer = await client.get(USERS, headers={"Authorization": "Bearer no.token.of-ours"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert [caller.path for caller, _ in wire.graph.refused] == [USERS]


@pytest.mark.parametrize(
    ("request_", "variables", "tenant"),
    [
        (("GET", USERS, None), {}, None),
        (
            ("GET", f"{USERS}?first=5&search=%C3%A9&status=ACTIVE", None),
            {"first": 5, "search": "é", "status": "ACTIVE"},
            None,
        ),
        (("GET", f"{USERS}?first=-1&tenantId=T_1", None), {"first": -1}, "T_1"),
        (("DELETE", f"{USERS}/a%20b?tenantId=T_1", None), {"id": "a b"}, "T_1"),
        (
            ("PUT", f"{MEMBER}/role", {"role": "agent", "tenantId": None}),
            {"id": "M_1", "role": "agent"},
            None,
        ),
        (("POST", "/system/tenants", {"name": "A"}), {"name": "A"}, None),
    ],
)
async def test_what_the_graph_is_handed(
    wire: TestWire, client: httpx.AsyncClient, request_: Asked, variables: dict[str, Any], tenant: str | None
) -> None:
    method, path, body = request_
    wire.graph.always = Answer(b'{"errors":[{"message":"No.","extensions":{"code":"NOT_FOUND"}}]}')
    answer = await client.request(method, path, headers=wire.bearer(), json=body)
    assert answer.status_code == 404
    (served,) = wire.graph.served
    assert (dict(served.variables), served.tenant) == (variables, tenant)
    assert served.mutations is (method != "GET")
    assert served.rule is not None
    assert (served.caller.method, served.caller.path) == (method, httpx.URL(path).path)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (Answer(b'{"data":null,"errors":[{"message":"","extensions":{"code":"FORBIDDEN"}}]}'), 403),
        (Answer(b'{"data":null,"errors":[{"message":"","extensions":{"code":"LAST_OWNER"}}]}'), 409),
        (Answer(b'{"errors":[{"message":"","extensions":{"code":"SCOPE_MISMATCH"}}]}', 400), 403),
        (Answer(b'{"errors":[{"message":"","extensions":{"code":"RATE_LIMITED"}}]}', 429, 7), 429),
        (Answer(b'{"errors":[{"message":"","extensions":{"code":"UNAVAILABLE"}}]}', 503, 5), 503),
        (Answer(b'{"errors":[{"message":"","extensions":{"code":"INTERNAL"}}]}', 500), 500),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json", "*/*"])
async def test_a_refusal_has_the_status_of_its_code_whatever_is_accepted(
    wire: TestWire, client: httpx.AsyncClient, said: Answer, status: int, accept: str
) -> None:
    wire.graph.always = said
    answer = await client.get(USERS, headers={**wire.bearer(), "Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json; charset=utf-8")
    assert list(answer.json()) == ["errors"]
    if said.retry_after:
        assert answer.headers["retry-after"] == str(said.retry_after)


async def test_a_problem_is_an_error_with_its_facts(wire: TestWire, client: httpx.AsyncClient) -> None:
    wire.graph.always = Answer(
        b'{"data":{"memberRemove":{"code":"LAST_OWNER","message":"One stays.","most":1}}}'
    )
    answer = await client.delete(MEMBER, headers=wire.bearer())
    assert answer.status_code == 409
    assert answer.json() == {
        "errors": [{"message": "One stays.", "extensions": {"code": "LAST_OWNER", "most": 1}}]
    }
