"""An open-loop generator: requests leave at a fixed rate, whether or not answers have come.

Latency is measured from the moment a request was due, so that a server which stalls is charged
for all that had to wait (no coordinated omission).
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
PATIENCE = 60.0
"""Seconds after the last request; what is not answered then has failed."""
Source = Callable[[int], bytes]
"""Gives the n-th request, head and body."""


def http_request(path: str, body: bytes, token: str | None = None, *, cookie: str | None = None) -> bytes:
    """The bytes of one POST."""
    credential = f"Authorization: Bearer {token}\r\n" if token else f"Cookie: {cookie}\r\n" if cookie else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{credential}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(slots=True)
class Outcome:
    """What a fixed-rate run gave; seconds."""

    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    elapsed: float = 0.0
    first_failure: bytes = b""

    def percentile(self, part: float) -> float:
        """The latency in milliseconds that ``part`` of the requests stayed under."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class _Lane(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, generator: "_Generator") -> None:
        self.generator = generator
        self.transport: asyncio.Transport
        self.due = 0.0
        self.parts: list[bytes] = []
        self.missing = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, request: bytes, due: float) -> None:
        self.due, self.missing = due, -1
        self.parts.clear()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.parts.append(data)
        if self.missing < 0:
            whole = b"".join(self.parts)
            end = whole.find(b"\r\n\r\n")
            if end < 0:
                return
            length = LENGTH.search(whole, 0, end)
            self.missing = end + 4 + (int(length.group(1)) if length else 0) - len(whole)
        else:
            self.missing -= len(data)
        if self.missing <= 0:
            self.generator.answered(self, self.parts[0])

    def connection_lost(self, exc: Exception | None) -> None:
        self.generator.lost(self)


class _Generator:
    def __init__(self, rate: float, total: int, source: Source) -> None:
        self.rate, self.total, self.source = rate, total, source
        self.free: list[_Lane] = []
        self.outcome = Outcome()
        self.sent = 0
        self.waiting: list[tuple[int, float]] = []
        self.done = asyncio.get_running_loop().create_future()

    def answered(self, lane: _Lane, start: bytes) -> None:
        self.outcome.latencies.append(time.perf_counter() - lane.due)
        if not start.startswith(b"HTTP/1.1 200") or b'"errors"' in start:
            self.outcome.failed += 1
            self.outcome.first_failure = self.outcome.first_failure or start[:600]
        if self.waiting:
            number, due = self.waiting.pop(0)
            lane.send(self.source(number), due)
        else:
            self.free.append(lane)
        if len(self.outcome.latencies) == self.total and not self.done.done():
            self.done.set_result(None)

    def lost(self, lane: _Lane) -> None:
        """A server may close a connection that has nothing to do; in the midst of a request it fails the run."""
        if lane in self.free:
            self.free.remove(lane)
        elif not self.done.done():
            self.done.set_exception(RuntimeError("the server closed a connection in use"))

    async def run(self, lanes: Sequence[_Lane]) -> Outcome:
        self.free.extend(lanes)
        began = time.perf_counter()
        for number in range(self.total):
            due = began + number / self.rate
            ahead = due - time.perf_counter()
            if ahead > 0.0005:
                await asyncio.sleep(ahead)
            elif number % 16 == 0:
                await asyncio.sleep(0)
            if self.free:
                self.free.pop().send(self.source(number), due)
            else:
                self.waiting.append((number, due))
        try:
            async with asyncio.timeout(PATIENCE):
                await self.done
        except TimeoutError:
            self.outcome.failed += self.total - len(self.outcome.latencies)
        self.outcome.elapsed = time.perf_counter() - began
        return self.outcome


async def fixed_rate(
    port: int, source: Source, *, rate: float, seconds: float, connections: int = 64
) -> Outcome:
    """Send ``rate`` requests a second for ``seconds``; returns when all are answered."""
    loop = asyncio.get_running_loop()
    generator = _Generator(rate, int(rate * seconds), source)
    lanes = [
        (await loop.create_connection(lambda: _Lane(generator), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    try:
        return await generator.run(lanes)
    finally:
        generator.done.cancel()
        for lane in lanes:
            lane.transport.close()
