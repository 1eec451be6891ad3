"""Writing: all or nothing, in one tenant, with effects after the commit only."""

import asyncio
from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlmodel import select, text

from tenantry.directory.members.models import Member
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.errors import BadUserInput, Conflict, Unauthenticated, Unavailable
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import Authority, Scope
from tenantry.storage.database import Database
from tenantry.storage.errors import UNIQUE_VIOLATION, sqlstate
from tenantry.storage.transactions import Transaction
from tenantry.storage.unit_of_work import Action, UnitOfWork
from tests.support.rows import Rows

NAME = "SELECT name FROM tenant WHERE id = $1"


async def test_a_block_that_ends_commits_and_then_has_its_effects(rows: Rows):
    authority = await rows.signed_in(tenant := await rows.tenant())
    seen: list[object] = []

    async def effect() -> None:
        seen.append(await rows.database.value(NAME, tenant))

    async def record(work: UnitOfWork) -> None:
        seen.append((work.actions, await rows.database.value(NAME, tenant)))

    async with rows.database.writing(authority, before_commit=record) as work:
        work.record("tenant.update", authority.tenant)
        work.after_commit(effect)
        await rows.rename(work, tenant, "Renamed")
    assert seen == [([Action("tenant.update", (authority.tenant,))], "Tenant"), "Renamed"]


async def fail_after_rename(rows: Rows, authority: Authority, seen: list[str]) -> None:
    """A service that renames its tenant, wants mail sent, and fails."""

    async def effect() -> None:
        seen.append("mail")

    async with rows.database.writing(authority) as work:
        work.after_commit(effect)
        await rows.rename(work, authority.tenant_id, "Renamed")
        raise ZeroDivisionError


async def test_a_block_that_raises_rolls_back_and_has_no_effect(rows: Rows):
    authority = await rows.signed_in(tenant := await rows.tenant())
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError):
        await fail_after_rename(rows, authority, seen)
    assert await rows.database.value(NAME, tenant) == "Tenant"
    assert seen == []


async def write(
    database: Database, authority: Authority | None, *statements: str, enter: UUID | None = None
) -> None:
    """A transaction of ``statements``."""
    async with database.writing(authority) as work:
        if enter is not None:
            await work.enter(enter)
        connection = await work.session.connection()
        for statement in statements:
            await connection.execute(text(statement))


async def test_an_authority_that_no_longer_holds_writes_nothing(rows: Rows):
    authority = await rows.signed_in(tenant := await rows.tenant())
    stale = replace(authority, member_version=authority.member_version + 1)
    with pytest.raises(Unauthenticated) as refused:
        await write(rows.database, stale, "UPDATE tenant SET name = 'Taken'")
    assert refused.value.reason == "REVOKED"
    assert await rows.database.value(NAME, tenant) == "Tenant"


async def test_a_tenants_authority_never_crosses(rows: Rows):
    authority = await rows.signed_in(await rows.tenant())
    with pytest.raises(RuntimeError, match="does not cross"):
        await write(
            rows.database, authority, "UPDATE tenant SET name = 'Taken'", enter=(there := await rows.tenant())
        )
    assert await rows.database.value(NAME, there) == "Tenant"


async def test_the_platform_and_a_login_enter_the_tenant_they_name(rows: Rows):
    await rows.tenant(key=PLATFORM_TENANT_KEY)
    staff = await rows.signed_in(PLATFORM_TENANT_KEY)
    assert staff.scope is Scope.SYSTEM
    tenant = await rows.tenant()
    for authority in (staff, None):
        await write(rows.database, authority, "UPDATE tenant SET name = name || '!'", enter=tenant)
    assert await rows.database.value(NAME, tenant) == "Tenant!!"


async def test_entering_takes_a_persons_key_along(rows: Rows):
    authority = await rows.signed_in(tenant := await rows.tenant())
    async with rows.database.writing(None) as work:
        await work.enter(tenant, user_id=authority.user_id)
        connection = await work.driver()
        assert await connection.fetchval("SELECT current_app_user()") == authority.user_id
        assert [row["id"] for row in await connection.fetch("SELECT id FROM own_tenant")] == [tenant]


async def test_before_login_there_is_nobody_and_no_tenant(rows: Rows):
    async with rows.database.writing(None) as work:
        with pytest.raises(Unauthenticated) as refused:
            _ = work.acting
        assert refused.value.reason == "MISSING"
        with pytest.raises(RuntimeError, match="no tenant"):
            _ = work.tenant
        assert (await work.session.exec(select(Member))).all() == []


async def test_after_login_the_unit_of_work_knows_both(rows: Rows):
    authority = await rows.signed_in(tenant := await rows.tenant())
    async with rows.database.writing(authority) as work:
        assert (work.acting, work.tenant) == (authority, tenant)
        assert (await work.session.exec(select(Tenant.id))).all() == [tenant]


async def test_the_driver_is_in_the_transaction_and_everything_pending_is_flushed(rows: Rows):
    authority = await rows.signed_in(tenant := await rows.tenant())
    async with rows.database.writing(authority) as work:
        work.session.add(Member(tenant_id=tenant, email="new@people.example"))
        connection = await work.driver()
        assert connection.is_in_transaction()
        assert await connection.fetchval("SELECT count(*) FROM member") == 2


async def test_there_is_no_driver_before_the_beginning(rows: Rows):
    work = UnitOfWork(Transaction(rows.database._engine, asyncio.Semaphore()), None)
    with pytest.raises(RuntimeError, match="no connection"):
        await work.driver()
    with pytest.raises(RuntimeError, match="no connection"):
        _ = work.session


async def swallow_a_failure(rows: Rows, tenant: UUID) -> None:
    """A service that goes on after PostgreSQL has refused a statement."""
    async with rows.database.writing(None) as work:
        await work.enter(tenant)
        await rows.rename(work, tenant, "Renamed")
        with pytest.raises(asyncpg.PostgresError):
            await work.fetch("SELECT nothing FROM nowhere")


async def test_a_transaction_in_which_a_statement_failed_never_passes_for_committed(rows: Rows):
    tenant = await rows.tenant()
    with pytest.raises(RuntimeError, match="not committed"):
        await swallow_a_failure(rows, tenant)
    assert await rows.database.value(NAME, tenant) == "Tenant"


async def fail_without_a_connection(rows: Rows) -> None:
    """A service that fails by itself, its connection being gone by then."""
    async with rows.database.writing(None) as work:
        backend = (await work.driver()).get_server_pid()
        await rows.database.seen_by_owner("SELECT pg_terminate_backend($1)", backend)
        raise ZeroDivisionError


async def test_a_failure_is_told_as_it_is_though_the_connection_is_gone(rows: Rows):
    with pytest.raises(ZeroDivisionError):
        await fail_without_a_connection(rows)
    assert await rows.database.ready()
    async with rows.database.writing(None) as work:
        assert [row[0] for row in await work.fetch("SELECT 1")] == [1]


async def test_two_transactions_in_each_others_way_conflict(rows: Rows):
    tenants = [await rows.tenant(), await rows.tenant()]
    met = asyncio.Barrier(2)

    async def cross(first: UUID, second: UUID) -> None:
        async with rows.database.writing(None) as work:
            await work.enter(first)
            await rows.rename(work, first, "Renamed")
            await met.wait()
            await work.enter(second)
            await rows.rename(work, second, "Renamed")

    outcomes = await asyncio.gather(cross(*tenants), cross(*reversed(tenants)), return_exceptions=True)
    assert sorted(type(outcome) for outcome in outcomes if outcome) == [Conflict]
    assert [await rows.database.value(NAME, tenant) for tenant in tenants] == ["Renamed", "Renamed"]


async def test_a_deadlock_met_on_the_driver_is_a_conflict_too(rows: Rows):
    with pytest.raises(Conflict):
        await raise_on_driver(rows, "40P01")
    with pytest.raises(Unavailable):
        await raise_on_driver(rows, "57P01")
    assert await rows.database.ready()


async def raise_on_driver(rows: Rows, state: str) -> None:
    """A transaction in which PostgreSQL raises ``state`` to asyncpg itself."""
    async with rows.database.writing(None) as work:
        connection = await work.driver()
        await connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '{state}'; END $$")


async def test_what_is_the_authors_mistake_stays_what_it_is(rows: Rows):
    with pytest.raises(ProgrammingError):
        await write(rows.database, None, "SELECT nothing FROM nowhere")
    tenant = await rows.tenant()
    insert = "INSERT INTO role (tenant_id, id, node_id, key, name, created_at) VALUES"
    twice = f"{insert} ('{tenant}', gen_random_uuid(), 'R_same', 'a', 'a', now())"
    with pytest.raises(IntegrityError) as refused:
        await write(rows.database, None, twice, twice, enter=tenant)
    assert sqlstate(refused.value) == UNIQUE_VIOLATION
    assert await rows.database.value("SELECT count(*) FROM role WHERE tenant_id = $1", tenant) == 0


async def test_text_that_postgresql_cannot_keep_is_the_callers_mistake(rows: Rows):
    tenant = await rows.tenant()
    with pytest.raises(BadUserInput, match="NUL"):
        await rename_to(rows, tenant, "a\0b")
    assert await rows.database.value(NAME, tenant) == "Tenant"
    with pytest.raises(BadUserInput, match="NUL"):
        await rows.database.fetch("SELECT $1::text", ("a\0b",))


async def rename_to(rows: Rows, tenant: UUID, name: str) -> None:
    """A transaction that renames ``tenant``."""
    async with rows.database.writing(None) as work:
        await work.enter(tenant)
        await rows.rename(work, tenant, name)


async def test_a_cancelled_mutation_rolls_back_and_leaks_no_connection(rows: Rows):
    database = Database(rows.database.app_dsn, writers=1)
    tenant = await rows.tenant()
    changes = ("UPDATE tenant SET name = 'Half'", "SELECT pg_sleep(30)")
    task = asyncio.create_task(write(database, None, *changes, enter=tenant))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await rows.database.value(NAME, tenant) == "Tenant"
    await write(database, None, "UPDATE tenant SET name = 'Whole'", enter=tenant)
    assert await rows.database.value(NAME, tenant) == "Whole"
    await database.close()


async def test_when_every_writer_is_taken_the_next_is_refused_within_two_seconds(rows: Rows):
    database = Database(rows.database.app_dsn, writers=1)
    async with database.writing(None), asyncio.timeout(2):
        with pytest.raises(Unavailable):
            await write(database, None, "SELECT 1")
    await write(database, None, "SELECT 1")
    assert await database.ready()
    await database.close()
