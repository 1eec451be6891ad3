"""One worker's share of the sending: woken by the database as it commits, and by the clock."""

import asyncio
from contextlib import suppress
from uuid import UUID

import structlog

from tenantry.directory.webhooks.courier import Courier
from tenantry.directory.webhooks.repository import Due
from tenantry.storage.listener import Listener

CHANNEL = "tenantry_webhooks"
LOOK_SECONDS = 5.0
"""How often to look for what is due, whether or not a word was heard."""
SLOTS = 32
"""Deliveries that one worker sends at once."""
FORGET_SECONDS = 3_600.0
FORGET_AT_ONCE = 1_000

_log = structlog.get_logger(__name__)


class Sender:
    """Keeps its slots filled with what is due, whatever goes wrong: what was leased is due again."""

    def __init__(self, courier: Courier, dsn: str, *, every: float = LOOK_SECONDS) -> None:
        self._courier = courier
        self._every = every
        self._woken = asyncio.Event()
        self._listener = Listener(dsn, CHANNEL, lambda _: self._woken.set(), regained=self._woken.set)
        self._sending: dict[asyncio.Task[None], UUID] = {}
        """The endpoint of each delivery that is being sent."""
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def listening(self) -> bool:
        """Whether what commits is sent at once, and not at the next look."""
        return self._listener.listening

    async def start(self) -> None:
        """Begin to send; goes on by itself, also where there is no database as yet."""
        await self._listener.start()
        self._tasks = [
            asyncio.create_task(self._run(), name="webhooks"),
            asyncio.create_task(self._tidy(), name="webhooks, old"),
        ]

    async def close(self) -> None:
        """Stop; what is being sent is sent again by whoever finds its lease ended."""
        for task in (*self._tasks, *self._sending):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._listener.close()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._fill()
            except Exception as error:  # noqa: BLE001 - the next look may find the database there
                _log.warning("webhooks.lease_failed", error=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._woken.wait()

    async def _fill(self) -> None:
        free = SLOTS - len(self._sending)
        if not free:
            return
        for due in await self._courier.lease(free, sending=self._sending.values()):
            task = asyncio.create_task(self._send(due), name=f"webhook {due.delivery_node}")
            self._sending[task] = due.endpoint_id
            task.add_done_callback(self._sent)

    async def _send(self, due: Due) -> None:
        try:
            await self._courier.send(due)
        except Exception as error:  # noqa: BLE001 - the lease ends, and it is sent again
            _log.warning("webhooks.settle_failed", delivery=due.delivery_node, error=type(error).__name__)

    def _sent(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        self._woken.set()

    async def _tidy(self) -> None:
        while True:
            try:
                while await self._courier.forget_old(FORGET_AT_ONCE) == FORGET_AT_ONCE:
                    pass
            except Exception as error:  # noqa: BLE001 - old deliveries can wait for an hour
                _log.warning("webhooks.tidy_failed", error=type(error).__name__)
            await asyncio.sleep(FORGET_SECONDS)
