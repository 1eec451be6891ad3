"""One writing transaction on one connection: asyncpg's at once, SQLAlchemy's where it is asked for."""

import asyncio
from contextlib import suppress
from typing import cast
from uuid import UUID

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import PoolProxiedConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from tenantry.storage.connections import Connection
from tenantry.storage.tenancy import ScopedSession, look_at

COMMITTED = "COMMIT"
"""PostgreSQL's word for it; a transaction in which a statement failed ends with ROLLBACK instead."""


class TenantSession(AsyncSession):
    """A SQLModel session behind the first wall (``storage.tenancy``)."""

    sync_session_class = ScopedSession


class Transaction:
    """Begun and ended on the driver: a session of SQLAlchemy costs more than a statement.

    The session is made when a service asks for one and joins the transaction; ``engine``
    leaves beginning and ending to us (AUTOCOMMIT). ``turns`` are as many as its pool has
    connections, and are had in the order of asking: who waits for the pool itself is overtaken.
    """

    def __init__(self, engine: AsyncEngine, turns: asyncio.Semaphore) -> None:
        self._engine = engine
        self._turns = turns
        self._lease: PoolProxiedConnection | None = None
        self._session: TenantSession | None = None
        self._tenant: UUID | None = None
        self._ended = False

    async def lease(self) -> None:
        """Take a connection out of the pool; waits where none is free."""
        await self._turns.acquire()
        try:
            self._lease = await self._engine.raw_connection()
        except BaseException:
            self._turns.release()
            raise

    async def begin(self) -> None:
        """Open the transaction on the leased connection."""
        await self.driver.execute("BEGIN")

    @property
    def driver(self) -> Connection:
        """The driver's connection. Raises ``RuntimeError`` before ``lease``."""
        return cast("Connection", self._leased.driver_connection)

    @property
    def session(self) -> TenantSession:
        """SQLModel's session inside this transaction. Raises ``RuntimeError`` before ``lease``."""
        if self._session is None:
            connection = SyncConnection(self._engine.sync_engine, self._leased)
            self._session = TenantSession(AsyncConnection(self._engine, connection))
            look_at(self._session.sync_session, self._tenant)
        return self._session

    def look_at(self, tenant: UUID) -> None:
        """Let the session see ``tenant`` from its next statement on; before this it sees none."""
        self._tenant = tenant
        if self._session is not None:
            look_at(self._session.sync_session, tenant)

    @property
    def _leased(self) -> PoolProxiedConnection:
        if self._lease is None:
            raise RuntimeError("this transaction has no connection")
        return self._lease

    async def flush(self) -> None:
        """Write what the session holds back."""
        if self._session is not None:
            await self._session.flush()

    async def commit(self) -> None:
        """Commit, everything pending flushed. Raises ``RuntimeError`` where a statement had failed."""
        await self.flush()
        if await self.driver.execute("COMMIT") != COMMITTED:
            raise RuntimeError("a statement had failed, and what followed it was not committed")
        self._ended = True

    async def close(self) -> None:
        """Give the connection back; what was not committed is rolled back."""
        if self._lease is None:
            return
        try:
            # Where it is broken, the server rolls back by itself; what broke it is known already.
            with suppress(Exception):
                await self._roll_back()
        finally:
            if self._ended and self._lease.is_valid:
                self._lease.close()
            else:
                self.abandon()
            self._turns.release()

    async def _roll_back(self) -> None:
        if self._session is not None:
            await self._session.close()
        if not self._ended and self._leased.is_valid:
            await self.driver.execute("ROLLBACK")
            self._ended = True

    def abandon(self) -> None:
        """Drop the connection at once: nothing is committed, and nobody waits for a dead server."""
        if self._lease is not None and self._lease.is_valid:
            self.driver.terminate()
            self._lease.invalidate()
