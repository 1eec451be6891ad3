"""uvicorn, bounded: who is slow or endless loses the connection, and no header is believed."""

import asyncio
from typing import Any, ClassVar

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from tenantry.web.direct import DirectProtocol
from tenantry.web.socket import MESSAGE_BYTES

REQUEST_SECONDS = 15.0
"""From the first byte of a request (or the connection) to its last; bodies have less."""
HEAD_BYTES = 32_768
KEEP_ALIVE_SECONDS = 75
"""Longer than the usual minute of a balancer, so that it is the balancer that closes."""
SHUTDOWN_SECONDS = 10
PING_SECONDS = 20.0
"""Who does not answer a ping within this is gone."""

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def server_config(app: ASGIApp, *, host: str, port: int) -> uvicorn.Config:
    """How the application is served, in production, development and tests alike.

    uvicorn must not rewrite the peer's address: ``web.requests.Clients`` knows whom to believe.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=BoundedProtocol,
        ws="websockets-sansio",
        ws_max_size=MESSAGE_BYTES,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


class BoundedProtocol(DirectProtocol):
    """Bounds what uvicorn leaves open: the size of a request's head, and the time to its end."""

    seconds: ClassVar[float] = REQUEST_SECONDS

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # A line of the access log holds the query string, and with it variables.
        self.access_log = False
        self._arriving = True
        self._in_head = True
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arriving = False
        self._watch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and self._arriving:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()
        self._watch()

    def on_message_begin(self) -> None:
        self._arriving = self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._arriving = False
        super().on_message_complete()

    def _watch(self) -> None:
        # A request that came in one piece, as most do, costs no timer.
        if self._arriving and self._deadline is None:
            self._deadline = self.loop.call_later(self.seconds, self.transport.abort)
        elif not self._arriving and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
