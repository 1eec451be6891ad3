"""A receiver of webhooks on loopback: keeps what it is sent, and answers as a test says."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class Received:
    """One request; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        """The event's id."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        """The body, read."""
        return json.loads(self.body)

    def verified_by(self, secret: str) -> bool:
        """Whether one of the signatures is by this secret, as a receiver looks at it by hand."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.message_id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        mine = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return mine in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """Answers each request with the next of ``statuses``, and 204 once there are no more."""

    url: str = ""
    statuses: list[int] = field(default_factory=list[int])
    received: list[Received] = field(default_factory=list[Received])
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, requests are kept and not answered."""
    most_at_once: int = 0
    _open: int = 0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, count: int) -> list[Received]:
        """What was received, once there are so many. Raises ``TimeoutError``."""
        async with asyncio.timeout(WAIT_SECONDS), self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)
        return list(self.received)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one request and closes the connection."""
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            await self._keep(Received(first.split(" ")[1], headers, body))
            await self.answering.wait()
            status = self.statuses.pop(0) if self.statuses else 204
            where = "Location: /elsewhere\r\n" if 300 <= status < 400 else ""
            writer.write(f"HTTP/1.1 {status} Said\r\n{where}Content-Length: 4\r\n\r\nsaid".encode())
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The sender went away, as some tests want it to.
        finally:
            self._open -= 1
            writer.close()

    async def _keep(self, one: Received) -> None:
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        async with self._arrived:
            self.received.append(one)
            self._arrived.notify_all()


@asynccontextmanager
async def receiver() -> AsyncGenerator[Receiver]:
    """Listens on a free port of 127.0.0.1 until the block ends."""
    made = Receiver()
    made.answering.set()
    listener = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/hook"
    try:
        yield made
    finally:
        made.answering.set()
        listener.close()
        await listener.wait_closed()
