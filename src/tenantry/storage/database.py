"""The database as the rest sees it: reading, writing, and whether it is there."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import create_async_engine

from tenantry.kernel.errors import BadUserInput, Conflict, Unavailable
from tenantry.kernel.principal import Authority
from tenantry.storage.connections import connector, reader_connector
from tenantry.storage.errors import NOT_TEXT, SERIALIZATION_FAILURES, is_gone, sqlstate
from tenantry.storage.readers import Readers
from tenantry.storage.transactions import Transaction
from tenantry.storage.unit_of_work import UnitOfWork

READERS = 8
WRITERS = 16

BeforeCommit = Callable[[UnitOfWork], Awaitable[None]]


class Database:
    """Connections of the application's role, opened as they are needed."""

    def __init__(self, dsn: str, *, readers: int = READERS, writers: int = WRITERS) -> None:
        self._readers = Readers(reader_connector(dsn), size=readers)
        self._turns = asyncio.Semaphore(writers)
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            # Neither a log at DEBUG nor the text of an error shows what was bound: names, addresses.
            hide_parameters=True,
            async_creator=connector(dsn),
            pool_size=writers,
            max_overflow=0,
            isolation_level="AUTOCOMMIT",
        )
        event.listen(self._engine.sync_engine, "checkout", _drop_closed)

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> asyncpg.Record | None:
        """One self-contained reading statement; ``json`` columns arrive as bytes."""
        try:
            return await self._readers.fetch(sql, arguments)
        except asyncpg.CharacterNotInRepertoireError as error:
            raise _nul() from error

    @asynccontextmanager
    async def writing(
        self, authority: Authority | None, *, before_commit: BeforeCommit | None = None
    ) -> AsyncGenerator[UnitOfWork]:
        """One transaction: committed when the block ends, rolled back when it raises.

        ``before_commit`` runs last inside it (the audit record). What services left for
        after the commit runs then. Raises ``Unauthenticated`` when ``authority`` no
        longer holds, ``Unavailable`` when the database is gone, ``Conflict`` when two
        transactions stood in each other's way.
        """
        transaction = Transaction(self._engine, self._turns)
        work = UnitOfWork(transaction, authority)
        try:
            await work.begin()
            yield work
            work.insist()
            await transaction.flush()
            if before_commit is not None:
                await before_commit(work)
            await transaction.commit()
        except Exception as error:
            if is_gone(error):
                transaction.abandon()
                raise Unavailable from error
            if sqlstate(error) in SERIALIZATION_FAILURES:
                raise Conflict("Someone else changed this at the same moment; try again.") from error
            if sqlstate(error) == NOT_TEXT:
                raise _nul() from error
            raise
        finally:
            await transaction.close()
        for effect in work.effects:
            await effect()

    async def ready(self) -> bool:
        """Whether the database answers."""
        try:
            return await self.fetch("SELECT 1", ()) is not None
        except Unavailable:
            return False

    async def close(self) -> None:
        """Close all connections."""
        await self._readers.close()
        await self._engine.dispose()


def _nul() -> BadUserInput:
    """PostgreSQL keeps any text but one with a NUL in it."""
    return BadUserInput("Text cannot hold the character NUL.")


def _drop_closed(connection: AsyncAdapt_asyncpg_connection, _record: object, _proxy: object) -> None:
    """Refuse to hand out a connection that the server has closed; the pool then opens another."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError("closed by the server")
