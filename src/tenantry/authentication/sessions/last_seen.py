"""When sessions were last seen: collected in memory, written in one statement now and then."""

import asyncio
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import structlog
from asyncpg import PostgresError

from tenantry.authentication.sessions.repository import touch
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.errors import Unavailable
from tenantry.storage.database import Database

EVERY_SECONDS = 30.0
CAPACITY = 100_000

_log = structlog.get_logger(__name__)


class LastSeen:
    """Writes ``last_seen_at`` behind the requests' backs, every ``every`` seconds.

    A crash loses at most that much of it, and nothing but that: what a session may do never
    depends on when it was seen. While the database is gone up to ``CAPACITY`` sessions wait. A
    row that a running transaction holds is passed over, so that nothing waits for this.
    """

    def __init__(
        self, database: Database, *, clock: Clock = system_clock, every: float = EVERY_SECONDS
    ) -> None:
        self._database = database
        self._clock = clock
        self._every = every
        self._seen: dict[UUID, datetime] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many sessions were seen since the last time they were written."""
        return len(self._seen)

    def see(self, session_id: UUID) -> None:
        """Note that ``session_id`` acts now; costs a dictionary's entry."""
        if len(self._seen) < CAPACITY or session_id in self._seen:
            self._seen[session_id] = self._clock()

    async def start(self) -> None:
        """Begin to write. Harmless twice."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="last-seen")

    async def close(self) -> None:
        """Stop, and write what is left."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.flush()

    async def flush(self) -> None:
        """Write what was collected; keep it for the next time when the database is gone."""
        seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            await touch(self._database, seen)
        except Unavailable:
            self._seen = seen | self._seen
        except PostgresError as error:
            _log.warning("sessions.touch_failed", error=type(error).__name__, count=len(seen))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self.flush()
