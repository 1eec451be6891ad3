"""What has ended before its time, for whoever looks at tokens without asking here.

Never the truth: a service that verifies our tokens by itself may look a token's ``sid`` up, and
refuse it; what is missing there is still refused here, by the database.
"""

import asyncio
from contextlib import suppress
from uuid import UUID

import structlog
from asyncpg import PostgresError

from tenantry.authentication.sessions import repository
from tenantry.cache.keys import CacheKey, Space
from tenantry.cache.port import Cache
from tenantry.kernel.errors import Unavailable
from tenantry.storage.database import Database

EVERY_SECONDS = 30.0
"""How often it is made whole from the database: Redis may have been flushed."""
MOST = 10_000

_log = structlog.get_logger(__name__)


class Denylist:
    """Keeps the ``sid`` of sessions that have ended, for as long as a token of theirs may live.

    Each worker writes what it hears, and all of it now and then: writing is harmless twice.
    """

    def __init__(self, cache: Cache, database: Database, *, every: float = EVERY_SECONDS) -> None:
        self._cache = cache
        self._database = database
        self._every = every
        self._heard: asyncio.Queue[tuple[str, UUID]] = asyncio.Queue(MOST)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to write."""
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._renew())]

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def hear(self, kind: str, key: UUID) -> None:
        """Note an ending; what does not fit is found by the next renewal."""
        with suppress(asyncio.QueueFull):
            self._heard.put_nowait((kind, key))

    async def denied(self, session: UUID) -> bool:
        """Whether the list has this ``sid``; False says nothing."""
        return await self._cache.get(_key(session)) is not None

    async def renew(self) -> None:
        """Write all that the database knows to have ended, the newest ``MOST``."""
        await self._write()

    async def _follow(self) -> None:
        while True:
            kind, key = await self._heard.get()
            if kind == "session":
                # It may have been deleted: then nobody but this word knows of it.
                await self._cache.set(_key(key), value=True)
            else:
                await self._write(**{kind: key})

    async def _renew(self) -> None:
        while True:
            await self.renew()
            await asyncio.sleep(self._every)

    async def _write(self, *, member: UUID | None = None, tenant: UUID | None = None) -> None:
        try:
            ended = await repository.ended_sessions(self._database, member=member, tenant=tenant, most=MOST)
        except (Unavailable, PostgresError) as error:
            _log.warning("denylist.not_renewed", error=type(error).__name__)
            return
        for session in ended:
            await self._cache.set(_key(session), value=True)


def _key(session: UUID) -> CacheKey:
    return CacheKey.of_platform(Space.DENIED_SESSION, str(session))
