"""Signing keys are changed while workers serve: no request fails, and the old key ends with its tokens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import jwt
import pytest
import pytest_asyncio

from tenantry.app.application import SIGNING_KEYS
from tenantry.tokens.key_rotation import ANNOUNCE_SECONDS, LEEWAY_SECONDS, rotate
from tests.support.api import Product, running_product
from tests.support.database import DatabaseServer, TemporaryDatabase
from tests.support.factories import make_member, make_tenant

LIFETIME = 7_200
READ = "{ tenant { name } }"


@pytest_asyncio.fixture
async def workers(
    database: TemporaryDatabase, database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sequence[Product]]:
    """Two of them over one database, with one key file."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_product(database, tmp_path_factory.mktemp("first")))
        key = first.settings.data_dir / SIGNING_KEYS
        own = database_server.open(database.app_dsn.rsplit("/", 1)[1].split("?")[0])
        stack.push_async_callback(own.close)
        folder = tmp_path_factory.mktemp("other")
        providers = first.settings.oidc_providers
        second = await stack.enter_async_context(
            running_product(own, folder, signing_key_file=key, providers=providers)
        )
        yield [first, second]


@dataclass
class Load:
    """People who sign in at one worker and ask the other, without a pause."""

    workers: Sequence[Product]
    stopped: bool = False
    done: int = 0
    kids: set[str] = field(default_factory=set[str])

    async def run(self, email: str, at: int) -> str:
        """Until ``stopped``; returns the last token."""
        first = self.workers[0]
        while True:
            made = (await first.login(email))["accessToken"]
            self.kids.add(jwt.get_unverified_header(made)["kid"])
            for worker in (self.workers[at], self.workers[1 - at]):
                reply = await worker.with_token(made).ask(READ)
                assert reply.errors == [], reply.text
            self.done += 1
            if self.stopped:
                return made


async def published(workers: Sequence[Product]) -> list[int]:
    """How many keys each worker publishes."""
    return [len((await each.http.get("/.well-known/jwks.json")).json()["keys"]) for each in workers]


async def test_no_request_fails_while_keys_are_rotated(workers: Sequence[Product]) -> None:
    tenant = await make_tenant(workers[0].database)
    people = [await make_member(workers[0].database, tenant) for _ in range(4)]
    load = Load(workers)
    running = [asyncio.create_task(load.run(each.email, place % 2)) for place, each in enumerate(people)]
    clock, other = workers[0].clock, workers[1].clock
    other.now = clock.now
    file = workers[0].settings.data_dir / SIGNING_KEYS
    old = (await workers[0].login(people[0].email))["accessToken"]
    rotate(file, now=clock(), lifetime_seconds=LIFETIME)
    async with asyncio.timeout(20):
        while await published(workers) != [2, 2]:  # noqa: ASYNC110 - the watch of each worker is waited for
            await asyncio.sleep(0.1)
    assert len(load.kids) == 1
    for each in (clock, other):
        each.forward(ANNOUNCE_SECONDS + 1)
    before = load.done
    async with asyncio.timeout(20):
        while len(load.kids) < 2 or load.done < before + 20:  # noqa: ASYNC110 - the load is waited for
            await asyncio.sleep(0.05)
    assert [(await each.with_token(old).ask(READ)).errors for each in workers] == [[], []]
    load.stopped = True
    fresh = (await asyncio.gather(*running))[0]
    for each in (clock, other):
        each.forward(LIFETIME + LEEWAY_SECONDS)
    for worker in workers:
        assert (await worker.with_token(old).ask(READ)).status == 401
    assert await published(workers) == [1, 1]
    assert jwt.get_unverified_header(fresh)["kid"] in load.kids
