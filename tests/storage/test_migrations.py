"""Migrations: up, down and up again keep the data, and lead to what the models say."""

from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from secrets import token_hex
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from tenantry import storage
from tenantry.storage.connections import connector
from tenantry.storage.migrate import current, downgrade, head, upgrade
from tenantry.storage.tables import TransactionId
from tests.support.database import DatabaseServer, TemporaryDatabase
from tests.support.rows import Rows

PACKAGE = Path(storage.__file__).parents[1]
COUNTS = "SELECT (SELECT count(*) FROM member), (SELECT count(*) FROM session), (SELECT count(*) FROM role)"


@pytest_asyncio.fixture
async def empty(database_server: DatabaseServer) -> AsyncIterator[TemporaryDatabase]:
    """A database in which nothing has run yet."""
    name = f"empty_{token_hex(4)}"
    connection = await asyncpg.connect(database_server.embedded.dsn("postgres", "postgres"))
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    database = database_server.open(name)
    yield database
    await database_server.drop(database)


async def tables(database: TemporaryDatabase) -> set[str]:
    found = await database.seen_by_owner("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in found}


async def test_an_empty_database_stands_nowhere_and_a_new_one_at_the_head(empty: TemporaryDatabase):
    assert await current(empty.owner_dsn) is None
    await upgrade(empty.owner_dsn)
    assert await current(empty.owner_dsn) == head()


async def test_down_and_up_again_keeps_every_row_and_raises_the_walls_again(empty: TemporaryDatabase):
    await upgrade(empty.owner_dsn)
    rows = Rows(empty)
    tenant = await rows.tenant()
    authority = await rows.signed_in(tenant, owner=True)
    await rows.role(tenant)
    before = await empty.seen_by_owner(COUNTS)
    await downgrade(empty.owner_dsn, "0001")
    assert await empty.seen_by_owner(COUNTS) == before
    with pytest.raises(asyncpg.PostgresError):
        await empty.fetch("SELECT * FROM member", ())
    await upgrade(empty.owner_dsn)
    assert await empty.seen_by_owner(COUNTS) == before
    assert await empty.fetch("SELECT * FROM member", ()) is None
    async with empty.writing(authority) as work:
        assert work.tenant == tenant


async def test_down_to_nothing_leaves_nothing_and_up_works_again(empty: TemporaryDatabase):
    await upgrade(empty.owner_dsn)
    made = await tables(empty)
    await downgrade(empty.owner_dsn, "base")
    assert await tables(empty) == {"alembic_version"}
    await upgrade(empty.owner_dsn)
    assert await tables(empty) == made


async def test_a_table_that_comes_later_is_walled_in_by_the_next_migration(empty: TemporaryDatabase):
    await upgrade(empty.owner_dsn)
    await Rows(empty).execute("CREATE TABLE later (tenant_id uuid, id uuid)")
    await upgrade(empty.owner_dsn)
    found = await empty.seen_by_owner(
        "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = 'later'"
    )
    assert [tuple(row) for row in found] == [(True, True)]
    policies = await empty.seen_by_owner("SELECT policyname FROM pg_policies WHERE tablename = 'later'")
    assert {row["policyname"] for row in policies} == {"guard", "within_tenant"}


def differences(connection: Connection) -> list[Any]:
    """What alembic would write to bring the database to the models."""
    ischema_names["xid8"] = TransactionId
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return compare_metadata(context, SQLModel.metadata)


async def test_the_models_are_what_the_migrations_make(rows: Rows):
    for module in PACKAGE.rglob("models.py"):
        import_module(".".join(["tenantry", *module.relative_to(PACKAGE).with_suffix("").parts]))
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connector(rows.database.owner_dsn))
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()
    assert found == []
