"""Redis is never the truth: killed, stopped, flushed or slow, nobody gets in by it and nobody is kept out."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from tenantry.authentication.sessions.denylist import Denylist
from tenantry.cache.port import open_cache
from tests.support.api import Product, running_product
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, sign_in
from tests.support.valkey import Valkey, running_valkey
from tests.support.world import World

READ, LOGOUT = "{ tenant { name } }", "mutation { logout { success } }"
RENAME = 'mutation { tenantUpdate(input: {name: "X"}) { __typename } }'

# What belongs to a tenant or to the platform by name, and counts of what comes from somewhere, by digest.
OURS = re.compile(
    r"tenantry:[a-z_]+:(T_[\w-]{22}|platform):[\w.-]{1,64}"
    r"|LIMITS:tenantry:limit:[\w-]+/[0-9a-f]{64}/\d+/\d+/second"
)


@dataclass
class Slow:
    """A way to a server that takes its time."""

    url: str
    seconds: float = 0.0


@asynccontextmanager
async def slow_way(target: Valkey) -> AsyncGenerator[Slow]:
    """A proxy in front of ``target``: everything it says comes ``seconds`` later."""
    way = Slow("")
    port = int(target.url.rsplit(":", 1)[1].split("/")[0])

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool) -> None:
        while data := await reader.read(65_536):
            if late:
                await asyncio.sleep(way.seconds)
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            pump(reader, outer, late=False), pump(inner, writer, late=True), return_exceptions=True
        )

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    way.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    async with server:
        yield way


@dataclass
class Stage:
    """The product in front of a server of its own."""

    product: Product
    server: Valkey
    way: Slow


@pytest_asyncio.fixture
async def stage(
    database: TemporaryDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    async with running_valkey() as server, slow_way(server) as way:
        folder = tmp_path_factory.mktemp("product")
        async with running_product(database, folder, redis_url=way.url) as made:
            yield Stage(made, server, way)


async def denied(server: Valkey, session: object) -> bool:
    """As another service would look: the documented name of the key."""
    async with Redis.from_url(server.url) as redis:
        return await redis.exists(f"tenantry:denied_session:platform:{session}") == 1


async def soon(server: Valkey, session: object) -> None:
    async with asyncio.timeout(5):
        while not await denied(server, session):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.02)


@pytest.mark.requirement("000-05", "001-28")
async def test_what_has_ended_is_in_the_list_for_as_long_as_a_token_lives(stage: Stage) -> None:
    world = await World.make(stage.product)
    others = [await make_member(stage.product.database, world.tenant) for _ in range(2)]
    first, second = [await sign_in(stage.product.database, each) for each in others]
    await stage.product.as_(first).query(LOGOUT)
    suspend = "mutation($id: ID!) { memberSuspend(input: {memberId: $id}) { __typename } }"
    await stage.product.as_(world.owner).query(suspend, id=others[1].node_id)
    for ended in (first, second):
        await soon(stage.server, ended.session_id)
    assert not await denied(stage.server, world.owner.session_id)
    async with Redis.from_url(stage.server.url) as redis:
        left = await redis.ttl(f"tenantry:denied_session:platform:{first.session_id}")
        assert 7_000 < left <= 7_200


async def test_a_list_that_was_lost_is_made_whole_from_the_database(stage: Stage) -> None:
    world = await World.make(stage.product)
    await stage.product.as_(world.owner).query(LOGOUT)
    await soon(stage.server, world.owner.session_id)
    async with Redis.from_url(stage.server.url) as redis:
        await redis.flushall()
    async with open_cache(stage.server.url) as cache:
        denylist = Denylist(cache, stage.product.database)
        assert not await denylist.denied(world.owner.session_id)
        await denylist.renew()
        assert await denylist.denied(world.owner.session_id)


@pytest.mark.requirement("000-10")
async def test_every_key_says_whose_it_is_and_none_says_more(stage: Stage) -> None:
    for _ in range(2):
        world = await World.make(stage.product)
        await stage.product.login(world.owner.email or "")
        await stage.product.as_(world.owner).query(LOGOUT)
        await soon(stage.server, world.owner.session_id)
    async with Redis.from_url(stage.server.url) as redis:
        keys = [key.decode() for key in await redis.keys("*")]
    assert len(keys) > 3
    assert [key for key in keys if not OURS.fullmatch(key)] == []


async def harm(stage: Stage, how: str) -> None:
    match how:
        case "killed":
            await stage.server.kill()
        case "stopped":
            stage.server.pause()
        case "slow":
            stage.way.seconds = 3.0
        case _:
            async with Redis.from_url(stage.server.url) as redis:
                await redis.flushall()


@pytest.mark.requirement("000-05", "001-28")
@pytest.mark.parametrize("how", ["killed", "stopped", "slow", "flushed"])
async def test_no_ended_session_is_let_in_and_all_others_go_on(stage: Stage, how: str) -> None:
    world = await World.make(stage.product)
    member = await make_member(stage.product.database, world.tenant, "owner")
    ended = await sign_in(stage.product.database, member)
    before = stage.product.as_(ended)
    assert (await before.ask(READ)).errors == []
    await before.query(LOGOUT)
    await harm(stage, how)
    later = await sign_in(stage.product.database, member)
    speakers = [stage.product.as_(later), stage.product.as_(world.owner)]
    try:
        for number in range(5):
            began = time.monotonic()
            assert (await before.ask(READ)).codes == ["UNAUTHENTICATED"]
            for speaker in speakers:
                assert (await speaker.ask(f"{{ tenant {{ a{number}: name }} }}")).errors == []
                assert (await speaker.ask(RENAME)).errors == []
            assert time.monotonic() - began < 2
        await speakers[0].query(LOGOUT)
        assert (await speakers[0].ask(READ)).codes == ["UNAUTHENTICATED"]
    finally:
        if how == "stopped":
            stage.server.resume()
