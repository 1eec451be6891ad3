"""Refused before there is an operation: the table in refusals.yaml, over a real socket."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
import yaml

from tests.support.serving import serving
from tests.support.wires import TestWire, make_wire

TABLE: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("refusals.yaml").read_text("utf-8"))
REQUEST_ID = re.compile(r"[0-9a-f]{28}")


@pytest_asyncio.fixture(scope="module")
async def peer() -> AsyncIterator[tuple[TestWire, httpx.AsyncClient]]:
    wire = make_wire(public_url="https://tenantry.example", allowed_origins="https://spa.example")
    async with serving(wire.app) as base, httpx.AsyncClient(base_url=base) as client:
        yield wire, client


def content(case: dict[str, Any]) -> bytes:
    if "json" in case:
        return orjson.dumps(case["json"])
    return str(case.get("body", "")).encode() or b" " * case.get("body_bytes", 0)


def request(case: dict[str, Any], wire: TestWire, client: httpx.AsyncClient) -> httpx.Request:
    method = case.get("method", "POST")
    headers = {"content-type": "application/json"} if method != "GET" else {}
    headers |= case.get("headers", {}) | (wire.bearer() if case.get("token") else {})
    return client.build_request(
        method,
        f"/graphql{case.get('url', '')}",
        headers={name: value for name, value in headers.items() if value},
        content=content(case) if method != "GET" else None,
    )


@pytest.mark.parametrize("case", TABLE, ids=[case["name"] for case in TABLE])
async def test_refused(case: dict[str, Any], peer: tuple[TestWire, httpx.AsyncClient]) -> None:
    wire, client = peer
    served = len(wire.graph.served)
    response = await client.send(request(case, wire, client))
    assert response.status_code == case["status"]
    assert len(wire.graph.served) == served
    for name, value in case.get("headers_out", {}).items():
        assert response.headers[name] == value
    if case.get("method") != "HEAD":
        check_body(response, case)
    check_headers(response)


def check_body(response: httpx.Response, case: dict[str, Any]) -> None:
    assert set(response.json()) == {"errors"}
    [error] = response.json()["errors"]
    assert error["extensions"]["code"] == case["code"]
    assert case.get("says", "") in error["message"]
    if "fields" in case:
        assert error["extensions"]["fields"] == case["fields"]


def check_headers(response: httpx.Response) -> None:
    assert REQUEST_ID.fullmatch(response.headers["x-request-id"])
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["vary"] == "accept, authorization, origin"
    assert response.headers["strict-transport-security"].startswith("max-age=")
    assert "access-control-allow-origin" not in response.headers


async def test_a_refusal_comes_in_the_type_that_was_asked_for(
    peer: tuple[TestWire, httpx.AsyncClient],
) -> None:
    accept = {"accept": "application/graphql-response+json"}
    response = await peer[1].post("/graphql", json={}, headers=accept)
    assert response.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert response.status_code == 400


async def test_nothing_is_said_of_what_was_sent(peer: tuple[TestWire, httpx.AsyncClient]) -> None:
    response = await peer[1].post("/graphql", json={"query": 1, "variables": {"password": "hunter2"}})
    assert "hunter2" not in response.text
