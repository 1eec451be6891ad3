"""What PostgreSQL says, in our words."""

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

LAST_OWNER = "TN001"
NO_SEAT = "TN003"
ELSEWHERE = "TN004"
UNIQUE_VIOLATION = "23505"
NOT_TEXT = "22021"
SERIALIZATION_FAILURES = frozenset({"40001", "40P01"})

GONE = (
    OSError,
    TimeoutError,
    PoolTimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    # asyncpg, after the server said good-bye unasked: "another operation is in progress".
    asyncpg.InternalClientError,
    # A migration changed a table beneath a prepared statement: a new connection knows better.
    asyncpg.InvalidCachedStatementError,
)
"""What a driver raises when the database does not answer, or not on this connection; served as 503."""


def sqlstate(error: BaseException) -> str | None:
    """The five characters of ``error`` (PostgreSQL appendix A), wherever they are kept."""
    state = getattr(_driver_error(error), "sqlstate", None)
    return None if state is None else str(state)


def is_gone(error: BaseException) -> bool:
    """Whether ``error`` means that the database does not answer, and not that it refused."""
    cause = _driver_error(error)
    # asyncpg says by the same class that a statement was given too few arguments.
    return isinstance(cause, GONE) or (isinstance(cause, asyncpg.InterfaceError) and "closed" in str(cause))


def _driver_error(error: BaseException) -> BaseException:
    """What asyncpg raised, out of what SQLAlchemy put around it."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    if isinstance(error, AsyncAdapt_asyncpg_dbapi.Error):
        # Bare where a connection could not be opened: a server that is starting up, for one.
        return error.__cause__ or error
    return error
