"""Clients that are slow, endless or gone, on bare sockets."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from uvicorn.server import ServerState

from tenantry.web.bodies import ClientGone, read_body
from tenantry.web.refusals import BodyTooLarge, BodyTooSlow
from tenantry.web.server import BoundedProtocol, server_config
from tests.support.serving import serving
from tests.support.wires import make_wire

HEAD = b"POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
BODY = b'{"query": "{ hello }"}'


async def connect(base: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = base.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def answer_to(base: str, sent: bytes) -> bytes:
    reader, writer = await connect(base)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


def sender(*messages: dict[str, object]) -> Callable[[], object]:
    waiting = list(messages)

    async def receive() -> dict[str, object]:
        if not waiting:
            await asyncio.sleep(60)
        return waiting.pop(0)

    return receive


async def test_a_declared_length_is_refused_before_a_byte_of_it_comes() -> None:
    wire = make_wire()
    async with serving(wire.app) as base:
        answer = await answer_to(base, HEAD + b"Content-Length: 65537\r\n\r\n")
        without_asking = await answer_to(
            base, HEAD + b"Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n"
        )
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert without_asking.startswith(b"HTTP/1.1 413 ")
    assert wire.graph.served == []


async def test_chunks_are_counted_and_the_rest_is_not_read() -> None:
    wire = make_wire()
    chunk = b"%x\r\n%b\r\n" % (8_192, b" " * 8_192)
    async with serving(wire.app) as base:
        answer = await answer_to(base, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 9)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"QUERY_TOO_COMPLEX" in answer


async def test_the_last_byte_that_fits_is_taken() -> None:
    wire = make_wire()
    async with serving(wire.app) as base:
        sent = HEAD + b"Connection: close\r\nContent-Length: 65536\r\n\r\n" + BODY.ljust(65_536)
        answer = await answer_to(base, sent)
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_head_without_end_is_cut_off() -> None:
    async with serving(make_wire().app) as base:
        answer = await answer_to(base, HEAD + b"X-Long: " + b"x" * 40_000)
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_client_that_leaves_while_it_sends_is_not_answered() -> None:
    wire = make_wire()
    async with serving(wire.app) as base:
        _, writer = await connect(base)
        writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        alive = await answer_to(
            base, HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
        )
    assert alive.startswith(b"HTTP/1.1 200 ")
    assert len(wire.graph.served) == 1


async def test_two_operations_on_one_connection_are_answered_in_order() -> None:
    first = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    second = b'{"query": "{ echo(text: \\"2\\") }"}'
    last = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(second) + second
    async with serving(make_wire().app) as base:
        answer = await answer_to(base, first + last)
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.index(b'"hello"') < answer.index(b'"echo"')


class Impatient(BoundedProtocol):
    seconds = 0.2


@asynccontextmanager
async def impatiently_serving() -> AsyncGenerator[str]:
    config = server_config(make_wire().app, host="127.0.0.1", port=0)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Impatient(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /graphql HTTP/1.1\r\nHost",
        HEAD + b"Content-Length: 100\r\n\r\n{",
        # Answered at once (415), and still not left open for a body that nobody reads.
        b"POST /graphql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_a_request_that_does_not_end_loses_its_connection(sent: bytes) -> None:
    async with impatiently_serving() as base:
        reader, writer = await connect(base)
        writer.write(sent)
        started = time.monotonic()
        with suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert 0.1 < time.monotonic() - started < 3


async def test_a_request_in_time_keeps_its_connection() -> None:
    whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    async with impatiently_serving() as base:
        reader, writer = await connect(base)
        for _ in range(3):
            writer.write(whole)
            assert (await asyncio.wait_for(reader.readuntil(b"world"), 5)).startswith(b"HTTP/1.1 200 ")
            await reader.readuntil(b"}}")
            await asyncio.sleep(0.3)
        writer.close()


async def test_a_body_that_drips_is_given_up() -> None:
    started = time.monotonic()
    with pytest.raises(BodyTooSlow) as refusal:
        await read_body(sender({"type": "http.request", "body": b"{", "more_body": True}), 10, seconds=0.05)
    assert time.monotonic() - started < 2
    assert (refusal.value.http_status, refusal.value.headers()) == (408, [(b"connection", b"close")])


async def test_a_body_in_pieces_is_one() -> None:
    pieces = [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"c"},
    ]
    assert await read_body(sender(*pieces), 3) == b"abc"
    with pytest.raises(BodyTooLarge):
        await read_body(sender(*pieces), 2)
    with pytest.raises(ClientGone):
        await read_body(sender(pieces[0], {"type": "http.disconnect"}), 3)
