"""A PostgreSQL that a test may stop, freeze and start again without harm to other tests."""

import os
import signal
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from tenantry.storage.embedded import EmbeddedServer, embedded_server
from tenantry.storage.migrate import upgrade
from tests.support.database import TemporaryDatabase

NAME = "tenantry"


class FragileServer:
    """One durable server of a test's own, with one migrated database."""

    def __init__(self, embedded: EmbeddedServer) -> None:
        self.embedded = embedded

    @property
    def app_dsn(self) -> str:
        """The application's address of the database."""
        return self.embedded.dsn("tenantry_app", NAME)

    def open(self) -> TemporaryDatabase:
        """A fresh view of the database; its opener closes it."""
        return TemporaryDatabase(self.app_dsn, self.embedded.dsn("postgres", NAME))

    async def prepare(self) -> None:
        """Make the database."""
        connection = await asyncpg.connect(self.embedded.dsn("postgres", "postgres"))
        await connection.execute(f"CREATE DATABASE {NAME}")
        await connection.close()
        await upgrade(self.embedded.dsn("postgres", NAME))

    async def connections(self) -> int:
        """How many of the application's connections the server has."""
        connection = await asyncpg.connect(self.embedded.dsn("postgres", "postgres"))
        found = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'tenantry_app'"
        )
        await connection.close()
        return int(found)

    @contextmanager
    def frozen(self) -> Generator[None]:
        """Every process of the server stopped: it takes bytes and never answers."""
        postmaster = int((self.embedded.cluster / "postmaster.pid").read_text().split()[0])
        family = [postmaster, *_children(postmaster)]
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(family):
                os.kill(pid, signal.SIGCONT)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest_asyncio.fixture(scope="module")
async def fragile(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FragileServer]:
    """A server of one module's own; a test that ends it starts it again."""
    async with embedded_server(tmp_path_factory.mktemp("fragile")) as embedded:
        server = FragileServer(embedded)
        await server.prepare()
        yield server
