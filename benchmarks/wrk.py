"""Driving wrk, and reading what it says."""

import asyncio
import json
import shutil
import subprocess
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx

from benchmarks.operations import Target, cursor
from benchmarks.servers import Running
from benchmarks.targets import body

SCRIPT = Path(__file__).parent / "request.lua"
MARK = "RESULT "
_FIRST_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run of wrk gave: answers a second, milliseconds."""

    rps: float
    p50: float
    p99: float
    failed: int
    requests: int


def require_wrk() -> None:
    """Install wrk where that can be done. Raises where it cannot."""
    if shutil.which("wrk") is None and shutil.which("apt-get") is not None:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "wrk"], check=True)
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not on PATH (Debian: apt-get install wrk).")


async def write_requests(server: Running, name: str, targets: list[Target], folder: Path) -> Path:
    """The file that ``request.lua`` reads, one request for each target."""
    document = server.server.documents[name]
    afters = await _afters(server, document, targets) if name == "Trail" else {}
    lines = []
    for place, target in enumerate(targets):
        after = afters.get(target.tenant) if place % 2 else None
        lines.append(target.token.encode() + b"\t" + body(document, name, target, after) + b"\n")
    path = folder / f"{server.server.letter}-{name}.tsv"
    path.write_bytes(b"".join(lines))
    return path


async def _afters(server: Running, document: str, targets: list[Target]) -> dict[str, str]:
    """Each tenant's end of the first page of the trail, as this server spells it."""
    ones = {target.tenant: target for target in targets}
    async with httpx.AsyncClient() as client:
        return {
            tenant: cursor(await server.post(client, target.token, body(document, "Trail", target)))
            for tenant, target in ones.items()
        }


async def run_wrk(url: str, requests: Path, *, connections: int, seconds: float) -> Figures:
    """One run. Numbers in addresses are never used twice."""
    first = next(_FIRST_NUMBERS) * 10_000_000
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "10s",
        "-s",
        str(SCRIPT),
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        url,
        "--",
        str(requests),
        str(first),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    lines = [line for line in output.splitlines() if line.startswith(MARK)]
    if not lines:
        raise RuntimeError(f"wrk said: {output}")
    said = json.loads(lines[0].removeprefix(MARK))
    return Figures(
        said["requests"] / said["seconds"], said["p50"], said["p99"], said["failed"], said["requests"]
    )
