"""One PostgreSQL for all: a filled template, and a fresh copy of it for each server's turn."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from benchmarks import dataset
from tenantry.storage import migrate
from tenantry.storage.embedded import EmbeddedServer, embedded_server

TEMPLATE = f"bench_template_{migrate.head()}"
"""One for each version of the schema."""
NAME = "bench"
OWNER = "postgres"
SETUP = Path(__file__).parent / "postgraphile" / "setup.sql"


class Bench:
    """The running server."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server

    @property
    def owner(self) -> str:
        """The copy in use, as the superuser."""
        return self._server.dsn(OWNER, NAME)

    def dsn(self, role: str) -> str:
        """The copy in use, as ``role``."""
        return self._server.dsn(role, NAME)

    async def prepare(self) -> None:
        """Make the template, unless it is there."""
        if await self._run("SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE):
            return
        await self._run(f"DROP DATABASE IF EXISTS {NAME}_draft")
        await self._run(f"CREATE DATABASE {NAME}_draft")
        draft = self._server.dsn(OWNER, f"{NAME}_draft")
        await migrate.upgrade(draft)
        await dataset.fill(draft)
        connection = await asyncpg.connect(draft)
        await connection.execute(SETUP.read_text())
        await connection.close()
        await self._run(f"ALTER DATABASE {NAME}_draft RENAME TO {TEMPLATE}")

    async def renew(self) -> None:
        """Start over from the template, with nothing left to write."""
        await self._run(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        await self._run(f"CREATE DATABASE {NAME} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        await self._run("CHECKPOINT")

    async def ask(self, statement: str, *arguments: object) -> object:
        """One value from the copy in use."""
        return await self._run(statement, *arguments, database=NAME)

    async def _run(self, statement: str, *arguments: object, database: str = OWNER) -> object:
        connection = await asyncpg.connect(self._server.dsn(OWNER, database))
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()


@asynccontextmanager
async def bench(folder: Path) -> AsyncGenerator[Bench]:
    """The durable server of ``folder`` with its template, while the context lasts."""
    async with embedded_server(folder, durable=True) as server:
        running = Bench(server)
        await running.prepare()
        yield running
