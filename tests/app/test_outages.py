"""The database goes away under the running product, hangs, and comes back."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.api import Product, Reply, Speaker, running_product
from tests.support.database import seed
from tests.support.factories import make_tenant, signed_in
from tests.support.outages import FragileServer
from tests.support.world import World

READ = "{ tenant { name } }"
WRITE = 'mutation { tenantUpdate(input: {name: "New"}) { tenant { name } } }'


@pytest_asyncio.fixture(scope="module")
async def product(fragile: FragileServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A product over a server of its own."""
    database = fragile.open()
    await seed(database)
    async with running_product(database, tmp_path_factory.mktemp("product")) as made:
        yield made
    await database.close()


async def owner(product: Product) -> Speaker:
    """An owner of a tenant."""
    tenant = await make_tenant(product.database)
    return product.as_(await signed_in(product.database, tenant, "owner"))


async def timed(speaker: Speaker, document: str) -> tuple[Reply, float]:
    """The answer and how long it took, in seconds."""
    began = time.monotonic()
    reply = await speaker.ask(document)
    return reply, time.monotonic() - began


async def recovery(speaker: Speaker, document: str) -> float:
    """Seconds until the first answer."""
    began = time.monotonic()
    while time.monotonic() - began < 10:
        if (await speaker.ask(document)).status == 200:
            break
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def check_refused_in_time(product: Product, speaker: Speaker, fragile: FragileServer) -> None:
    """503 within two seconds for reads, writes and readiness; nothing of the inside in any answer."""
    reading, writing = await asyncio.gather(timed(speaker, READ), timed(speaker, WRITE))
    for reply, seconds in (reading, writing):
        assert (reply.status, reply.codes) == (503, ["UNAVAILABLE"])
        assert seconds < 2.5
        assert "retry-after" in reply.headers
        for inside in ("tenantry_app", "asyncpg", "socket", "postgres", str(fragile.embedded.cluster)):
            assert inside not in reply.text
    assert (await product.http.get("/healthz")).status_code == 200
    assert (await product.http.get("/readyz")).status_code == 503


async def test_a_dead_database_is_503_at_once_and_back_without_a_restart(
    product: Product, fragile: FragileServer
) -> None:
    speaker = await owner(product)
    assert (await speaker.ask(READ)).status == 200
    await fragile.embedded.kill()
    await check_refused_in_time(product, speaker, fragile)
    await fragile.embedded.start()
    assert await recovery(speaker, READ) < 5
    assert await recovery(speaker, WRITE) < 5
    assert (await product.http.get("/readyz")).status_code == 200


async def test_a_database_that_hangs_is_503_within_two_seconds(
    product: Product, fragile: FragileServer
) -> None:
    speaker = await owner(product)
    assert (await speaker.ask(READ)).status == 200
    with fragile.frozen():
        await check_refused_in_time(product, speaker, fragile)
    assert await recovery(speaker, READ) < 5
    assert await recovery(speaker, WRITE) < 5


async def test_nothing_is_left_open(product: Product, fragile: FragileServer) -> None:
    world = await World.make(product)
    speaker = product.as_(world.owner)
    await asyncio.gather(*(speaker.ask(READ) for _ in range(5)))
    before, tasks = await fragile.connections(), len(asyncio.all_tasks())
    await fragile.embedded.kill()
    await asyncio.gather(*(speaker.ask(document) for document in (READ, WRITE) * 5))
    await fragile.embedded.start()
    assert await recovery(speaker, READ) < 5
    assert await recovery(speaker, WRITE) < 5
    assert await fragile.connections() <= before + 2
    assert len(asyncio.all_tasks()) <= tasks + 1
