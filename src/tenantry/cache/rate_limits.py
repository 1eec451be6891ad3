"""Rate limits: so many in a window, counted by all workers together where there is a Redis."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from math import ceil
from typing import cast

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter

from tenantry.cache.backends import redis_pool
from tenantry.cache.breaker import Breaker
from tenantry.cache.keys import digest_of
from tenantry.kernel.errors import RateLimited


@dataclass(frozen=True, slots=True)
class RateRule:
    """At most ``times`` within ``seconds``, by subject; the name keeps rules apart."""

    name: str
    times: int
    seconds: int


def neighbourhood(ip: str | None) -> str:
    """An address as limits count it: of IPv6 the /64, which is one customer's (RFC 6177, section 2)."""
    try:
        parsed = ip_address(ip or "")
    except ValueError:
        return "unknown"
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False))


class RateLimiter:
    """Counts hits in Redis, and in this process's memory while Redis fails."""

    def __init__(self, shared: FixedWindowRateLimiter | None, breaker: Breaker) -> None:
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._shared = shared
        self.breaker = breaker

    async def hit(self, rule: RateRule, subject: str) -> None:
        """Count one. The subject (an address, a member) is kept as a digest only.

        Raises:
            RateLimited: that was one too many; ``retry_after`` is what is left of the window.
        """
        item = RateLimitItemPerSecond(rule.times, rule.seconds, namespace=f"tenantry:limit:{rule.name}")
        name = digest_of(subject)
        if self._shared is not None and not self.breaker.resting:
            async with self.breaker.guard():
                await _hit(self._shared, item, name)
                return
        await _hit(self._own, item, name)


async def _hit(limiter: FixedWindowRateLimiter, item: RateLimitItemPerSecond, name: str) -> None:
    if not await limiter.hit(item, name):
        window = await limiter.get_window_stats(item, name)
        raise RateLimited(max(1, ceil(window.reset_time - time.time())))


@asynccontextmanager
async def open_rate_limiter(url: str | None, breaker: Breaker | None = None) -> AsyncGenerator[RateLimiter]:
    """A limiter over the server at ``url``, or in this process's memory without one."""
    if url is None:
        yield RateLimiter(None, breaker or Breaker())
        return
    pool = redis_pool(url)
    storage = RedisStorage("redis://", implementation="redispy", connection_pool=cast("str", pool))
    try:
        yield RateLimiter(FixedWindowRateLimiter(storage), breaker or Breaker())
    finally:
        await pool.aclose()
