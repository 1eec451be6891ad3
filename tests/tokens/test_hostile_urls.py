"""Issuers' URLs that lead inside: refused before anything connects, wherever on the way they stand."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import yaml

from tenantry.settings import OidcProvider
from tenantry.tokens.errors import IssuerUnavailable
from tenantry.tokens.fetching import Fetcher
from tenantry.tokens.issuer_keys import IssuerKeys
from tenantry.tokens.oidc import OTHERS, OidcVerifier
from tests.support.clocks import MovableClock

TABLE = yaml.safe_load(Path(__file__).with_name("hostile_urls.yaml").read_text(encoding="utf-8"))
URLS: list[str] = TABLE["urls"]
NAMES: dict[str, list[str]] = {str(name): addresses for name, addresses in TABLE["names"].items()}
PUBLIC = "93.184.215.14"


@dataclass
class Outside:
    """The resolver of the table, and a transport that counts what would have been a connection."""

    answers: dict[str, object] = field(default_factory=dict[str, object])
    connected: list[str] = field(default_factory=list[str])

    async def resolve(self, host: str, _port: int) -> Sequence[str]:
        host = host.strip("[]")
        return NAMES.get(host, [PUBLIC] if host.endswith(".example") else [host])

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.connected.append(str(request.url))
        answer = self.answers.get(request.url.path)
        if isinstance(answer, str):
            return httpx.Response(302, headers={"location": answer})
        stream = httpx.ByteStream(json.dumps(answer).encode())
        return httpx.Response(404 if answer is None else 200, stream=stream)

    def verifier(self, http: httpx.AsyncClient) -> OidcVerifier:
        return OidcVerifier([], http=http, resolver=self.resolve, clock=MovableClock())

    @property
    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.handle), trust_env=False)


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len(set(URLS)) == len(URLS) >= 60


@pytest.mark.parametrize("url", URLS)
async def test_an_issuer_inside_is_not_connected_to(url: str) -> None:
    outside = Outside()
    async with outside.client as http:
        assert await outside.verifier(http).reachable(url) is False
    assert outside.connected == []


@pytest.mark.parametrize("url", [url for url in URLS if url.startswith(("https://", "http://"))])
async def test_a_good_issuers_keys_do_not_lead_inside(url: str) -> None:
    outside = Outside(
        {"/.well-known/openid-configuration": {"issuer": "https://good.example", "jwks_uri": url}}
    )
    async with outside.client as http:
        assert await outside.verifier(http).reachable("https://good.example") is False
    assert [each for each in outside.connected if PUBLIC not in each] == []


async def test_a_redirect_is_not_followed() -> None:
    outside = Outside({"/.well-known/openid-configuration": "https://127.0.0.1/"})
    async with outside.client as http:
        assert await outside.verifier(http).reachable("https://good.example") is False
    assert len(outside.connected) == 1


async def test_a_name_that_changes_between_look_and_connection_changes_nothing() -> None:
    turns = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])
    outside = Outside()

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return next(turns)

    async with outside.client as http:
        keys = IssuerKeys(
            "https://rebind.example",
            fetcher=Fetcher(http, allow_private=False, resolver=resolve),
            clock=MovableClock(),
        )
        with pytest.raises(IssuerUnavailable):
            await keys.find("k")
    assert [httpx.URL(each).host for each in outside.connected] == [PUBLIC]


async def test_a_listening_socket_inside_hears_nothing() -> None:
    heard = 0

    async def hear(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard += 1
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, httpx.AsyncClient(trust_env=False) as http:
        verifier = OidcVerifier([], http=http)
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f000001"):
            assert await verifier.reachable(f"https://{host}:{port}") is False
    assert heard == 0


async def test_keys_of_so_many_issuers_are_kept_and_no_more() -> None:
    outside = Outside()
    async with outside.client as http:
        verifier = OidcVerifier(
            [OidcProvider(issuer="https://own.example", audience="a")],
            http=http,
            resolver=outside.resolve,
            clock=MovableClock(),
        )
        own = verifier._keys_of("https://own.example")
        first = verifier._keys_of("https://i0.example")
        for number in range(OTHERS):
            verifier._keys_of(f"https://i{number}.example")
        assert verifier._keys_of("https://i0.example") is first
        for number in range(1, OTHERS + 1):
            verifier._keys_of(f"https://n{number}.example")
        assert verifier._keys_of("https://i0.example") is not first
        assert verifier._keys_of("https://own.example") is own
    assert outside.connected == []
