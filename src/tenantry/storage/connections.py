"""Connections to PostgreSQL, all opened in one way."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

if TYPE_CHECKING:
    # The classes take a type argument in their stubs only.
    Connection = asyncpg.Connection[asyncpg.Record]
    Prepared = PreparedStatement[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Prepared = PreparedStatement

SECONDS = 1.5
"""How long to wait for a database that does not answer: an operation is refused within two seconds."""
GOODBYE_SECONDS = 0.1
STATEMENT_CACHE = 1_000

# jit compiles for tens of milliseconds what runs in one; the plans here are small and many.
SERVER_SETTINGS = {"timezone": "UTC", "jit": "off", "application_name": "tenantry"}
# The server gives up what nobody waits for any more.
BOUNDS = {"statement_timeout": "2s", "idle_in_transaction_session_timeout": "10s"}

# A page's LIMIT is a parameter, for which PostgreSQL takes a generic plan to be dearer than it is:
# it would plan each read anew, which costs as much as running it.
GENERIC = {"plan_cache_mode": "force_generic_plan"}

Connect = Callable[[], Awaitable[Connection]]


class HastyConnection(Connection):
    """Says good-bye for a moment only: SQLAlchemy would wait two seconds more for a server that hangs."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's signature
        """Cancel what is running and close; what was not committed is rolled back."""
        del timeout
        await super().close(timeout=GOODBYE_SECONDS)


def _identity(value: bytes) -> bytes:
    return value


def connector(dsn: str) -> Connect:
    """A function that opens a plain connection: UTC, no JIT, ``SECONDS`` for each answer."""

    async def connect() -> Connection:
        return await _open(dsn, {})

    return connect


async def _open(dsn: str, settings: Mapping[str, str]) -> Connection:
    return await asyncpg.connect(
        dsn,
        connection_class=HastyConnection,
        timeout=SECONDS,
        command_timeout=SECONDS,
        statement_cache_size=STATEMENT_CACHE,
        server_settings={**SERVER_SETTINGS, **BOUNDS, **settings},
    )


def patient_connector(dsn: str) -> Connect:
    """As ``connector``, for work that may take its time: migrations."""

    async def connect() -> Connection:
        return await asyncpg.connect(dsn, timeout=SECONDS, server_settings=SERVER_SETTINGS)

    return connect


def reader_connector(dsn: str) -> Connect:
    """As ``connector``, and ``json`` arrives as the bytes PostgreSQL sent."""

    async def connect() -> Connection:
        connection = await _open(dsn, GENERIC)
        await connection.set_type_codec(
            "json", schema="pg_catalog", encoder=_identity, decoder=_identity, format="binary"
        )
        return connection

    return connect
