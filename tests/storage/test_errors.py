"""What an error of the driver means, however SQLAlchemy has wrapped it."""

import asyncpg
import pytest
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError

from tenantry.storage.errors import is_gone, sqlstate

STARTING = asyncpg.CannotConnectNowError("the database system is starting up")
TAKEN = asyncpg.UniqueViolationError("there is one already")


def wrapped(error: Exception) -> Exception:
    """As SQLAlchemy's dialect raises it."""
    made = AsyncAdapt_asyncpg_dbapi.Error(str(error))
    made.__cause__ = error
    return made


@pytest.mark.parametrize(
    "wrap", [lambda error: error, wrapped, lambda error: DBAPIError("", None, wrapped(error))]
)
def test_a_server_that_starts_up_is_gone_and_one_that_refuses_is_not(wrap) -> None:
    assert is_gone(wrap(STARTING))
    assert not is_gone(wrap(TAKEN))
    assert sqlstate(wrap(TAKEN)) == "23505"


def test_what_the_dialect_raises_by_itself_is_no_end() -> None:
    assert not is_gone(AsyncAdapt_asyncpg_dbapi.Error("too many parameters"))
