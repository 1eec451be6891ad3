"""One engine in a process of its own: answers or measures as it is told, a line of JSON for a line.

``python -m benchmarks.decisions.worker ENGINE``, then ``answer KIND`` or ``measure KIND SECONDS``.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

from benchmarks.decisions.policy import QUESTIONS

AT_ONCE = 100

Answers = Callable[[int, int], list[bool]]
"""The answers to a range of the questions."""


def _measure(answers: Answers, seconds: float) -> float:
    """Decisions a second of the processor: they wait for nothing, and so neighbours do not count."""
    done, began = 0, time.process_time()
    until = began + seconds
    while time.process_time() < until:
        start = done % QUESTIONS
        answers(start, start + AT_ONCE)
        done += AT_ONCE
    return done / (time.process_time() - began)


def _main() -> None:
    name = sys.argv[1]
    prepare: Callable[[str], Answers] = importlib.import_module(f"benchmarks.decisions.{name}_engine").prepare
    prepared: dict[str, Answers] = {}
    for line in sys.stdin:
        what, kind, *more = line.split()
        if kind not in prepared:
            prepared[kind] = prepare(kind)
        said: object
        if what == "measure":
            said = _measure(prepared[kind], float(more[0]))
        else:
            said = {"version": version(more[0]), "answers": prepared[kind](0, QUESTIONS)}
        print(json.dumps(said), flush=True)


_main()
