"""A PostgreSQL for the run, and a database of its own for each test module."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

import asyncpg
import pytest
import pytest_asyncio

from tenantry.directory.blueprints.document import BlueprintDocument, load_blueprint
from tenantry.directory.provisioning.blueprints import apply_blueprint
from tenantry.directory.provisioning.platform import bootstrap_platform
from tenantry.storage.database import Database
from tenantry.storage.embedded import EmbeddedServer, embedded_server
from tenantry.storage.migrate import upgrade

SEEDS = Path(__file__).parents[2] / "seeds"
PLATFORM = "platform"


class TemporaryDatabase(Database):
    """A database as the service sees it, and the two addresses behind it."""

    def __init__(self, app_dsn: str, owner_dsn: str) -> None:
        super().__init__(app_dsn)
        self.app_dsn = app_dsn
        self.owner_dsn = owner_dsn
        """A superuser's: sees past every wall, so that a test can look at what really is there."""

    async def seen_by_owner(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of ``sql`` behind all walls."""
        connection = await asyncpg.connect(self.owner_dsn)
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()

    async def value(self, sql: str, *arguments: object) -> object:
        """The first column of the first row of ``sql``, behind all walls; None where there is none."""
        rows = await self.seen_by_owner(sql, *arguments)
        return rows[0][0] if rows else None


@dataclass
class DatabaseServer:
    """The run's PostgreSQL, and databases copied from templates in it."""

    embedded: EmbeddedServer
    _templates: set[str] = field(default_factory=set[str])

    async def create(self, *, seeded: bool = True) -> TemporaryDatabase:
        """A fresh, migrated database; ``seeded`` with the blueprints of ``seeds/`` and the platform."""
        template = await (self._seeded() if seeded else self._migrated())
        name = f"test_{token_hex(6)}"
        await self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.open(name)

    async def drop(self, database: TemporaryDatabase) -> None:
        """Close it and throw it away."""
        await database.close()
        name = database.app_dsn.rsplit("/", 1)[1].split("?")[0]
        await self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def open(self, name: str) -> TemporaryDatabase:
        """One more view of a database: pools of its own, as another worker would have."""
        return TemporaryDatabase(self.embedded.dsn("tenantry_app", name), self.embedded.dsn("postgres", name))

    async def _migrated(self) -> str:
        if "migrated" not in self._templates:
            await self._run("CREATE DATABASE migrated")
            await upgrade(self.embedded.dsn("postgres", "migrated"))
            # Tests of two transactions in each other's way should not wait for the default second.
            await self._run("ALTER ROLE tenantry_app SET deadlock_timeout = '30ms'")
            self._templates.add("migrated")
        return "migrated"

    async def _seeded(self) -> str:
        if "seeded" not in self._templates:
            await self._run(f"CREATE DATABASE seeded TEMPLATE {await self._migrated()}")
            database = self.open("seeded")
            await seed(database)
            await database.close()
            self._templates.add("seeded")
        return "seeded"

    async def _run(self, statement: str) -> None:
        connection = await asyncpg.connect(self.embedded.dsn("postgres", "postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def documents() -> dict[str, BlueprintDocument]:
    """Every blueprint of ``seeds/`` by its key."""
    loaded = [load_blueprint(path) for path in sorted(SEEDS.glob("*.yaml"))]
    return {document.key: document for document in loaded}


async def seed(database: Database) -> None:
    """The platform with its people, and every other blueprint; no tenants."""
    found = documents()
    async with database.writing(None) as work:
        await bootstrap_platform(work, found.pop(PLATFORM))
    for document in found.values():
        async with database.writing(None) as work:
            await apply_blueprint(work, document)


@pytest_asyncio.fixture(scope="session")
async def database_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DatabaseServer]:
    """The run's PostgreSQL, thrown away at its end."""
    async with embedded_server(tmp_path_factory.mktemp("postgresql"), durable=False) as embedded:
        yield DatabaseServer(embedded)


@pytest_asyncio.fixture(scope="module")
async def database(database_server: DatabaseServer) -> AsyncIterator[TemporaryDatabase]:
    """A seeded database that the tests of one module share, on the application's role."""
    temporary = await database_server.create()
    yield temporary
    await database_server.drop(temporary)
