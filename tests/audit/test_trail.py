"""The trail: on disk before the answer, with the transaction it tells of, and never changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import asdict
from itertools import pairwise

import asyncpg
import pytest
import pytest_asyncio

from tenantry.audit.errors import NotRecorded
from tenantry.audit.records import AuditEntry, canonical_body
from tenantry.audit.trail import BATCH, Trail
from tenantry.kernel.errors import Unavailable
from tenantry.kernel.principal import Authority
from tenantry.storage.unit_of_work import UnitOfWork
from tests.support.entries import make_entry
from tests.support.rows import Rows

CAPACITY = 500


@pytest_asyncio.fixture
async def trail(rows: Rows) -> AsyncIterator[Trail]:
    trail = Trail(rows.database.app_dsn, capacity=CAPACITY)
    await trail.start()
    yield trail
    await trail.close()


async def written(rows: Rows, entries: Iterable[AuditEntry]) -> list[asyncpg.Record]:
    """What stands in the trail of ``entries``, oldest first."""
    names = [entry.node_id for entry in entries]
    sql = "SELECT * FROM audit_record WHERE node_id = ANY($1) ORDER BY seq"
    return await rows.database.seen_by_owner(sql, names)


async def test_every_field_is_on_disk_when_record_returns(rows: Rows, trail: Trail):
    full = make_entry(await rows.tenant())
    empty = make_entry(
        actor_id=None,
        targets=(),
        tenant=None,
        code=None,
        operation_name=None,
        user_agent=None,
        root_field=None,
    )
    await trail.record([full, empty])
    found = await written(rows, [full, empty])
    for entry, row in zip([full, empty], found, strict=True):
        expected = asdict(entry) | {"targets": list(entry.targets), "body": canonical_body(entry)}
        assert {name: row[name] for name in expected} == expected
    assert trail.waiting == 0


async def test_a_thousand_at_once_share_commits_and_keep_each_operations_order(rows: Rows):
    trail = Trail(rows.database.app_dsn, capacity=3_000)
    operations = [[make_entry() for _ in range(3)] for _ in range(900)]
    waiting = [asyncio.create_task(trail.record(entries)) for entries in operations]
    await asyncio.sleep(0)
    assert trail.waiting == 2_700
    await trail.start()
    await asyncio.gather(*waiting)
    every = await written(rows, [entry for entries in operations for entry in entries])
    found = {row["node_id"]: row for row in every}
    assert len(found) == 2_700
    assert len({row["xid"] for row in every}) <= 2_700 // BATCH + 2
    for entries in operations:
        of_one = [found[entry.node_id] for entry in entries]
        assert len({row["xid"] for row in of_one}) == 1
        assert all(first["seq"] < second["seq"] for first, second in pairwise(of_one))
    await trail.close()


async def test_beyond_capacity_an_operation_is_refused_and_nothing_of_it_is_written(rows: Rows):
    trail = Trail(rows.database.app_dsn, capacity=3)
    taken, refused = [make_entry(), make_entry()], [make_entry(), make_entry()]
    waiting = asyncio.create_task(trail.record(taken))
    await asyncio.sleep(0)
    with pytest.raises(NotRecorded):
        await trail.record(refused)
    await trail.start()
    await waiting
    assert len(await written(rows, taken)) == 2
    assert await written(rows, refused) == []
    await trail.record([make_entry()])
    await trail.close()


async def test_a_refusal_is_unavailable_to_whoever_asks():
    assert (NotRecorded.http_status, NotRecorded.code) == (503, Unavailable.code)


async def test_a_record_that_waited_too_long_is_refused_and_never_written(rows: Rows):
    trail, entry = Trail(rows.database.app_dsn, capacity=CAPACITY), make_entry()
    with pytest.raises(NotRecorded):
        await trail.record([entry])
    await trail.start()
    await asyncio.sleep(0.01)
    await trail.record([after := make_entry()])
    assert await written(rows, [entry]) == []
    assert len(await written(rows, [after])) == 1
    assert trail.waiting == 0
    await trail.close()


async def test_a_caller_that_goes_away_leaves_its_record(rows: Rows, trail: Trail):
    entry = make_entry()
    task = asyncio.create_task(trail.record([entry]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await trail.record([make_entry()])
    await trail.close()
    assert len(await written(rows, [entry])) == 1


async def test_a_row_that_postgresql_refuses_fails_its_own_operation_alone(rows: Rows):
    trail = Trail(rows.database.app_dsn, capacity=CAPACITY)
    poisoned, good = [make_entry(), make_entry(user_agent="\0")], [make_entry()]
    waiting = [asyncio.create_task(trail.record(entries)) for entries in (good, poisoned)]
    await asyncio.sleep(0)
    await trail.start()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert outcomes[0] is None
    assert isinstance(outcomes[1], NotRecorded)
    assert isinstance(outcomes[1].__cause__, asyncpg.CharacterNotInRepertoireError)
    assert len(await written(rows, good + poisoned)) == 1
    await trail.close()


async def test_close_writes_what_waits_and_takes_no_more(rows: Rows, trail: Trail):
    entries = [make_entry() for _ in range(5)]
    waiting = [asyncio.create_task(trail.record([entry])) for entry in entries]
    await asyncio.sleep(0)
    await trail.close()
    await asyncio.gather(*waiting)
    assert len(await written(rows, entries)) == 5
    with pytest.raises(NotRecorded):
        await trail.record([make_entry()])


async def test_inserted_records_commit_with_their_transaction(rows: Rows, trail: Trail):
    authority = await rows.signed_in(tenant := await rows.tenant())
    entries = [make_entry(tenant), make_entry(tenant)]
    async with rows.database.writing(
        authority, before_commit=lambda work: trail.insert(work, entries)
    ) as work:
        await rows.rename(work, tenant, "Renamed")
    assert len({row["xid"] for row in await written(rows, entries)}) == 1
    assert await rows.database.value("SELECT name FROM tenant WHERE id = $1", tenant) == "Renamed"


async def broken_off(
    rows: Rows, authority: Authority | None, change: Callable[[UnitOfWork], Awaitable[None]]
):
    """A transaction that makes ``change`` and then fails."""
    async with rows.database.writing(authority) as work:
        await change(work)
        raise ZeroDivisionError


async def test_inserted_records_roll_back_with_their_transaction(rows: Rows, trail: Trail):
    authority = await rows.signed_in(tenant := await rows.tenant())
    entry = make_entry(tenant)

    async def change(work: UnitOfWork) -> None:
        await rows.rename(work, tenant, "Renamed")
        await trail.insert(work, [entry])

    with pytest.raises(ZeroDivisionError):
        await broken_off(rows, authority, change)
    assert await written(rows, [entry]) == []
    assert await rows.database.value("SELECT name FROM tenant WHERE id = $1", tenant) == "Tenant"


async def test_a_login_that_entered_no_tenant_inserts_in_its_transaction_too(rows: Rows, trail: Trail):
    entry = make_entry()
    with pytest.raises(ZeroDivisionError):
        await broken_off(rows, None, lambda work: trail.insert(work, [entry]))
    assert await written(rows, [entry]) == []


@pytest.mark.requirement("000-30")
@pytest.mark.parametrize(
    "change",
    ["UPDATE audit_record SET outcome = 'FAILED'", "DELETE FROM audit_record", "TRUNCATE audit_record"],
)
async def test_what_is_written_is_never_changed(rows: Rows, trail: Trail, change: str):
    await trail.record([entry := make_entry()])
    before = await written(rows, [entry])
    app = await asyncpg.connect(rows.database.app_dsn)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(change)
    await app.close()
    with pytest.raises(asyncpg.PostgresError) as refused:
        await rows.execute(change)
    assert refused.value.sqlstate == "TN002"
    assert await written(rows, [entry]) == before


async def test_a_tenant_sees_its_own_trail_alone(rows: Rows, trail: Trail):
    here, there = await rows.tenant(), await rows.tenant()
    await trail.record([mine := make_entry(here), make_entry(there), make_entry()])
    authority = await rows.signed_in(here)
    async with rows.database.writing(authority) as work:
        connection = await work.driver()
        assert [row["node_id"] for row in await connection.fetch("SELECT node_id FROM audit_record")] == [
            mine.node_id
        ]
    assert await rows.database.fetch("SELECT * FROM audit_record", ()) is None
