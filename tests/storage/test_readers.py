"""Reading: what breaks is dropped and replayed once, what is cancelled is never lent again."""

import asyncio
import time

import asyncpg
import pytest

from tenantry.kernel.errors import Unavailable
from tenantry.storage.connections import STATEMENT_CACHE, connector, reader_connector
from tenantry.storage.database import Database
from tenantry.storage.readers import LOOK_SECONDS, Reader, Readers
from tests.support.outages import FragileServer
from tests.support.rows import Rows

PID = "SELECT pg_backend_pid()"
ENDING = "SELECT pg_terminate_backend(pg_backend_pid())"
# A sequence is not rolled back: the first to run this ends its own connection, the second does not.
ENDING_ONCE = """
SELECT CASE WHEN nextval('{0}') = 1 THEN pg_terminate_backend(pg_backend_pid())::text ELSE 'replayed' END
"""


async def value(database: Database, sql: str, *arguments: object) -> object:
    row = await database.fetch(sql, arguments)
    assert row is not None
    return row[0]


async def test_a_row_or_none_and_json_as_the_bytes_that_were_sent(rows: Rows):
    assert await value(rows.database, "SELECT $1::int + 1", 1) == 2
    assert (
        await value(rows.database, "SELECT json_build_object('a', $1::text)", "ä") == '{"a" : "ä"}'.encode()
    )
    assert await value(rows.database, "SELECT $1::json", b'{"b":1}') == b'{"b":1}'
    assert await rows.database.fetch("SELECT 1 WHERE false", ()) is None


async def test_one_connection_serves_one_after_another(rows: Rows):
    database = Database(rows.database.app_dsn)
    pids = {await value(database, PID) for _ in range(5)}
    assert len(pids) == 1
    await database.close()


async def test_never_more_connections_than_allowed(rows: Rows):
    database = Database(rows.database.app_dsn, readers=3)
    sql = "SELECT pg_backend_pid() FROM pg_sleep(0.05)"
    pids = await asyncio.gather(*(value(database, sql) for _ in range(12)))
    assert len(set(pids)) == 3
    await database.close()


async def test_a_refused_statement_keeps_its_connection(rows: Rows):
    database = Database(rows.database.app_dsn)
    before = await value(database, PID)
    for sql, arguments, error in (
        ("SELECT nothing", (), asyncpg.UndefinedColumnError),
        ("SELECT 1 / $1::int", (0,), asyncpg.DivisionByZeroError),
        ("SELECT $1::int", ("one",), asyncpg.DataError),
    ):
        with pytest.raises(error):
            await database.fetch(sql, arguments)
    assert await value(database, PID) == before
    await database.close()


async def test_too_few_arguments_are_the_authors_mistake_and_no_outage(rows: Rows):
    with pytest.raises(asyncpg.InterfaceError):
        await rows.database.fetch("SELECT $1::int", ())
    assert await rows.database.ready()


async def test_a_connection_that_was_closed_while_idle_is_replaced(rows: Rows):
    readers = Readers(reader_connector(rows.database.app_dsn), size=1)
    before = await readers.fetch(PID, ())
    assert before is not None
    await rows.execute(f"SELECT pg_terminate_backend({before[0]})")
    async with asyncio.timeout(10):
        while readers._free[0].usable:  # noqa: ASYNC110 - the good-bye of another process is waited for
            await asyncio.sleep(0.01)
    after = await readers.fetch(PID, ())
    assert after is not None
    assert after[0] != before[0]
    assert readers._open == 1
    await readers.close()


async def test_a_connection_that_is_known_to_be_closed_is_not_lent(rows: Rows):
    readers = Readers(reader_connector(rows.database.app_dsn), size=1)
    before = await readers.fetch(PID, ())
    readers._free[0].drop()
    assert not readers._free[0].usable
    after = await readers.fetch(PID, ())
    assert before is not None
    assert after is not None
    assert (before[0] != after[0], readers._open, len(readers._free)) == (True, 1, 1)
    await readers.close()


async def test_a_connection_whose_server_says_good_bye_is_dropped_and_the_read_replayed(rows: Rows):
    await rows.execute("CREATE SEQUENCE byes; GRANT USAGE ON byes TO tenantry_app")
    await rows.execute("""
        CREATE FUNCTION good_bye() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('byes') = 1 THEN RAISE EXCEPTION 'bye' USING ERRCODE = 'admin_shutdown'; END IF;
            RETURN pg_backend_pid();
        END $$
    """)
    readers = Readers(reader_connector(rows.database.app_dsn), size=1)
    before = await readers.fetch(PID, ())
    after = await readers.fetch("SELECT good_bye()", ())
    assert before is not None
    assert after is not None
    assert after[0] != before[0]
    await readers.close()


async def test_a_read_whose_connection_breaks_is_replayed_once(rows: Rows):
    await rows.execute("CREATE SEQUENCE once; GRANT USAGE ON once TO tenantry_app")
    database = Database(rows.database.app_dsn)
    before = await value(database, PID)
    assert await value(database, ENDING_ONCE.format("once")) == "replayed"
    assert await value(database, PID) != before
    await database.close()


async def test_a_read_that_breaks_every_connection_is_refused(rows: Rows):
    database = Database(rows.database.app_dsn)
    with pytest.raises(Unavailable):
        await database.fetch(ENDING, ())
    assert await database.ready()
    await database.close()


async def test_a_table_that_changes_beneath_a_prepared_statement_is_read_anew(rows: Rows):
    await rows.execute("CREATE TABLE changing (a int); GRANT SELECT ON changing TO tenantry_app")
    await rows.execute("INSERT INTO changing VALUES (1)")
    row = await rows.database.fetch("SELECT * FROM changing", ())
    await rows.execute("ALTER TABLE changing ADD b int DEFAULT 2")
    changed = await rows.database.fetch("SELECT * FROM changing", ())
    assert row is not None
    assert changed is not None
    assert (tuple(row), tuple(changed)) == ((1,), (1, 2))


async def test_a_cancelled_read_never_hands_on_its_connection(rows: Rows):
    database = Database(rows.database.app_dsn, readers=1)
    before = await value(database, PID)
    task = asyncio.create_task(database.fetch("SELECT 'late' FROM pg_sleep(0.3)", ()))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await value(database, "SELECT 'mine'") == "mine"
    assert await value(database, PID) != before
    await database.close()


async def test_a_slow_read_is_refused_within_two_seconds_and_not_replayed(rows: Rows):
    await rows.execute("CREATE SEQUENCE tries; GRANT USAGE ON tries TO tenantry_app")
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await rows.database.fetch("SELECT nextval('tries') FROM pg_sleep(30)", ())
    assert time.monotonic() - began < 2
    assert await rows.database.value("SELECT last_value FROM tries WHERE is_called") is None


async def test_what_is_prepared_is_bounded(rows: Rows):
    connection = await connector(rows.database.app_dsn)()
    reader = Reader(connection)
    for number in range(STATEMENT_CACHE + 5):
        await reader.fetch(f"SELECT {number}", ())
    assert await connection.fetchval("SELECT count(*) FROM pg_prepared_statements") <= STATEMENT_CACHE + 1
    row = await reader.fetch("SELECT 0", ())
    assert row is not None
    assert row[0] == 0
    reader.drop()


async def test_close_leaves_no_connection(rows: Rows):
    readers = Readers(reader_connector(rows.database.app_dsn), size=2)
    row = await readers.fetch(PID, ())
    assert row is not None
    await readers.close()
    await asyncio.sleep(0.1)
    assert await rows.database.value("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", row[0]) == 0


async def refused_after(database: Database) -> float:
    """How long it takes to refuse a read, in seconds."""
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await database.fetch("SELECT 1", ())
    return time.monotonic() - began


async def write_refused_after(database: Database) -> float:
    """How long it takes to refuse a transaction, in seconds."""
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await begin_nothing(database)
    return time.monotonic() - began


async def begin_nothing(database: Database) -> None:
    """A transaction that does nothing."""
    async with database.writing(None):
        pass


async def recovered_after(database: Database) -> float:
    """How long it takes until reads and transactions work again, in seconds."""
    began = time.monotonic()
    async with asyncio.timeout(10):
        while not await database.ready():  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.05)
    await begin_nothing(database)
    return time.monotonic() - began


async def test_a_dead_server_refuses_at_once_and_serves_again_when_it_is_back(fragile: FragileServer):
    database = fragile.open()
    await asyncio.gather(*(database.fetch("SELECT 1 FROM pg_sleep(0.01)", ()) for _ in range(8)))
    await begin_nothing(database)
    await fragile.embedded.kill()
    assert max(await asyncio.gather(*(refused_after(database) for _ in range(40)))) < 2
    assert max(await asyncio.gather(*(write_refused_after(database) for _ in range(40)))) < 2
    assert not await database.ready()
    await fragile.embedded.start()
    assert await recovered_after(database) < 5
    await database.close()


async def test_a_server_that_hangs_refuses_within_two_seconds_however_many_ask(fragile: FragileServer):
    database = fragile.open()
    await database.fetch("SELECT 1", ())
    await begin_nothing(database)
    with fragile.frozen():
        asking = [refused_after(database) for _ in range(40)]
        writing = [write_refused_after(database) for _ in range(40)]
        assert max(await asyncio.gather(*asking, *writing)) < 2
    assert await recovered_after(database) < 5
    await asyncio.gather(*(database.fetch("SELECT 1 FROM pg_sleep(0.01)", ()) for _ in range(40)))
    assert await fragile.connections() <= 32
    await database.close()


async def test_an_outage_in_the_midst_of_a_transaction_is_refused_and_nothing_is_kept(fragile: FragileServer):
    database = fragile.open()
    rows = Rows(database)
    tenant = await rows.tenant()
    began = 0.0

    async def interrupted() -> None:
        nonlocal began
        async with database.writing(None) as work:
            await work.enter(tenant)
            with fragile.frozen():
                began = time.monotonic()
                await rows.rename(work, tenant, "Half")

    with pytest.raises(Unavailable):
        await interrupted()
    assert time.monotonic() - began < 2
    assert await recovered_after(database) < 5
    assert await database.value("SELECT name FROM tenant WHERE id = $1", tenant) == "Tenant"
    await database.close()


async def test_who_asked_first_reads_first_and_the_cancelled_keep_nothing(rows: Rows):
    database = Database(rows.database.app_dsn, readers=1)
    order: list[int] = []

    async def read(number: int) -> None:
        await value(database, "SELECT pg_sleep(0.02)")
        order.append(number)

    tasks = [asyncio.create_task(read(number)) for number in range(8)]
    await asyncio.sleep(0.01)
    for number in (1, 4, 5):
        tasks[number].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 2, 3, 6, 7]
    assert await value(database, "SELECT 1") == 1
    await database.close()


async def test_cancelled_at_any_moment_no_connection_is_lost(rows: Rows):
    database = Database(rows.database.app_dsn, readers=2)
    for number in range(40):
        tasks = [asyncio.create_task(value(database, "SELECT 1")) for _ in range(6)]
        await asyncio.sleep(0.0005 * (number % 8))
        for task in tasks[number % 3 :: 2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    sql = "SELECT pg_backend_pid() FROM pg_sleep(0.02)"
    pids = await asyncio.gather(*(value(database, sql) for _ in range(12)))
    assert len(set(pids)) == 2
    await database.close()


async def test_who_waits_for_a_connection_too_long_is_refused_within_two_seconds(rows: Rows):
    database = Database(rows.database.app_dsn, readers=1)
    began = time.monotonic()
    slow = [asyncio.create_task(value(database, "SELECT pg_sleep(1.2)")) for _ in range(4)]
    ended = await asyncio.gather(*slow, return_exceptions=True)
    assert time.monotonic() - began < 2
    assert [type(each) for each in ended[1:]] == [Unavailable] * 3
    await database.close()


async def test_the_place_of_a_connection_that_broke_is_taken_by_who_waits(rows: Rows):
    database = Database(rows.database.app_dsn, readers=1)
    ending = asyncio.create_task(database.fetch(ENDING, ()))
    await asyncio.sleep(0)
    assert await asyncio.gather(*(value(database, "SELECT 1") for _ in range(5))) == [1] * 5
    with pytest.raises(Unavailable):
        await ending
    await database.close()


@pytest.mark.parametrize("broken", [False, True])
async def test_who_is_cancelled_as_a_connection_is_handed_on_hands_it_on_again(rows: Rows, broken: bool):
    readers = Readers(reader_connector(rows.database.app_dsn), size=1)
    reader = await readers._take(time.monotonic())
    waiting = [asyncio.create_task(readers.fetch(PID, ())) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.sleep(0)
    if broken:
        readers._drop(reader)
    else:
        readers._give(reader)
    waiting[0].cancel()
    assert await waiting[2] is not None
    ended = await asyncio.gather(*waiting[:2], return_exceptions=True)
    assert [type(each) for each in ended] == [asyncio.CancelledError] * 2
    await readers.close()


@pytest.mark.parametrize("broken", [False, True])
async def test_what_nobody_waits_for_any_more_is_kept(rows: Rows, broken: bool):
    readers = Readers(reader_connector(rows.database.app_dsn), size=1)
    reader = await readers._take(time.monotonic())
    waiting = asyncio.create_task(readers.fetch(PID, ()))
    await asyncio.sleep(0)
    if broken:
        readers._drop(reader)
    else:
        readers._give(reader)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert readers._open == len(readers._free) == (0 if broken else 1)
    assert await readers.fetch(PID, ()) is not None
    await readers.close()


async def test_the_cancelled_are_not_looked_after(rows: Rows):
    readers = Readers(reader_connector(rows.database.app_dsn), size=1)
    reader = await readers._take(time.monotonic())
    waiting = asyncio.create_task(readers.fetch(PID, ()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.sleep(LOOK_SECONDS * 2)
    assert not readers._waiters
    reader.drop()
