"""The walls, stone by stone: take away or widen a policy, or a table's criterion, and it is noticed."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import inspect
from sqlmodel import SQLModel, select

from tenantry.storage.tenancy import CRITERIA, criteria, tenant_column
from tenantry.storage.unit_of_work import UnitOfWork
from tests.matrix.probe import WALLED, Probe
from tests.matrix.regimes import row_security_off
from tests.support.api import Product
from tests.support.authenticator import set_up
from tests.support.database import TemporaryDatabase
from tests.support.world import World

THINGS = (
    "<powerless member> <invitation> <API key> <identity provider> <published domain> <ticket object> <team>"
    " <dead delivery>"
)
# What is not made by these: a provider that gives a role, and what each member wrote for themselves alone.
BESIDES = (
    """INSERT INTO connection_role (tenant_id, id, connection_id, role_id)
    SELECT c.tenant_id, gen_random_uuid(), c.id, r.id FROM connection c JOIN role r USING (tenant_id)
    WHERE c.tenant_id = $1 LIMIT 1""",
    """INSERT INTO resource
      (tenant_id, id, node_id, type, name, state, owner_id, is_personal, attributes, created_at, updated_at)
    SELECT m.tenant_id, m.id, 'O_' || m.id, 'log', 'Mine', 'open', m.user_id, true, '{}', now(), now()
    FROM member m WHERE m.tenant_id = $1 AND m.user_id IS NOT NULL""",
)
POLICIES = """
SELECT tablename AS "table", policyname AS name, qual, with_check FROM pg_policies
WHERE schemaname = 'public' ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Mutant:
    """One change of the wall."""

    table: str
    name: str
    statement: str


@dataclass(frozen=True)
class Scene:
    """A database with something in each table, in two tenants, and who asks in one of them."""

    database: TemporaryDatabase
    probe: Probe

    async def finding(self, mutant: Mutant | None = None) -> str | None:
        """The first thing that is wrong after a change, which is taken back; None where nothing is."""
        transaction = self.probe.connection.transaction()
        await transaction.start()
        try:
            if mutant is not None:
                await self.probe.connection.execute(mutant.statement)
            async with aclosing(self.probe.findings(mutant.table if mutant else "")) as found:
                return await anext(found, None)
        finally:
            await transaction.rollback()


@pytest_asyncio.fixture(scope="module")
async def scene(product: Product) -> AsyncIterator[Scene]:
    """Two tenants in which everything has been done once."""
    for _ in range(2):
        world = await World.make(product)
        await world.fill(THINGS)
        await product.login(
            str(await product.database.value("SELECT email FROM member WHERE id = $1", world.owner.member_id))
        )
        await set_up(product, product.as_(world.owner))
        for statement in BESIDES:
            await product.database.seen_by_owner(statement, world.tenant.id)
    connection = await asyncpg.connect(product.database.owner_dsn)
    try:
        probe = Probe(connection, world.owner)
        await probe.look()
        yield Scene(product.database, probe)
    finally:
        await connection.close()


async def mutants(database: TemporaryDatabase) -> list[Mutant]:
    """Each policy dropped, each part of one that narrows widened, and each table's row security lifted."""
    found: list[Mutant] = []
    for row in await database.seen_by_owner(POLICIES):
        table, name = row["table"], row["name"]
        found.append(Mutant(table, f"{name} dropped", f'DROP POLICY {name} ON "{table}"'))
        for part, word in (("qual", "USING"), ("with_check", "WITH CHECK")):
            if row[part] not in {None, "true"}:
                widened = f'ALTER POLICY {name} ON "{table}" {word} (true)'
                found.append(Mutant(table, f"{name} {word} (true)", widened))
    for row in await database.seen_by_owner(WALLED):
        for change in ("DISABLE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"):
            table = row["name"]
            found.append(Mutant(table, change.lower(), f'ALTER TABLE "{table}" {change}'))
    return found


@pytest.mark.requirement("000-01", "001-23")
async def test_the_wall_lets_through_what_is_ones_own_and_nothing_else(scene: Scene) -> None:
    assert await scene.finding() is None


@pytest.mark.requirement("000-01", "001-23")
async def test_no_policy_can_be_taken_away_or_widened_unnoticed(scene: Scene) -> None:
    every = await mutants(scene.database)
    assert len(every) > 80
    unnoticed = [mutant for mutant in every if await scene.finding(mutant) is None]
    # Where the guard has no right at all, its policy lets nobody through, and its loss changes nothing.
    idle = {row["name"] for row in await scene.database.seen_by_owner(WALLED) if not row["guarded"]}
    assert {(mutant.table, mutant.name) for mutant in unnoticed} == {(name, "guard dropped") for name in idle}


async def foreign(work: UnitOfWork, without: type[SQLModel] | None = None) -> dict[str, int]:
    """How many rows of other tenants a session sees of each table; with one table's criterion taken out."""
    session, tenant = work.session, work.tenant
    session.sync_session.info[CRITERIA] = tuple(
        each for each in criteria(tenant) if without is None or each.entity is not inspect(without)
    )
    found: dict[str, int] = {}
    for model in owned():
        column = tenant_column(model.__table__)
        rows = (await session.exec(select(model))).all()
        found[model.__name__] = sum(getattr(row, column.name) != tenant for row in rows)
    return {name: count for name, count in found.items() if count}


def owned() -> list[type[SQLModel]]:
    """Every model whose rows belong to a tenant; not what another test has declared and taken back."""
    mapped = [mapper.class_ for mapper in SQLModel._sa_registry.mappers]
    known = [model for model in mapped if model.__table__.name in SQLModel.metadata.tables]
    return [model for model in known if tenant_column(model.__table__) is not None]


@pytest.mark.requirement("000-01", "001-22", "001-23")
async def test_no_tables_criterion_can_be_taken_out_of_a_session_unnoticed(scene: Scene) -> None:
    unwalled = row_security_off(scene.database)
    try:
        async with unwalled.writing(scene.probe.caller) as work:
            assert await foreign(work) == {}
            for model in owned():
                assert set(await foreign(work, without=model)) == {model.__name__}
    finally:
        await unwalled.close()
