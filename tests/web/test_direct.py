"""The short way for operations says what the long one says, and keeps to the manners of a server."""

import asyncio
import re

import pytest
from uvicorn.server import ServerState

from tenantry.web.server import BoundedProtocol, server_config
from tests.support.serving import serving
from tests.support.wires import TestWire, make_wire

BODY = b'{"query": "{ hello }"}'
BAD = b'{"query": "{ echo'
VARYING = re.compile(rb"(?m)^(date|x-request-id): [^\r]*\r\n")

REQUESTS: dict[str, tuple[list[bytes], bytes]] = {
    "an operation": ([], BODY),
    "somebody's": ([b"Authorization: Bearer {token}"], BODY),
    "a token that does not hold": ([b"Authorization: Bearer {token}x"], BODY),
    "another kind of credential": ([b"Authorization: Basic YTpi"], BODY),
    "a type of its choice": ([b"Accept: application/graphql-response+json"], BODY),
    "a type that is not served": ([b"Accept: text/html"], BODY),
    "an allowed origin": ([b"Origin: https://spa.example"], BODY),
    "a foreign origin": ([b"Origin: https://evil.example"], BODY),
    "a compressed body": ([b"Content-Encoding: gzip"], BODY),
    "a body that is no JSON": ([], BAD),
    "an empty body": ([], b""),
    "a body with too many bytes": ([], BODY.ljust(65_537)),
    "an unexpected failure": ([], b'{"query": "{ fails }"}'),
    "the last on its connection": ([b"Connection: close"], BODY),
}


@pytest.fixture
def wire() -> TestWire:
    return make_wire(allowed_origins="https://spa.example")


def head(fields: list[bytes], length: int, wire: TestWire) -> bytes:
    token = wire.bearer()["Authorization"].removeprefix("Bearer ").encode()
    lines = [b"POST /graphql HTTP/1.1", b"Host: a", b"Content-Type: application/json", *fields]
    lines.append(b"Content-Length: %d" % length)
    return b"\r\n".join(lines).replace(b"{token}", token) + b"\r\n\r\n"


async def answer(reader: asyncio.StreamReader) -> bytes:
    """One response, without what differs from one to the next."""
    start = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = re.search(rb"(?i)content-length: (\d+)", start)
    body = await asyncio.wait_for(reader.readexactly(int(length.group(1)) if length else 0), 5)
    correlation = re.sub(rb'"correlationId":"\w+"', b'"correlationId":"-"', body)
    return VARYING.sub(b"", start) + correlation


async def sent(base: str, *pieces: bytes) -> tuple[bytes, bool]:
    """The answer to ``pieces``, each in a packet of its own; and whether the connection stays open."""
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.03)
    try:
        got = await answer(reader)
        try:
            open_ = await asyncio.wait_for(reader.read(1), 0.1) != b""
        except TimeoutError:
            open_ = True
        return got, open_
    finally:
        writer.close()


@pytest.mark.parametrize("name", REQUESTS)
async def test_both_ways_say_the_same(wire: TestWire, name: str) -> None:
    fields, body = REQUESTS[name]
    start = head(fields, len(body), wire)
    async with serving(wire.app) as base:
        whole = await sent(base, start + body)
        in_pieces = await sent(base, start, body)
        in_smaller_pieces = await sent(base, start[:30], start[30:] + body[:5], body[5:])
    assert whole == in_pieces == in_smaller_pieces
    assert len({served.caller.request_id for served in wire.graph.served}) == len(wire.graph.served)


async def test_https_is_insisted_on_both_ways() -> None:
    wire = make_wire(public_url="https://id.example")
    start = head([], len(BODY), wire)
    async with serving(wire.app) as base:
        whole, _ = await sent(base, start + BODY)
        in_pieces, _ = await sent(base, start, BODY)
    assert b"strict-transport-security: max-age=31536000" in whole
    assert whole == in_pieces


async def test_what_is_pipelined_is_answered_in_order_whichever_way_it_goes(wire: TestWire) -> None:
    bodies = [b'{"query": "{ echo(text: \\"%d\\") }"}' % number for number in range(5)]
    whole = b"".join(head([], len(body), wire) + body for body in bodies)
    async with serving(wire.app) as base:
        host, port = base.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(2):
            writer.write(whole)
            got = [await answer(reader) for _ in bodies]
            assert [b'"%d"' % number in each for number, each in enumerate(got)] == [True] * 5
        writer.close()


async def test_a_client_that_has_gone_is_not_written_to(wire: TestWire) -> None:
    async with serving(wire.app) as base:
        host, port = base.removeprefix("http://").split(":")
        for _ in range(20):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(head([], len(BODY), wire) + BODY)
            await writer.drain()
            writer.transport.abort()
        got, open_ = await sent(base, head([], len(BODY), wire) + BODY)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert open_


@pytest.mark.parametrize("requests", [1, 3])
async def test_a_connection_at_rest_is_closed_and_one_in_use_is_not(wire: TestWire, requests: int) -> None:
    config = server_config(wire.app, host="127.0.0.1", port=0)
    config.timeout_keep_alive = 0.2  # pyright: ignore[reportAttributeAccessIssue] - a number of seconds
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: BoundedProtocol(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for _ in range(requests):
            writer.write(head([], len(BODY), wire) + BODY)
            assert (await answer(reader)).startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(0.12)
        began = loop.time()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert loop.time() - began < 2
        writer.close()
    assert state.total_requests == requests
    assert not state.tasks


async def test_a_server_that_stops_answers_what_it_has_begun(wire: TestWire) -> None:
    async with serving(wire.app) as base:
        host, port = base.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head([], len(BODY), wire) + BODY)
        first = await answer(reader)
    assert first.startswith(b"HTTP/1.1 200 ")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
