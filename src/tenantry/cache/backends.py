"""aiocache's two backends, made equal: one serializer, a bound in memory, any Redis URL."""

# aiocache has no types: its unknowns, and the overrides of its guesses, end in this file.
# pyright: reportUnknownMemberType=false, reportIncompatibleMethodOverride=false
import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, cast

import orjson
from aiocache import RedisCache, SimpleMemoryCache
from aiocache.serializers import BaseSerializer
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tenantry.cache.breaker import FAILURES, WAIT_SECONDS

MEMORY_ENTRIES = 20_000
CONNECTIONS = 50
_BYTES = b"\x00"
"""Marks bytes as such: no JSON text begins with it (RFC 8259, section 2)."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A value that was there, ``None`` included."""

    value: object


class Backend(Protocol):
    """What the port asks of aiocache."""

    async def get(self, key: str) -> Hit | None: ...
    async def set(self, key: str, value: object, ttl: int) -> object: ...
    async def add(self, key: str, value: object, ttl: int) -> object: ...
    async def increment(self, key: str) -> int: ...
    async def expire(self, key: str, ttl: int) -> object: ...
    async def delete(self, key: str) -> object: ...
    async def close(self) -> None: ...


class Serializer(BaseSerializer):
    """JSON, or bytes as they are; never pickle, which runs what it reads."""

    DEFAULT_ENCODING = None

    def dumps(self, value: object) -> bytes:
        return _BYTES + value if isinstance(value, bytes) else orjson.dumps(value)

    def loads(self, value: bytes | int | None) -> Hit | None:
        """A count is an int in memory and its digits in Redis."""
        if value is None or isinstance(value, int):
            return None if value is None else Hit(value)
        return Hit(value[1:] if value.startswith(_BYTES) else orjson.loads(value))


class _BoundedMemory(SimpleMemoryCache):
    """Drops its oldest entry to make room, where aiocache's own grows without end."""

    def __init__(self, entries: int) -> None:
        super().__init__(serializer=Serializer(), timeout=None)
        self._entries = entries
        self._cache: dict[str, object]

    async def _set(self, key: str, value: object, ttl: float | None = None, **rest: object) -> object:
        await self._make_room(key)
        return await super()._set(key, value, ttl=ttl, **rest)

    async def _increment(self, key: str, delta: int, _conn: object = None) -> object:
        await self._make_room(key)
        return await super()._increment(key, delta)

    async def _make_room(self, key: str) -> None:
        if key not in self._cache and len(self._cache) >= self._entries:
            await self._delete(next(iter(self._cache)))


class _RedisByUrl(RedisCache):
    """Takes what a URL can say (TLS, users, unix sockets), where aiocache's own takes a host and a port."""

    def __init__(self, url: str) -> None:
        super().__init__(serializer=Serializer(), timeout=None)
        self.client = Redis.from_pool(redis_pool(url))

    async def _set(self, key: str, value: bytes, ttl: int | None = None, **_: object) -> object:
        return await self.client.set(key, value, ex=ttl)

    async def _close(self, *_: object, **__: object) -> None:
        await self.client.aclose()


def redis_pool(url: str) -> BlockingConnectionPool:
    """Connections to a Redis or Valkey, bounded; made at first use.

    Takes the schemes redis, rediss, valkey, valkeys and unix.
    """
    return BlockingConnectionPool.from_url(
        re.sub(r"^valkey", "redis", url),
        max_connections=CONNECTIONS,
        timeout=WAIT_SECONDS,
        socket_connect_timeout=WAIT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


@asynccontextmanager
async def open_backend(url: str | None, *, entries: int = MEMORY_ENTRIES) -> AsyncGenerator[Backend]:
    """Memory of this process without a URL, else Redis or Valkey; connects at first use."""
    backend = cast("Backend", _BoundedMemory(entries) if url is None else _RedisByUrl(url))
    try:
        yield backend
    finally:
        with suppress(*FAILURES):
            async with asyncio.timeout(1):
                await backend.close()
