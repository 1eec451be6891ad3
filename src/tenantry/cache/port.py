"""The port: a cache that forgets, is late or is dead costs speed only, and never raises."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, cast

from tenantry.cache.backends import MEMORY_ENTRIES, Backend, Hit, open_backend
from tenantry.cache.breaker import Breaker
from tenantry.cache.keys import CacheKey

Value = TypeVar("Value")


class Cache:
    """Values are JSON or bytes, and live as long as their key's space says.

    Where the backend fails, each method answers what its docstring says for "not known",
    within 100 ms; the truth is elsewhere.
    """

    def __init__(self, backend: Backend, breaker: Breaker | None = None) -> None:
        self._backend = backend
        self._flights: dict[CacheKey, asyncio.Task[object]] = {}
        self.breaker = breaker or Breaker()

    async def get(self, key: CacheKey) -> object:
        """The value, or None."""
        hit = await self._lookup(key)
        return None if hit is None else hit.value

    async def set(self, key: CacheKey, value: object) -> None:
        """Keep ``value``, if possible."""
        await self._attempt(lambda: self._backend.set(str(key), value, ttl=key.space.seconds), None)

    async def add(self, key: CacheKey, value: object) -> bool:
        """Keep ``value`` unless there is one; whether it was kept (not known: False)."""

        async def attempt() -> bool:
            try:
                await self._backend.add(str(key), value, ttl=key.space.seconds)
            except ValueError:  # how aiocache says that the key exists
                return False
            return True

        return await self._attempt(attempt, default=False)

    async def increment(self, key: CacheKey) -> int | None:
        """Count one more, from 1; the count lives from its first (not known: None)."""

        async def attempt() -> int:
            count = await self._backend.increment(str(key))
            if count == 1:
                await self._backend.expire(str(key), key.space.seconds)
            return count

        return await self._attempt(attempt, None)

    async def delete(self, key: CacheKey) -> None:
        """Forget, if possible; a load that is under way is not kept either."""
        self._flights.pop(key, None)
        await self._attempt(lambda: self._backend.delete(str(key)), None)

    async def get_or_load(self, key: CacheKey, loader: Callable[[], Awaitable[Value]]) -> Value:
        """The value, else the loader's, kept; callers at the same time share one load.

        The load goes on when its first caller is cancelled. What the loader raises reaches all
        who wait, and is not kept. Only a value that is equal after JSON may be loaded.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._load(key, loader))
        return cast("Value", await asyncio.shield(flight))

    async def _load(self, key: CacheKey, loader: Callable[[], Awaitable[object]]) -> object:
        try:
            hit = await self._lookup(key)
            if hit is not None:
                return hit.value
            value = await loader()
            if self._is_current(key):
                await self.set(key, value)
            return value
        finally:
            if self._is_current(key):
                del self._flights[key]

    def _is_current(self, key: CacheKey) -> bool:
        return self._flights.get(key) is asyncio.current_task()

    async def _lookup(self, key: CacheKey) -> Hit | None:
        return await self._attempt(lambda: self._backend.get(str(key)), None)

    async def _attempt(self, attempt: Callable[[], Awaitable[Value]], default: Value) -> Value:
        if self.breaker.resting:
            return default
        async with self.breaker.guard():
            return await attempt()
        return default


@asynccontextmanager
async def open_cache(
    url: str | None, *, entries: int = MEMORY_ENTRIES, on_failure: Callable[[], object] = lambda: None
) -> AsyncGenerator[Cache]:
    """A cache over the server at ``url``, or in this process's memory without one."""
    async with open_backend(url, entries=entries) as backend:
        yield Cache(backend, Breaker(on_failure))
