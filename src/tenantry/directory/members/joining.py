"""Where people become members: what the database holds against it, in our words."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DBAPIError

from tenantry.directory.members.errors import SeatsExhausted
from tenantry.storage.errors import NO_SEAT, sqlstate
from tenantry.storage.unit_of_work import UnitOfWork


@asynccontextmanager
async def joining(work: UnitOfWork) -> AsyncGenerator[None]:
    """Write what the block changed. Raises ``SeatsExhausted``, after which nothing of ``work`` can stay."""
    try:
        yield
        await work.session.flush()
    except DBAPIError as error:
        if sqlstate(error) == NO_SEAT:
            raise SeatsExhausted from error
        raise
