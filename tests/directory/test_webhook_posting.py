"""Where nothing is sent: hostile URLs at creation and when sending, redirects, slow and broken receivers."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
import yaml

from tenantry.directory.webhooks.errors import WebhookUrlNotUsable
from tenantry.directory.webhooks.posting import NotSent, Poster
from tests.support.post_office import resolving
from tests.support.receiver import receiver

HOSTILE = Path(__file__).parents[1] / "tokens" / "hostile_urls.yaml"
TABLE = yaml.safe_load(HOSTILE.read_text(encoding="utf-8"))
# An issuer's URL has no query; a webhook's may, and leads to its host whatever stands in it.
FINE = "https://issuer.example/?next=https://127.0.0.1"
URLS: list[str] = [url for url in TABLE["urls"] if url != FINE]
NAMES: dict[str, list[str]] = {str(name): addresses for name, addresses in TABLE["names"].items()}
PUBLIC = "93.184.215.14"


async def by_table(host: str, _port: int) -> Sequence[str]:
    """The resolver of the table."""
    host = host.strip("[]")
    return NAMES.get(host, [PUBLIC] if host.endswith(".example") else [host])


class Outside:
    """What would have been a connection."""

    def __init__(self, status: int = 204) -> None:
        self.connected: list[httpx.Request] = []
        self._status = status

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.handle), trust_env=False)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.connected.append(request)
        return httpx.Response(self._status, headers={"location": "https://127.0.0.1/"})


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len(set(URLS)) == len(URLS) >= 60


@pytest.mark.parametrize("url", URLS)
async def test_a_url_that_leads_inside_is_neither_taken_nor_sent_to(url: str) -> None:
    outside = Outside()
    async with outside.client() as http:
        poster = Poster(http, resolver=by_table)
        with pytest.raises(WebhookUrlNotUsable):
            await poster.check(url)
        with pytest.raises(NotSent):
            await poster.post(url, b"{}", {})
    assert outside.connected == []


async def test_a_query_is_kept_and_leads_nowhere_else() -> None:
    outside = Outside()
    async with outside.client() as http:
        poster = Poster(http, resolver=by_table)
        await poster.check(FINE)
        assert await poster.post(FINE, b"{}", {"webhook-id": "msg_1"}) == 204
    (request,) = outside.connected
    assert request.url == httpx.URL(f"https://{PUBLIC}/?next=https://127.0.0.1")
    assert request.headers["host"] == "issuer.example"
    assert request.headers["webhook-id"] == "msg_1"
    assert request.extensions["sni_hostname"] == "issuer.example"


async def test_a_url_is_no_novel() -> None:
    async with Outside().client() as http:
        poster = Poster(http, resolver=by_table)
        await poster.check("https://receiver.example/".ljust(2_048, "x"))
        with pytest.raises(WebhookUrlNotUsable):
            await poster.check("https://receiver.example/".ljust(2_049, "x"))


async def test_a_name_that_leads_inside_later_is_not_followed() -> None:
    outside, turns = Outside(), iter([[PUBLIC], ["127.0.0.1"], ["10.0.0.1", PUBLIC]])

    async def resolver(_host: str, _port: int) -> Sequence[str]:
        return next(turns)

    async with outside.client() as http:
        poster = Poster(http, resolver=resolver)
        await poster.check("https://rebind.example/hook")
        for _ in range(2):
            with pytest.raises(NotSent) as caught:
                await poster.post("https://rebind.example/hook", b"{}", {})
            assert str(caught.value) == "ADDRESS_NOT_ALLOWED"
    assert outside.connected == []


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    outside = Outside(status=307)
    async with outside.client() as http:
        assert await Poster(http, resolver=by_table).post("https://receiver.example/", b"{}", {}) == 307
    assert len(outside.connected) == 1


async def test_plain_http_goes_to_this_machine_alone_and_only_in_development() -> None:
    async with receiver() as there, httpx.AsyncClient(trust_env=False) as http:
        developer = Poster(http, allow_private=True)
        await developer.check(there.url)
        assert await developer.post(there.url, b"{}", {}) == 204
        for poster in (Poster(http), Poster(http, allow_private=True, resolver=resolving("192.0.2.1"))):
            with pytest.raises(WebhookUrlNotUsable):
                await poster.check(there.url)
            with pytest.raises(NotSent, match="ADDRESS_NOT_ALLOWED"):
                await poster.post(there.url, b"{}", {})
    assert len(there.received) == 1


async def test_a_name_that_nobody_has_or_that_is_never_answered_is_not_taken() -> None:
    async def nobody(_host: str, _port: int) -> Sequence[str]:
        raise OSError("unknown")

    async def never(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    async with Outside().client() as http:
        for resolver in (nobody, never):
            with pytest.raises(WebhookUrlNotUsable):
                await Poster(http, resolver=resolver).check("https://receiver.example/")


async def test_the_next_address_is_tried_where_one_does_not_take_the_connection() -> None:
    async with receiver() as there, httpx.AsyncClient(trust_env=False) as http:
        second = Poster(http, allow_private=True, resolver=resolving("127.0.0.2", "127.0.0.1"))
        assert await second.post(there.url, b"{}", {}) == 204
        none = Poster(http, allow_private=True, resolver=resolving("127.0.0.2", "127.0.0.3"))
        with pytest.raises(NotSent, match="NO_CONNECTION"):
            await none.post(there.url, b"{}", {})


async def test_a_receiver_that_does_not_answer_is_left_in_time() -> None:
    async with receiver() as there, httpx.AsyncClient(trust_env=False) as http:
        there.answering.clear()
        with pytest.raises(NotSent, match="TIMEOUT"):
            await Poster(http, allow_private=True, timeout=0.1).post(there.url, b"{}", {})
    assert len(there.received) == 1


async def test_what_is_no_http_is_no_answer() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(NotSent, match="NO_CONNECTION"):
            await Poster(http, allow_private=True).post(f"http://127.0.0.1:{port}/", b"{}", {})
