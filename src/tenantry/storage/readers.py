"""Reading: self-contained statements on a free list of connections, one round trip each."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg

from tenantry.kernel.errors import Unavailable
from tenantry.storage.connections import SECONDS, STATEMENT_CACHE, Connect, Connection, Prepared
from tenantry.storage.errors import is_gone

REPLAYS = 1
LOOK_SECONDS = 0.1
"""How often to look for reads that have waited too long for a connection."""


class Reader:
    """One connection and what it has prepared; asyncpg's own cache costs a third of a short read."""

    __slots__ = ("_connection", "_prepared")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._prepared: dict[str, Prepared] = {}

    async def fetch(
        self, sql: str, arguments: Sequence[Any], *, seconds: float | None = None
    ) -> asyncpg.Record | None:
        """The first row of ``sql``, or None; within ``seconds``, or as long as the connection waits."""
        statement = self._prepared.get(sql)
        if statement is None:
            statement = await self._prepare(sql)
        return await statement.fetchrow(*arguments, timeout=seconds)

    async def _prepare(self, sql: str) -> Prepared:
        if len(self._prepared) >= STATEMENT_CACHE:
            self._prepared.pop(next(iter(self._prepared)))
        statement = self._prepared[sql] = await self._connection.prepare(sql)
        return statement

    @property
    def usable(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return not self._connection.is_closed()

    def drop(self) -> None:
        """Close the connection, at once."""
        self._connection.terminate()


class Readers:
    """At most ``size`` connections, lent for one statement each, to who asked first.

    A statement runs alone in its transaction, so a connection needs no reset in between;
    one that breaks is dropped, and a read is replayed once on a new one. Who waits is looked
    after by one timer for all: under load nearly every read waits, and a timer costs more.
    """

    def __init__(self, connect: Connect, *, size: int) -> None:
        self._connect = connect
        self._size = size
        self._open = 0
        """Connections lent, free or being opened."""
        self._free: list[Reader] = []
        self._waiters: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> asyncpg.Record | None:
        """The first row of ``sql``, or None.

        Raises ``Unavailable`` within two seconds when the database is gone, and asyncpg's
        ``PostgresError`` when it refuses the statement.
        """
        began = asyncio.get_running_loop().time()
        replays = REPLAYS
        while True:
            try:
                return await self._lend(sql, arguments, began)
            except Exception as error:
                if not is_gone(error):
                    raise
                if not replays or isinstance(error, TimeoutError):
                    raise Unavailable from error
            replays -= 1
            await self.close()

    async def _lend(self, sql: str, arguments: Sequence[Any], began: float) -> asyncpg.Record | None:
        seconds: float | None = None
        if self._free and self._free[-1].usable:
            # The ordinary case; the connection's own timeout watches over the statement.
            reader = self._free.pop()
        else:
            reader = await self._take(began)
            seconds = _left(began)
        try:
            row = await reader.fetch(sql, arguments, seconds=seconds)
        except asyncpg.PostgresError as error:
            # It said no, in order; or else it said good-bye.
            if is_gone(error):
                self._drop(reader)
            else:
                self._give(reader)
            raise
        except BaseException:
            # Broken or cancelled in mid-flight: what state it is in is not known.
            self._drop(reader)
            raise
        self._give(reader)
        return row

    async def _take(self, began: float) -> Reader:
        """A free connection, a new one, or the next that somebody gives back."""
        while self._free:
            reader = self._free.pop()
            if reader.usable:
                return reader
            self._open -= 1
        if self._open < self._size:
            self._open += 1
        elif (reader := await self._wait(began)) is not None:
            return reader
        try:
            async with asyncio.timeout(_left(began)):
                return Reader(await self._connect())
        except BaseException:
            self._leave()
            raise

    async def _wait(self, began: float) -> Reader | None:
        """What is handed on; None is the place of one that broke, to open another in."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(began, loop.create_future())
        self._waiters.append(waiter)
        if self._timer is None:
            self._timer = loop.call_later(LOOK_SECONDS, self._look)
        try:
            return await waiter.given
        except asyncio.CancelledError:
            if waiter.given.done() and not waiter.given.cancelled():
                # Handed on in the very moment of the cancellation.
                reader = waiter.given.result()
                if reader is None:
                    self._leave()
                else:
                    self._give(reader)
            raise

    def _look(self) -> None:
        """Refuse who has waited too long."""
        self._timer = None
        loop = asyncio.get_running_loop()
        overdue = loop.time() - SECONDS
        while self._waiters and (self._waiters[0].given.done() or self._waiters[0].began < overdue):
            waiter = self._waiters.popleft()
            if not waiter.given.done():
                waiter.given.set_exception(TimeoutError())
        if self._waiters:
            self._timer = loop.call_later(LOOK_SECONDS, self._look)

    def _give(self, reader: Reader) -> None:
        if not self._handed_on(reader):
            self._free.append(reader)

    def _drop(self, reader: Reader) -> None:
        reader.drop()
        self._leave()

    def _leave(self) -> None:
        """Give up a connection's place."""
        if not self._handed_on(None):
            self._open -= 1

    def _handed_on(self, reader: Reader | None) -> bool:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.given.done():
                waiter.given.set_result(reader)
                return True
        return False

    async def close(self) -> None:
        """Close every connection that is not lent out."""
        while self._free:
            self._free.pop().drop()
            self._open -= 1


class _Waiter(NamedTuple):
    """A read that waits for a connection, and since when it is on its way."""

    began: float
    given: asyncio.Future[Reader | None]


def _left(began: float) -> float:
    """Seconds that a read which began then may still take; never nought, which would be without end."""
    return max(0.001, began + SECONDS - asyncio.get_running_loop().time())
