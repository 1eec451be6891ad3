"""After a failure of Redis, leave it alone for a moment: an outage must not cost each request its wait."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import structlog
from redis.exceptions import RedisError

WAIT_SECONDS = 0.1
"""Longest that a request waits for Redis."""
REST_SECONDS = 1.0

FAILURES = (OSError, RedisError, ValueError, TypeError)
"""What a dead, slow (TimeoutError is an OSError) or confused server ends in, or a value not ours."""

_log = structlog.get_logger(__name__)


class Breaker:
    """Counts failures and says whether to try again; the caller falls back in both cases."""

    def __init__(self, on_failure: Callable[[], object] = lambda: None) -> None:
        self.failures = 0
        self._on_failure = on_failure
        self._resting_until = 0.0

    @property
    def resting(self) -> bool:
        """Whether the last failure is too recent to try again."""
        return time.monotonic() < self._resting_until

    @asynccontextmanager
    async def guard(self) -> AsyncGenerator[None]:
        """Swallow a failure or a wait beyond the bound, after counting it."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                yield
        except FAILURES as failure:
            self.failures += 1
            self._resting_until = time.monotonic() + REST_SECONDS
            self._on_failure()
            _log.warning("cache.failed", error=type(failure).__name__)
