"""The sender of one worker: woken as something commits, several at once, undisturbed by a database away."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from uuid import UUID

import pytest_asyncio

from tenantry.directory.webhooks.courier import Courier
from tenantry.directory.webhooks.posting import Poster
from tenantry.directory.webhooks.repository import Due
from tenantry.directory.webhooks.sender import Sender
from tenantry.directory.webhooks.service import replay
from tenantry.kernel.errors import Unavailable
from tenantry.storage.database import Database
from tests.support.database import DatabaseServer
from tests.support.post_office import PostOffice, post_office
from tests.support.receiver import Receiver, receiver

NOBODY = "postgresql://nobody@127.0.0.1:1/none"
LONG = 60.0


@pytest_asyncio.fixture
async def office(database_server: DatabaseServer) -> AsyncIterator[PostOffice]:
    """A database of the test's own."""
    database = await database_server.create()
    async with post_office(database) as made:
        yield made
    await database_server.drop(database)


@pytest_asyncio.fixture
async def there() -> AsyncIterator[Receiver]:
    """Where it is sent."""
    async with receiver() as made:
        yield made


@asynccontextmanager
async def sending(
    office: PostOffice, courier: Courier | None = None, *, every: float
) -> AsyncIterator[Sender]:
    """A sender at work, once it hears what the database tells."""
    sender = Sender(courier or office.courier(timeout=30), office.database.app_dsn, every=every)
    await sender.start()
    await until(lambda: sender.listening)
    try:
        yield sender
    finally:
        await sender.close()


async def until(what: Callable[[], bool]) -> None:
    """Wait for it, ten seconds at most."""
    async with asyncio.timeout(10):
        while not what():  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.01)


async def settled(office: PostOffice, state: str = "DELIVERED") -> None:
    """Wait until every delivery is in this state."""
    async with asyncio.timeout(10):
        while {row["state"] for row in await office.rows()} != {state}:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


async def failed(office: PostOffice) -> None:
    """Wait until the first attempt has been written down: only then the clock may go on."""
    async with asyncio.timeout(10):
        while (await office.row())["last_status"] != 500:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


async def test_what_commits_is_sent_at_once_and_so_is_a_replay(office: PostOffice, there: Receiver) -> None:
    await office.webhook(there.url)
    async with sending(office, every=LONG):
        await office.tell()
        await there.until(1)
        await settled(office)
        async with office.database.writing(office.owner) as work:
            await replay(work, (await office.row())["node_id"], clock=office.clock)
        first, second = await there.until(2)
        await settled(office)
    assert first.message_id == second.message_id


async def test_what_waited_is_sent_when_its_time_has_come(office: PostOffice, there: Receiver) -> None:
    await office.webhook(there.url)
    there.statuses += [500]
    async with sending(office, every=0.02):
        await office.tell()
        await there.until(1)
        await failed(office)
        assert len(there.received) == 1
        office.clock.forward(6)
        await there.until(2)
        await settled(office)


async def test_a_receiver_that_hangs_has_four_at_once_and_the_others_go_on(
    office: PostOffice, there: Receiver
) -> None:
    await office.webhook(there.url)
    for _ in range(10):
        await office.tell()
    there.answering.clear()
    async with receiver() as other, sending(office, every=LONG):
        await there.until(4)
        await office.webhook(other.url)
        await office.tell()
        await other.until(1)
        assert len(there.received) == 4
        there.answering.set()
        await settled(office)
    assert there.most_at_once == 4
    assert len(there.received) == 11


async def test_one_worker_sends_so_many_at_once_and_no_more(office: PostOffice, there: Receiver) -> None:
    for number in range(10):
        await office.webhook(f"{there.url}/{number}")
    for _ in range(4):
        await office.tell()
    there.answering.clear()
    async with sending(office, every=0.02):
        await there.until(32)
        await asyncio.sleep(0.1)
        there.answering.set()
        await settled(office)
    assert there.most_at_once == 32
    assert len(there.received) == 40


async def test_who_is_stopped_in_the_middle_leaves_it_to_others(office: PostOffice, there: Receiver) -> None:
    await office.webhook(there.url)
    there.answering.clear()
    async with sending(office, every=LONG):
        await office.tell()
        await there.until(1)
    assert (await office.row())["state"] == "PENDING"
    there.answering.set()
    office.clock.forward(60)
    async with sending(office, every=LONG):
        await settled(office)
    first, second = there.received
    assert first.message_id == second.message_id


async def test_two_workers_send_each_delivery_once(office: PostOffice, there: Receiver) -> None:
    for number in range(5):
        await office.webhook(f"{there.url}/{number}")
    async with sending(office, every=0.02), sending(office, every=0.02):
        for _ in range(10):
            await office.tell()
        await there.until(50)
        await settled(office)
    pairs = {(request.path, request.message_id) for request in there.received}
    assert len(pairs) == len(there.received) == 50
    assert {row["attempts"] for row in await office.rows()} == {1}


async def test_without_a_database_it_waits_and_says_so(office: PostOffice, log: io.StringIO) -> None:
    away = Database(NOBODY)
    courier = Courier(away, Poster(office.http), office.keys)
    sender = Sender(courier, NOBODY, every=0.02)
    await sender.start()
    await until(lambda: log.getvalue().count("webhooks.lease_failed") > 2)
    await until(lambda: "webhooks.tidy_failed" in log.getvalue())
    await sender.close()
    await away.close()
    assert not sender.listening


class Forgetful(Courier):
    """One that cannot write down what has become of it, and has much to forget."""

    failed = 0
    forgot: tuple[int, ...] = ()

    async def send(self, due: Due) -> None:
        self.failed += bool(due.url)
        raise Unavailable

    async def lease(self, most: int, *, sending: Collection[UUID] = ()) -> list[Due]:
        return await super().lease(min(most, 1), sending=sending)

    async def forget_old(self, most: int) -> int:
        self.forgot = (*self.forgot, most)
        return most if len(self.forgot) < 3 else 0


async def test_what_could_not_be_settled_does_not_end_the_sender(
    office: PostOffice, there: Receiver, log: io.StringIO
) -> None:
    await office.webhook(there.url)
    courier = Forgetful(office.database, Poster(office.http), office.keys, clock=office.clock)
    async with sending(office, courier, every=0.02):
        for _ in range(3):
            await office.tell()
        await until(lambda: courier.failed == 3)
        await until(lambda: log.getvalue().count("webhooks.settle_failed") == 3)
        await until(lambda: courier.forgot == (1_000, 1_000, 1_000))
    assert {row["state"] for row in await office.rows()} == {"PENDING"}
