"""Where people become members: what the database holds against it, in our words."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError

from tenantry.directory.members.errors import SeatsExhausted, SingleMembership
from tenantry.kernel.errors import Problem
from tenantry.storage.errors import ELSEWHERE, NO_SEAT, sqlstate
from tenantry.storage.unit_of_work import UnitOfWork

_REFUSALS: Mapping[str, Callable[[], Problem]] = {NO_SEAT: SeatsExhausted, ELSEWHERE: SingleMembership}


@asynccontextmanager
async def joining(work: UnitOfWork) -> AsyncGenerator[None]:
    """Write what the block changed.

    Raises ``SeatsExhausted`` and ``SingleMembership``, after which nothing of ``work`` can stay.
    """
    try:
        yield
        await work.session.flush()
    except (DBAPIError, PostgresError) as error:
        refusal = _REFUSALS.get(sqlstate(error) or "")
        if refusal is None:
            raise
        raise refusal() from error
