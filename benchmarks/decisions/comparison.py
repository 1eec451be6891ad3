"""Decisions a second: each engine in a process of its own, in turns, after all have given the same answers."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

from benchmarks.decisions.policy import ASKED, right

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LOCK = HERE / "requirements.txt"
ENGINES = {"tenantry": "tenantry", "casbin": "casbin", "cedar": "cedarpy", "vakt": "vakt"}
"""By engine, the distribution that it comes in."""
KINDS = ("plain", "conditional", "gathered")
OURS = "tenantry"


def compare_decisions(given: argparse.Namespace) -> dict[str, Any]:
    """Check that all engines answer as they must, then measure them; ``given`` is the command line."""
    peers = _peers(given.folder / "peers")
    with ExitStack() as stack:
        engines = {
            name: stack.enter_context(_engine(name, Path(sys.executable) if name == OURS else peers))
            for name in ENGINES
        }
        versions = {name: _checked(name, engine) for name, engine in engines.items()}
        rounds = list(_rounds(engines, rounds=given.rounds, seconds=given.seconds))
    return {
        "command": f"python -m benchmarks --decisions --rounds {given.rounds} --seconds {given.seconds:g}",
        "rounds": given.rounds,
        "seconds": given.seconds,
        "versions": versions,
        "yes": {kind: sum(map(right, asked)) / len(asked) for kind, asked in ASKED.items()},
        "runs": rounds,
    }


def _rounds(engines: dict[str, "_Engine"], *, rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    for number in range(1, rounds + 1):
        for kind in KINDS:
            for name, engine in engines.items():
                if kind != "gathered" or name == OURS:
                    rate = cast("float", engine.ask(f"measure {kind} {seconds:g}"))
                    print(f"round {number}: {kind:11} {name:8} {rate:12,.0f}/s", flush=True)
                    yield {"engine": name, "kind": kind, "rate": rate}


class _Engine:
    """One that waits for what it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, line: str) -> Any:
        """What it says to one line. Raises ``SystemExit`` where it has ended."""
        said, told = cast("IO[str]", self.process.stdout), cast("IO[str]", self.process.stdin)
        told.write(line + "\n")
        told.flush()
        answer = said.readline()
        if not answer:
            raise SystemExit(f"{self.process.args}: ended at `{line}`")
        return json.loads(answer)


@contextmanager
def _engine(name: str, python: Path) -> Iterator[_Engine]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    with subprocess.Popen(
        [python, "-m", "benchmarks.decisions.worker", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        yield _Engine(process)
        cast("IO[str]", process.stdin).close()


def _checked(name: str, engine: _Engine) -> str:
    """Its version. Raises ``SystemExit`` where an answer is wrong."""
    said = {}
    for kind in KINDS if name == OURS else KINDS[:2]:
        said = engine.ask(f"answer {kind} {ENGINES[name]}")
        asked = ASKED["plain" if kind == "plain" else "conditional"]
        wrong = [
            each for each, answer in zip(asked, said["answers"], strict=True) if answer is not right(each)
        ]
        if wrong:
            raise SystemExit(f"{name}, {kind}: {len(wrong)} wrong answers, the first to {wrong[0]}")
    print(f"the right answers: {name} {said['version']}", flush=True)
    return said["version"]


def _peers(folder: Path) -> Path:
    """The interpreter of an environment that holds the peers, made where there is none for this lock."""
    stamp, python = folder / LOCK.name, folder / "bin" / "python"
    if not (stamp.exists() and stamp.read_bytes() == LOCK.read_bytes()):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--require-hashes", "-r", LOCK], check=True)
        shutil.copy(LOCK, stamp)
    return python
