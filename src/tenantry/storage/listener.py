"""What the database tells as it commits (PostgreSQL, LISTEN): heard on one connection for each worker."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import asyncpg
import structlog

from tenantry.storage.connections import Connection, connector
from tenantry.storage.errors import is_gone

PAUSE_SECONDS = 0.5
"""Between two attempts to be heard again."""

Hear = Callable[[str], None]

_log = structlog.get_logger(__name__)


class Listener:
    """Passes each payload of one channel to ``hear``, which must not block.

    Where the connection is lost, what is told meanwhile is lost too: whoever relies on it looks for
    themselves from time to time, and once ``regained`` is called.
    """

    def __init__(
        self, dsn: str, channel: str, hear: Hear, *, regained: Callable[[], None] = lambda: None
    ) -> None:
        self._connect = connector(dsn)
        self._channel = channel
        self._hear = hear
        self._regained = regained
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def listening(self) -> bool:
        """Whether what is told now is heard."""
        return self._connection is not None and not self._connection.is_closed()

    async def start(self) -> None:
        """Begin to listen; goes on by itself, also where there is no database as yet."""
        self._task = asyncio.create_task(self._run(), name="listener")

    async def close(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._drop()

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if not is_gone(error):
                    _log.warning("listener.failed", error=type(error).__name__)
            self._drop()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _listen(self) -> None:
        self._connection = connection = await self._connect()
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(self._channel, self._told)
        self._regained()
        await lost.wait()

    def _told(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._hear(str(payload))

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
