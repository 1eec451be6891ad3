"""The trail while its database dies, hangs and comes back."""

import asyncio
import time
from contextlib import suppress

import pytest

from tenantry.audit.errors import NotRecorded
from tenantry.audit.trail import Trail
from tests.support.entries import make_entry
from tests.support.outages import FragileServer

WORKERS = 16


async def survives(fragile: FragileServer, *, seconds: float) -> tuple[set[str], set[str]]:
    """Record from many tasks, kill the server in the midst; what was acknowledged, and what is there."""
    acknowledged: set[str] = set()
    trail = Trail(fragile.app_dsn, capacity=10_000)
    await trail.start()

    async def work() -> None:
        with suppress(NotRecorded):
            while True:
                entry = make_entry()
                await trail.record([entry])
                acknowledged.add(entry.node_id)

    workers = [asyncio.create_task(work()) for _ in range(WORKERS)]
    await asyncio.sleep(seconds)
    await fragile.embedded.kill()
    await asyncio.gather(*workers)
    await trail.close()
    await fragile.embedded.start()
    database = fragile.open()
    found = await database.seen_by_owner("SELECT node_id FROM audit_record")
    await database.close()
    return acknowledged, {row["node_id"] for row in found}


async def test_what_was_acknowledged_is_there_after_a_crash(fragile: FragileServer):
    for round_number in range(2):
        acknowledged, found = await survives(fragile, seconds=0.3 + 0.1 * round_number)
        assert acknowledged
        assert acknowledged <= found


@pytest.mark.long
async def test_what_was_acknowledged_is_there_after_fifty_crashes(fragile: FragileServer):
    for round_number in range(50):
        acknowledged, found = await survives(fragile, seconds=0.2 + 0.017 * round_number)
        assert acknowledged
        assert acknowledged <= found


async def refused_after(trail: Trail) -> float:
    """How long it takes to refuse a record, in seconds."""
    began = time.monotonic()
    with pytest.raises(NotRecorded):
        await trail.record([make_entry()])
    return time.monotonic() - began


async def recovered_after(trail: Trail) -> float:
    """How long it takes until a record is taken again, in seconds."""
    began = time.monotonic()
    while time.monotonic() - began < 10:
        with suppress(NotRecorded):
            await trail.record([make_entry()])
            break
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def test_a_dead_server_refuses_at_once_and_records_again_when_it_is_back(fragile: FragileServer):
    trail = Trail(fragile.app_dsn, capacity=100)
    await trail.start()
    await trail.record([make_entry()])
    await fragile.embedded.kill()
    assert await refused_after(trail) < 2
    assert trail.waiting == 0
    await fragile.embedded.start()
    assert await recovered_after(trail) < 5
    await trail.close()


async def test_a_server_that_hangs_refuses_within_two_seconds_however_many_wait(fragile: FragileServer):
    trail = Trail(fragile.app_dsn, capacity=5_000)
    await trail.start()
    await trail.record([make_entry()])
    with fragile.frozen():
        first = asyncio.create_task(refused_after(trail))
        await asyncio.sleep(0.5)
        others = [asyncio.create_task(refused_after(trail)) for _ in range(100)]
        assert max(await asyncio.gather(first, *others)) < 2
        # The connection is gone; now it hangs while it connects.
        assert await refused_after(trail) < 2
    assert await recovered_after(trail) < 5
    await trail.close()
    assert trail.waiting == 0
