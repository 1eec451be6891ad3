"""A client of graphql-transport-ws, by the protocol's own messages."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PROTOCOL = "graphql-transport-ws"
FOLLOW = "subscription { authority { tenantId version } }"


@dataclass
class Socket:
    """One connection."""

    connection: ClientConnection

    async def send(self, kind: str, **message: Any) -> None:
        """One message."""
        await self.connection.send(json.dumps({"type": kind, **message}))

    async def receive(self, seconds: float = 10) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(seconds):
            return json.loads(await self.connection.recv())

    async def begin(self, token: str | None = None) -> "Socket":
        """Say who is there, and wait to be let in."""
        await self.send("connection_init", payload={"authorization": f"Bearer {token}"} if token else {})
        answer = await self.receive()
        if answer["type"] != "connection_ack":
            raise AssertionError(answer)
        return self

    async def ask(self, query: str, name: str = "1") -> None:
        """Begin an operation."""
        await self.send("subscribe", id=name, payload={"query": query})

    async def closed(self, seconds: float = 10) -> tuple[int | None, str]:
        """Wait for the end: its code and reason. What comes before is passed over."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await self.connection.recv()
                except ConnectionClosed:
                    return self.connection.close_code, self.connection.close_reason or ""


@asynccontextmanager
async def socket_to(
    base: str, *, protocol: str = PROTOCOL, origin: str | None = None
) -> AsyncGenerator[Socket]:
    """A connection to the ``/graphql`` of a server."""
    url = base.replace("http://", "ws://") + "/graphql"
    headers = {} if origin is None else {"Origin": origin}
    async with connect(url, subprotocols=[protocol], additional_headers=headers, proxy=None) as connection:  # type: ignore[list-item]
        yield Socket(connection)
