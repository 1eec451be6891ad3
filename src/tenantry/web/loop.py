"""The event loop of a server: uvloop where there is one, and a collector that keeps out of the way."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any

if sys.platform != "win32":
    import uvloop

    new_event_loop = uvloop.new_event_loop
else:
    new_event_loop = asyncio.new_event_loop

YOUNG = 50_000
"""Objects made before the collector looks at the youngest; 700 by default, which is a few requests."""


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run ``main`` to its end; uvicorn chooses a loop only where it also runs it."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main)


def settle() -> None:
    """Call once everything is started: what lives by now is for ever, and is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
