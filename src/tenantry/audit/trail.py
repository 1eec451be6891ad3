"""Writing the trail: durable before the answer leaves, or nothing is served."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from tenantry.audit.errors import NotRecorded
from tenantry.audit.records import AuditEntry, canonical_body
from tenantry.storage.connections import SECONDS, Connect, Connection, Prepared, connector
from tenantry.storage.errors import is_gone
from tenantry.storage.unit_of_work import UnitOfWork

BATCH = 64
"""Most records of one statement. One is prepared for each number of them, as it comes up."""
WATCH_SECONDS = 0.2
"""How often to look for records that have waited longer than ``SECONDS``."""
# Stands between the targets of one record: asyncpg looks at each element of an array twice.
SEPARATOR = "\x1f"

COLUMNS = {
    "tenant_id": "uuid",
    "node_id": "text",
    "at": "timestamptz",
    "actor_kind": "text",
    "actor_id": "text",
    "actor_label": "text",
    "actor_role": "text",
    "actor_tenant": "text",
    "tenant": "text",
    "action": "text",
    "operation_type": "text",
    "operation_name": "text",
    "root_field": "text",
    "document_hash": "text",
    "targets": "text",
    "method": "text",
    "path": "text",
    "outcome": "text",
    "code": "text",
    "ip": "text",
    "user_agent": "text",
    "request_id": "text",
    "body": "bytea",
}
_NAMES = ", ".join(COLUMNS)
_VALUES = _NAMES.replace("targets", "string_to_array(targets, E'\\x1f')")

Row = tuple[Any, ...]


@cache
def insert_statement(rows: int) -> str:
    """The INSERT of so many rows, by VALUES: a third of the time that one array for each column takes."""
    width = len(COLUMNS)
    lines = (
        ", ".join(f"${row * width + place}::{kind}" for place, kind in enumerate(COLUMNS.values(), start=1))
        for row in range(rows)
    )
    values = ", ".join(f"({line})" for line in lines)
    return f"INSERT INTO audit_record ({_NAMES}) SELECT {_VALUES} FROM (VALUES {values}) AS entry ({_NAMES})"  # noqa: S608 - our own names


async def insert(work: UnitOfWork, entries: Sequence[AuditEntry]) -> None:
    """Write ``entries`` in the transaction of ``work``, for whoever has no trail open."""
    connection = await work.driver()
    await connection.fetch(insert_statement(len(entries)), *_flat(_row(entry) for entry in entries))


class _Waiting:
    """The rows of one operation, and where their fate is told."""

    __slots__ = ("done", "late", "rows", "since")

    def __init__(self, rows: list[Row], loop: asyncio.AbstractEventLoop) -> None:
        self.rows = rows
        self.since = loop.time()
        self.done: asyncio.Future[None] = loop.create_future()
        self.late = False
        """Refused for having waited too long: not to be written any more."""

    def tell(self, cause: Exception | None) -> None:
        """Let the operation go on, or refuse it; its task may have been cancelled by now."""
        if self.done.done():
            return
        if cause is None:
            self.done.set_result(None)
        else:
            refusal = NotRecorded()
            refusal.__cause__ = cause
            self.done.set_exception(refusal)


class Trail:
    """The one door to ``audit_record``, on connections of its own.

    Records that arrive while a commit is under way share the next one, so that the cost of
    a flush to disk is shared by all who wait for it.
    """

    def __init__(self, dsn: str, *, capacity: int, writers: int = 1) -> None:
        self._connect = connector(dsn)
        self._capacity = capacity
        self._writers = writers
        self._queue: deque[_Waiting] = deque()
        self._unsettled: deque[_Waiting] = deque()
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._watchdog: asyncio.Task[None] | None = None
        self._closing = False
        self.waiting = 0
        """Records taken and not yet committed or refused."""

    async def start(self) -> None:
        """Start the writers; they connect when there is something to write."""
        self._tasks = [asyncio.create_task(self._write()) for _ in range(self._writers)]

    async def close(self) -> None:
        """Refuse new records, write what is waiting, and end the writers."""
        self._closing = True
        self._filled.set()
        await asyncio.gather(*self._tasks)
        if self._watchdog is not None:
            self._watchdog.cancel()

    async def record(self, entries: Sequence[AuditEntry]) -> None:
        """Return when ``entries`` are on disk: all of them, or none.

        A caller that is cancelled leaves them to be written. Raises ``NotRecorded``, and the
        caller must serve nothing: at once when ``capacity`` records wait, and within two
        seconds when the database cannot take them.
        """
        waiting = _Waiting([_row(entry) for entry in entries], asyncio.get_running_loop())
        if self._closing or self.waiting + len(entries) > self._capacity:
            raise NotRecorded
        self.waiting += len(entries)
        self._queue.append(waiting)
        self._unsettled.append(waiting)
        if self._watchdog is None:
            self._watchdog = asyncio.create_task(self._watch())
        self._filled.set()
        await waiting.done

    async def insert(self, work: UnitOfWork, entries: Sequence[AuditEntry]) -> None:
        """Write ``entries`` in the transaction of ``work``: they commit or roll back with it."""
        await insert(work, entries)

    async def _write(self) -> None:
        writer = _Writer(self._connect)
        while await self._more():
            batch = list(self._batch())
            try:
                await writer.write(batch)
            finally:
                self.waiting -= sum(len(waiting.rows) for waiting in batch)
        writer.close()

    async def _watch(self) -> None:
        """Refuse what has waited too long. One look for all: a timer for each costs more than its row."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            overdue = loop.time() - SECONDS
            while self._unsettled and (self._unsettled[0].done.done() or self._unsettled[0].since < overdue):
                waiting = self._unsettled.popleft()
                waiting.late = not waiting.done.done()
                waiting.tell(TimeoutError())

    async def _more(self) -> bool:
        """Whether there is something to write; False once closed and drained."""
        while not self._queue:
            if self._closing:
                return False
            self._filled.clear()
            await self._filled.wait()
        return True

    def _batch(self) -> Iterator[_Waiting]:
        """What the next commit takes: whole operations, oldest first."""
        taken = 0
        while self._queue and taken < BATCH:
            waiting = self._queue.popleft()
            taken += len(waiting.rows)
            yield waiting


class _Writer:
    """One connection, and another when that one breaks."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._inserts: dict[int, Prepared] = {}

    async def write(self, batch: Sequence[_Waiting]) -> None:
        """Commit ``batch`` and tell each operation so, or why not."""
        timely = [waiting for waiting in batch if not waiting.late]
        failure: Exception | None = None
        try:
            await self._commit(timely)
        except Exception as error:  # noqa: BLE001 - whatever it was, who waits must be told
            failure = error
        if failure is not None and is_gone(failure):
            self.close()
        elif failure is not None and len(timely) > 1:
            # PostgreSQL refuses some row (a NUL in its text): that operation fails, its neighbours do not.
            for waiting in timely:
                await self.write([waiting])
        for waiting in timely:
            waiting.tell(failure)

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        if self._connection is not None and self._connection.is_closed():
            self.close()
        rows = [row for waiting in batch for row in waiting.rows]
        insert = self._inserts.get(len(rows)) or await self._prepare(len(rows))
        await insert.fetch(*_flat(rows))

    async def _prepare(self, rows: int) -> Prepared:
        if self._connection is None:
            self._connection = await self._connect()
        self._inserts[rows] = await self._connection.prepare(insert_statement(rows))
        return self._inserts[rows]

    def close(self) -> None:
        """Drop the connection, at once."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None
        self._inserts = {}


def _flat(rows: Iterable[Row]) -> Iterable[Any]:
    """The parameters of the statement, row by row."""
    return chain.from_iterable(rows)


def _row(entry: AuditEntry) -> Row:
    """The values of ``COLUMNS``, in their order."""
    return (
        entry.tenant_id,
        entry.node_id,
        entry.at,
        entry.actor_kind,
        entry.actor_id,
        entry.actor_label,
        entry.actor_role,
        entry.actor_tenant,
        entry.tenant,
        entry.action,
        entry.operation_type,
        entry.operation_name,
        entry.root_field,
        entry.document_hash,
        SEPARATOR.join(entry.targets),
        entry.method,
        entry.path,
        entry.outcome,
        entry.code,
        entry.ip,
        entry.user_agent,
        entry.request_id,
        canonical_body(entry),
    )
