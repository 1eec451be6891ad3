"""Hearing what the database tells: at once, again after a loss, and quietly where there is none."""

import asyncio
from collections.abc import Callable

import pytest

from tenantry.storage.listener import Listener
from tests.support.rows import Rows


async def until(what: Callable[[], bool]) -> None:
    """Wait for it, ten seconds at most."""
    async with asyncio.timeout(10):
        while not what():  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.01)


async def test_what_is_told_is_heard_once_and_in_order_and_another_channel_is_not(rows: Rows):
    heard: list[str] = []
    regained: list[bool] = []
    listener = Listener(rows.database.app_dsn, "words", heard.append, regained=lambda: regained.append(True))
    assert not listener.listening
    await listener.start()
    await until(lambda: listener.listening and bool(regained))
    await rows.execute("SELECT pg_notify('words', 'one'); SELECT pg_notify('other', 'no')")
    await rows.execute("SELECT pg_notify('words', 'two')")
    await until(lambda: len(heard) == 2)
    assert heard == ["one", "two"]
    await listener.close()
    assert not listener.listening


async def test_after_a_loss_it_listens_again(rows: Rows):
    heard: list[str] = []
    regained: list[bool] = []
    listener = Listener(rows.database.app_dsn, "lost", heard.append, regained=lambda: regained.append(True))
    await listener.start()
    await until(lambda: len(regained) == 1)
    await rows.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'LISTEN \"lost%'"
    )
    await until(lambda: len(regained) == 2)
    await rows.execute("SELECT pg_notify('lost', 'again')")
    await until(lambda: bool(heard))
    await listener.close()
    assert heard == ["again"]


@pytest.mark.parametrize("wrong", ["no_such_database", "gone"])
async def test_where_there_is_nothing_to_listen_to_it_goes_on_trying(rows: Rows, wrong: str):
    dsn = rows.database.app_dsn
    name = dsn.rsplit("/", 1)[1].split("?")[0]
    listener = Listener(
        dsn.replace(name, wrong) if wrong != "gone" else "postgresql://tenantry_app@127.0.0.1:1/none",
        "words",
        lambda _: None,
    )
    await listener.start()
    await asyncio.sleep(0.3)
    assert not listener.listening
    await listener.close()


async def test_what_was_never_started_can_be_closed(rows: Rows):
    listener = Listener(rows.database.app_dsn, "words", lambda _: None)
    await listener.close()
    assert not listener.listening
