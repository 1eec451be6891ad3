"""The cache's contract, on memory and on a real Valkey; and what happens without the latter."""

import asyncio
import time

import pytest
from redis.asyncio import Redis

from tenantry.cache.keys import CacheKey, Space, digest_of
from tenantry.cache.port import Cache, open_cache
from tenantry.kernel.ids import NodePrefix, new_node_id
from tests.support.valkey import Valkey, running_valkey


def new_key(name: str = "thing", space: Space = Space.AUTHORITY) -> CacheKey:
    return CacheKey(space, new_node_id(NodePrefix.TENANT), name)


@pytest.mark.parametrize("value", [None, 0, 7, "é\x00", [1, {"a": None}], True, b"", b"\x00\xff", b"7"])
async def test_what_is_set_is_got(cache: Cache, value: object) -> None:
    key = new_key()
    assert await cache.get(key) is None
    await cache.set(key, value)
    assert await cache.get(key) == value
    await cache.delete(key)
    assert await cache.get(key) is None
    assert cache.breaker.failures == 0


@pytest.mark.requirement("000-10")
async def test_no_key_reads_another_tenant_s_or_another_space_s_entry(cache: Cache) -> None:
    mine = new_key()
    await cache.set(mine, "mine")
    others = [
        new_key(),
        CacheKey.of_platform(mine.space, mine.name),
        CacheKey(Space.DENIED_SESSION, mine.tenant, mine.name),
        CacheKey(mine.space, mine.tenant, "thing2"),
    ]
    assert [await cache.get(other) for other in others] == [None] * 4
    for other in others:
        await cache.delete(other)
    assert await cache.get(mine) == "mine"


async def test_values_are_copies(cache: Cache) -> None:
    key, value = new_key(), ["a"]
    await cache.set(key, value)
    value.append("b")
    assert await cache.get(key) == ["a"]


async def test_only_the_first_add_is_kept(cache: Cache) -> None:
    key = new_key()
    assert await cache.add(key, "first") is True
    assert await cache.add(key, "second") is False
    assert await cache.get(key) == "first"


async def test_counts_from_one_and_for_as_long_as_its_space_says(cache: Cache, valkey: Valkey) -> None:
    key = new_key()
    assert [await cache.increment(key) for _ in range(3)] == [1, 2, 3]
    assert await cache.get(key) == 3
    async with Redis.from_url(valkey.url) as client:
        assert await client.ttl(str(key)) in {-2, 59, 60}


async def test_entries_in_valkey_expire(valkey: Valkey) -> None:
    key = new_key()
    async with open_cache(valkey.url) as cache, Redis.from_url(valkey.url) as client:
        await cache.set(key, 1)
        assert 0 < await client.ttl(str(key)) <= Space.AUTHORITY.seconds
        await client.expire(str(key), 0)
        assert await cache.get(key) is None


async def test_memory_is_bounded() -> None:
    async with open_cache(None, entries=3) as cache:
        keys = [new_key() for _ in range(5)]
        for key in keys:
            await cache.set(key, key.tenant)
        assert [await cache.get(key) for key in keys] == [None, None, *(key.tenant for key in keys[2:])]
        counted = new_key()
        assert await cache.increment(counted) == 1
        assert [await cache.get(key) for key in (keys[2], keys[4])] == [None, keys[4].tenant]


async def test_many_callers_share_one_load_even_of_none(cache: Cache) -> None:
    loads: list[int] = []

    async def load() -> None:
        loads.append(1)
        await asyncio.sleep(0.01)

    key = new_key()
    found = await asyncio.gather(*(cache.get_or_load(key, load) for _ in range(50)))
    assert await cache.get_or_load(key, load) is None
    assert (found, loads) == ([None] * 50, [1])


async def test_a_failed_load_reaches_every_caller_and_is_not_kept(cache: Cache) -> None:
    async def fail() -> int:
        await asyncio.sleep(0.01)
        raise LookupError

    async def load() -> int:
        return 7

    key = new_key()
    found = await asyncio.gather(*(cache.get_or_load(key, fail) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in found] == [LookupError] * 3
    assert await cache.get_or_load(key, load) == 7


async def test_a_load_outlives_the_caller_who_began_it(cache: Cache) -> None:
    began = asyncio.Event()

    async def load() -> int:
        began.set()
        await asyncio.sleep(0.02)
        return 7

    key = new_key()
    first = asyncio.create_task(cache.get_or_load(key, load))
    await began.wait()
    second = asyncio.create_task(cache.get_or_load(key, load))
    first.cancel()
    assert await second == 7


async def test_what_was_loaded_before_a_delete_is_not_kept_after_it(cache: Cache) -> None:
    reading, written = asyncio.Event(), asyncio.Event()

    async def load() -> str:
        reading.set()
        await written.wait()
        return "old"

    key = new_key()
    loading = asyncio.create_task(cache.get_or_load(key, load))
    await reading.wait()
    await cache.delete(key)
    written.set()
    assert await loading == "old"
    assert await cache.get(key) is None


async def answer() -> str:
    return "from the loader"


async def check_that_it_only_costs_speed(cache: Cache, key: CacheKey) -> None:
    began = time.monotonic()
    assert await cache.get_or_load(key, answer) == "from the loader"
    assert time.monotonic() - began < 0.5
    began = time.monotonic()
    assert await cache.get(key) is None
    assert await cache.increment(key) is None
    assert await cache.add(key, 1) is False
    await cache.set(key, 1)
    await cache.delete(key)
    assert time.monotonic() - began < 0.05, "a failure is followed by rest, not by more waiting"


async def test_a_killed_valkey_costs_speed_only() -> None:
    told: list[int] = []
    async with running_valkey() as server, open_cache(server.url, on_failure=lambda: told.append(1)) as cache:
        key = new_key()
        await cache.set(key, "kept")
        assert await cache.get(key) == "kept"
        await server.kill()
        await check_that_it_only_costs_speed(cache, key)
        assert len(told) == cache.breaker.failures >= 1


async def test_a_hanging_valkey_is_waited_for_a_tenth_of_a_second_and_used_again() -> None:
    async with running_valkey() as server, open_cache(server.url) as cache:
        key = new_key()
        await cache.set(key, "kept")
        server.pause()
        await check_that_it_only_costs_speed(cache, key)
        server.resume()
        async with asyncio.timeout(5):
            while await cache.get(key) is None:  # noqa: ASYNC110 - another process has no Event to set
                await asyncio.sleep(0.05)


async def test_a_value_that_is_not_ours_is_as_good_as_none(valkey: Valkey) -> None:
    key = new_key()
    async with open_cache(valkey.url) as cache, Redis.from_url(valkey.url) as client:
        await client.set(str(key), b"\x80\x04N.")
        assert await cache.get(key) is None
        assert cache.breaker.failures == 1


@pytest.mark.requirement("000-10")
@pytest.mark.parametrize("part", ["", "a:b", "ann@example.org", "a b", "x" * 65, "a\n", "*"])
def test_a_key_takes_identifiers_only(part: str) -> None:
    with pytest.raises(ValueError, match="identifiers"):
        CacheKey(Space.AUTHORITY, "T_a", part)
    with pytest.raises(ValueError, match="identifiers"):
        CacheKey(Space.AUTHORITY, part, "thing")


def test_every_space_says_how_long_and_how_stale() -> None:
    assert [space.name for space in Space] == sorted(space.name for space in Space)
    for space in Space:
        assert space.seconds > 0
        assert space.may_be_stale.endswith(".")
    key = CacheKey(Space.ISSUER_KEYS, "T_a", digest_of("https://issuer.example/?secret"))
    assert str(key).startswith("tenantry:issuer_keys:T_a:")
