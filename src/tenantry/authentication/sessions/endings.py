"""Who waits for the end: connections that are open for long, and whoever keeps a list of what has ended."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import structlog
from asyncpg import PostgresError

from tenantry.authentication.sessions import repository
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.errors import Unavailable
from tenantry.kernel.principal import Authority
from tenantry.storage.database import Database
from tenantry.storage.listener import Listener

CHANNEL = "tenantry_endings"
LOOK_SECONDS = 2.0
"""How often the database is asked whether a word was lost."""

_log = structlog.get_logger(__name__)

Told = Callable[[str, UUID], None]
"""Called with ``session``, ``member`` or ``tenant``, and its key."""


class Endings:
    """Wakes who follows an authority when it may have ended or changed.

    The database tells as it commits (``Listener``). In case a word is lost all who follow are looked
    after every two seconds by one statement. Waking proves nothing: who is woken asks again.
    """

    def __init__(
        self,
        database: Database,
        dsn: str,
        *,
        clock: Clock = system_clock,
        told: Told = lambda _kind, _key: None,
        every: float = LOOK_SECONDS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._told = told
        self._every = every
        self._following: dict[asyncio.Event, Authority] = {}
        self._by_key: defaultdict[tuple[str, UUID], set[asyncio.Event]] = defaultdict(set)
        self._listener = Listener(dsn, CHANNEL, self._hear)
        self._task: asyncio.Task[None] | None = None

    @property
    def listening(self) -> bool:
        """Whether a word is heard at once, and not at the next look."""
        return self._listener.listening

    @property
    def followers(self) -> int:
        """How many follow an authority now."""
        return len(self._following)

    async def start(self) -> None:
        """Begin to listen and to look."""
        await self._listener.start()
        self._task = asyncio.create_task(self._run(), name="endings")

    async def close(self) -> None:
        """Stop; who follows waits for ever, and is to be stopped by whom it has been started."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._listener.close()

    async def following(self, authority: Authority, *, until: datetime | None) -> AsyncGenerator[None]:
        """Yields whenever ``authority`` may have ended or changed, and once ``until`` has come."""
        event = asyncio.Event()
        keys = [
            ("session", authority.session_id),
            ("member", authority.member_id),
            ("tenant", authority.tenant_id),
        ]
        self._following[event] = authority
        for key in keys:
            self._by_key[key].add(event)
        try:
            while True:
                left = None if until is None else max(0.0, (until - self._clock()).total_seconds())
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await event.wait()
                event.clear()
                yield
        finally:
            del self._following[event]
            for key in keys:
                self._by_key[key].discard(event)
                if not self._by_key[key]:
                    del self._by_key[key]

    def _hear(self, payload: str) -> None:
        kind, _, text = payload.partition(":")
        try:
            key = UUID(text)
        except ValueError:
            return
        for event in self._by_key.get((kind, key), ()):
            event.set()
        self._told(kind, key)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self.look()

    async def look(self) -> None:
        """Wake whoever follows what does not hold any more; later, where the database does not answer."""
        following = dict(self._following)
        if not following:
            return
        try:
            over = await repository.no_longer(self._database, list(following.values()))
        except (Unavailable, PostgresError) as error:
            _log.warning("endings.look_failed", error=type(error).__name__)
            return
        for event, authority in following.items():
            if authority.session_id in over:
                event.set()
