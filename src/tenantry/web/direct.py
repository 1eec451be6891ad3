"""``POST /graphql`` straight from the parser to the endpoint, and its answer in one write.

uvicorn speaks ASGI to everything: a scope, a task that waits for its body, two messages
back, each header looked at twice. That costs as much as a short operation. What arrives in
one piece, as operations do, is handed over whole; whatever is out of the ordinary (pieces,
pipelining, an upgrade, ``Expect``, HTTP/1.0) goes uvicorn's way to the same endpoint (ADR 12).
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import uvicorn
from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from tenantry.web.graphql_http import GRAPHQL_PATH
from tenantry.web.refusals import HeaderPairs
from tenantry.web.requests import read_headers
from tenantry.web.wire import Wire

_TARGET = GRAPHQL_PATH.encode()
_STATUS_LINES: Mapping[int, bytes] = {
    status: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}


class _Nobody:
    """Stands for the event by which uvicorn tells a waiting application that something came."""

    def set(self) -> None:
        """Nobody waits: the request was whole when its answering began."""


_NOBODY = _Nobody()


class _Exchange:
    """A request being answered here, with what uvicorn's protocol looks at in one of its own."""

    __slots__ = ("disconnected", "keep_alive", "message_event", "response_complete")

    def __init__(self, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.response_complete = self.disconnected = False
        self.message_event = _NOBODY


class DirectProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with the short way for operations."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        loaded = cast("object", config.loaded_app)  # pyright: ignore[reportUnknownMemberType] - or a middleware
        self._endpoint = loaded.graphql if isinstance(loaded, Wire) else None
        self._held: bytes | None = None
        """The body so far of a request whose head fits the short way."""
        self._idle_since: float | None = None
        self._idle_timer: asyncio.TimerHandle | None = None

    def on_headers_complete(self) -> None:
        if self._endpoint is not None and self._is_operation():
            self._held = b""
        else:
            super().on_headers_complete()

    def _is_operation(self) -> bool:
        parser, before = self._parsing, cast("_Exchange | None", self.cycle)
        return (
            self.url == _TARGET
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and not self.expect_100_continue
            and not parser.should_upgrade()
            and (before is None or before.response_complete)
        )

    @property
    def _parsing(self) -> HttpRequestParser:
        """Uvicorn's parser, which is there while the connection is."""
        return cast("HttpRequestParser", self.parser)

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._held += body

    def on_message_complete(self) -> None:
        if self._held is None:
            super().on_message_complete()
        else:
            body, self._held = self._held, None
            self._begin(body)

    def data_received(self, data: bytes) -> None:
        self._idle_since = None
        super().data_received(data)
        if self._held is not None and not self.transport.is_closing():
            # There is more to come, and somebody has to wait for it.
            body, self._held = self._held, None
            super().on_headers_complete()
            if body:
                super().on_body(body)

    def _begin(self, body: bytes) -> None:
        exchange = _Exchange(keep_alive=self._parsing.should_keep_alive())
        self.cycle = cast("RequestResponseCycle", exchange)
        task = self.loop.create_task(self._answer(exchange, self.headers, body))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _answer(self, exchange: _Exchange, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        endpoint = self._endpoint
        if endpoint is None:
            raise RuntimeError("the short way was taken without an endpoint")
        request = endpoint.request("POST", read_headers(headers), b"", self.client and self.client[0])
        reply = await endpoint.reply(request, body)
        if self.flow.write_paused and not exchange.disconnected:
            await self.flow.drain()
        exchange.response_complete = True
        if reply is None or self.transport.is_closing():
            return
        pairs = endpoint.headers(request, reply)
        if (b"connection", b"close") in reply.headers:
            exchange.keep_alive = False
        elif not exchange.keep_alive:
            pairs = [*pairs, (b"connection", b"close")]
        start = printed_head(reply.status, [*self.server_state.default_headers, *pairs])
        self.transport.writelines((start, reply.body))
        if exchange.keep_alive and not self.pipeline:
            self.server_state.total_requests += 1
            self._rest()
        else:
            if not exchange.keep_alive:
                self.transport.close()
            self.on_response_complete()

    def _rest(self) -> None:
        """Wait for the next request, by one timer for the connection: one a request costs more than it."""
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _look(self) -> None:
        """Close the connection where it has rested for as long as uvicorn would let it."""
        self._idle_timer = None
        since = self._idle_since
        if since is None or self.transport.is_closing():
            return
        left = since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._look)
        else:
            self.timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)


def printed_head(status: int, headers: HeaderPairs) -> bytes:
    """The head of a response (RFC 9112, section 4); the names and values are ours."""
    parts = [_STATUS_LINES[status]]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
