"""Programs in Node that stand opposite the product in tests, each a process of its own."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

NODE_FOLDER = Path(__file__).resolve().parents[1] / "node"
START_SECONDS = 120
"""The Firebase emulator needs most of a minute on a slow machine."""
STOP_SECONDS = 10


def node_command(script: str, *arguments: str) -> list[str]:
    """The command line of a script in tests/node; raises where its packages are not installed."""
    node = shutil.which("node")
    if node is None or not (NODE_FOLDER / "node_modules").is_dir():
        raise RuntimeError(f"Node and its packages are needed; run: npm ci --prefix {NODE_FOLDER}")
    return [node, str(NODE_FOLDER / script), *arguments]


@asynccontextmanager
async def node_peer(script: str, *arguments: str) -> AsyncGenerator[dict[str, str]]:
    """Runs a script until the block ends; yields the JSON line that it prints when it is ready."""
    with tempfile.TemporaryFile() as complaints:
        process = await asyncio.create_subprocess_exec(
            *node_command(script, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=complaints,
            cwd=NODE_FOLDER,
        )
        try:
            line = await asyncio.wait_for(_output(process).readline(), START_SECONDS)
            if not line:
                complaints.seek(0)
                raise RuntimeError(f"{script} did not start: {complaints.read().decode()}")
            yield cast("dict[str, str]", json.loads(line))
        finally:
            await _stop(process)


async def run_node(script: str, *arguments: str, text: str) -> dict[str, object]:
    """Runs a script to its end with ``text`` on its standard input; returns the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        *node_command(script, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=NODE_FOLDER,
    )
    output, _ = await asyncio.wait_for(process.communicate(text.encode()), START_SECONDS)
    return cast("dict[str, object]", json.loads(output))


def _output(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    if process.stdout is None:
        raise RuntimeError("the process has no standard output")
    return process.stdout


async def _stop(process: asyncio.subprocess.Process) -> None:
    # The scripts end with their standard input, so that none outlives a killed test run.
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
