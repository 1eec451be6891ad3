"""When sessions were last seen: written now and then, in one statement, in nobody's way."""

import asyncio
from datetime import datetime

from tenantry.authentication.sessions.last_seen import LastSeen
from tenantry.kernel.principal import Authority
from tenantry.storage.database import Database
from tests.support.clocks import MovableClock
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in, signed_in


async def seen(database: TemporaryDatabase, authority: Authority) -> tuple[object, object]:
    """When the session and its member were last seen, as the database has it."""
    return (
        await database.value("SELECT last_seen_at FROM session WHERE id = $1", authority.session_id),
        await database.value("SELECT last_seen_at FROM member WHERE id = $1", authority.member_id),
    )


def later() -> MovableClock:
    clock = MovableClock()
    clock.forward(60)
    return clock


async def test_what_was_seen_is_written_at_once_for_all(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    first, second, unseen = [await signed_in(database, tenant) for _ in range(3)]
    clock = later()
    collector = LastSeen(database, clock=clock)
    collector.see(first.session_id)
    clock.forward(1)
    collector.see(first.session_id)
    collector.see(second.session_id)
    assert clock.now not in await seen(database, first)
    await collector.flush()
    assert await seen(database, first) == await seen(database, second) == (clock.now, clock.now)
    assert (await seen(database, unseen))[1] is None


async def test_time_goes_forward_only(database: TemporaryDatabase) -> None:
    authority = await signed_in(database, await make_tenant(database))
    before = await seen(database, authority)
    clock = MovableClock(datetime.fromisoformat("2020-01-01T00:00:00+00:00"))
    collector = LastSeen(database, clock=clock)
    collector.see(authority.session_id)
    await collector.flush()
    assert await seen(database, authority) == before


async def test_it_writes_by_itself_and_once_more_when_it_is_closed(database: TemporaryDatabase) -> None:
    authority = await signed_in(database, await make_tenant(database))
    clock = later()
    collector = LastSeen(database, clock=clock, every=0.02)
    await collector.start()
    await collector.start()
    collector.see(authority.session_id)
    async with asyncio.timeout(5):
        while (await seen(database, authority))[0] != clock.now:  # noqa: ASYNC110 - a commit sets no event
            await asyncio.sleep(0.01)
    clock.forward(1)
    collector.see(authority.session_id)
    await collector.close()
    await collector.close()
    assert await seen(database, authority) == (clock.now, clock.now)


async def test_while_the_database_is_gone_it_waits(database: TemporaryDatabase) -> None:
    authority = await signed_in(database, await make_tenant(database))
    clock, gone = later(), Database("postgresql://tenantry_app@/nothing?host=/nowhere")
    collector = LastSeen(gone, clock=clock)
    collector.see(authority.session_id)
    await collector.flush()
    assert collector.waiting == 1
    await gone.close()


async def test_a_session_held_by_a_mutation_is_left_for_the_next_time(database: TemporaryDatabase) -> None:
    member = await make_member(database, await make_tenant(database))
    busy, idle = await sign_in(database, member), await sign_in(database, member)
    clock = later()
    collector = LastSeen(database, clock=clock)
    async with database.writing(busy):
        collector.see(busy.session_id)
        collector.see(idle.session_id)
        async with asyncio.timeout(1):
            await collector.flush()
        assert (await seen(database, idle))[0] == clock.now
        assert (await seen(database, busy))[0] != clock.now
