"""One wall at a time: statements that lose their criteria, no row security; and one that only watches."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.orm.util import LoaderCriteriaOption

from tenantry.kernel.principal import Authority
from tenantry.storage.database import BeforeCommit
from tenantry.storage.unit_of_work import UnitOfWork
from tests.support.database import TemporaryDatabase

CRITERION = re.compile(r"\b\w+\.(?:tenant_id|id) = authority\.tenant_id\b")
"""What the compiler puts on each row of a tenant; also the edge from a token to its own tenant."""


class CriteriaOff(TemporaryDatabase):
    """Row security alone: every criterion of the first wall is taken out of what is about to run."""

    def __init__(self, database: TemporaryDatabase) -> None:
        super().__init__(database.app_dsn, database.owner_dsn)
        self.taken_out = 0

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> asyncpg.Record | None:
        """As ever, without the planner's criteria."""
        bare, count = CRITERION.subn("true", sql)
        self.taken_out += count
        return await super().fetch(bare, arguments)

    @asynccontextmanager
    async def writing(
        self, authority: Authority | None, *, before_commit: BeforeCommit | None = None
    ) -> AsyncGenerator[UnitOfWork]:
        """As ever, without the session's criteria."""
        async with super().writing(authority, before_commit=before_commit) as work:
            event.listen(work.session.sync_session, "do_orm_execute", self._take_out)
            yield work

    def _take_out(self, state: ORMExecuteState) -> None:
        """After the session has put its criteria on."""
        statement: Any = state.statement
        kept = tuple(each for each in statement._with_options if not isinstance(each, LoaderCriteriaOption))
        self.taken_out += len(statement._with_options) - len(kept)
        bare = statement._generate()
        bare._with_options = kept
        state.statement = bare


def row_security_off(database: TemporaryDatabase) -> TemporaryDatabase:
    """The criteria alone: a role that no policy holds."""
    return TemporaryDatabase(database.owner_dsn, database.owner_dsn)


class Noting(TemporaryDatabase):
    """As ever, and keeps the text of each statement."""

    def __init__(self, database: TemporaryDatabase) -> None:
        super().__init__(database.app_dsn, database.owner_dsn)
        self.statements: list[str] = []
        event.listen(self._engine.sync_engine, "before_cursor_execute", self._by_session)

    def taken(self) -> list[str]:
        """What has run since the last call."""
        taken, self.statements = self.statements, []
        return taken

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> asyncpg.Record | None:
        """As ever."""
        self.statements.append(sql)
        return await super().fetch(sql, arguments)

    @asynccontextmanager
    async def writing(
        self, authority: Authority | None, *, before_commit: BeforeCommit | None = None
    ) -> AsyncGenerator[UnitOfWork]:
        """As ever; what is written by hand is noted too."""
        async with super().writing(authority, before_commit=before_commit) as work:
            connection = await work.driver()
            connection.add_query_logger(self._by_hand)
            try:
                yield work
            finally:
                connection.remove_query_logger(self._by_hand)

    def _by_hand(self, query: Any) -> None:
        self.statements.append(query.query)

    def _by_session(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self.statements.append(statement)
