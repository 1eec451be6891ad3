"""A small HTTP server on loopback whose answers a test decides and counts."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext


@dataclass(frozen=True)
class Answer:
    """What the server sends; ``drip`` seconds pass before each byte of the body."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    drip: float = 0.0


@dataclass
class LoopbackServer:
    """Answers GET by path; a path that is not listed is 404. ``hits`` counts requests by path."""

    origin: str = ""
    port: int = 0
    answers: dict[str, Answer | Callable[[], Awaitable[Answer]]] = field(
        default_factory=dict[str, Answer | Callable[[], Awaitable[Answer]]]
    )
    hits: Counter[str] = field(default_factory=Counter[str])
    hosts: list[str] = field(default_factory=list[str])
    """The Host header of each request."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one request and closes the connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            path = head[0].split(" ")[1]
            self.hits[path] += 1
            self.hosts += [line[6:] for line in head if line.lower().startswith("host: ")]
            answer = self.answers.get(path, Answer(status=404))
            await _send(writer, answer if isinstance(answer, Answer) else await answer())
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client went away, as some tests want it to.
        finally:
            writer.close()


@asynccontextmanager
async def loopback_server(tls: SSLContext | None = None) -> AsyncGenerator[LoopbackServer]:
    """Listens on a free port of 127.0.0.1 until the block ends, by TLS where a context is given."""
    server = LoopbackServer()
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    server.port = int(listener.sockets[0].getsockname()[1])
    server.origin = f"{'https' if tls else 'http'}://127.0.0.1:{server.port}"
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    headers = {"Content-Length": str(len(answer.body)), "Connection": "close", **answer.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {answer.status} Said\r\n{lines}\r\n".encode())
    for position in range(len(answer.body)) if answer.drip else ():
        await asyncio.sleep(answer.drip)
        writer.write(answer.body[position : position + 1])
        await writer.drain()
    writer.write(b"" if answer.drip else answer.body)
    await writer.drain()
