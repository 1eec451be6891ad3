"""Sending one delivery, and what follows from the answer.

At least once: a delivery is leased first and settled after the receiver has answered. Whoever dies in
between leaves it to be sent again, under the same message id, when the lease has ended.
"""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from tenantry.audit.actions import AuditAction
from tenantry.audit.records import AuditEntry, Outcome, record_id
from tenantry.audit.trail import insert
from tenantry.directory.webhooks import repository
from tenantry.directory.webhooks.models import DeliveryState
from tenantry.directory.webhooks.posting import NotSent, Poster, SendError
from tenantry.directory.webhooks.repository import Due
from tenantry.directory.webhooks.service import context_of
from tenantry.directory.webhooks.signing import signatures
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.principal import ActorKind
from tenantry.storage.database import Database
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.encryption import EncryptionKeys
from tenantry.tokens.errors import SealBroken

LEASE = timedelta(seconds=60)
"""Well beyond what one attempt may take, with its settling."""
EACH = 4
"""Deliveries to one endpoint at once: a slow one does not hold up the others."""
BACKOFF = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""After each failure, by the specification's example of a schedule; the attempt after the last ends it."""
JITTER = 0.1
KEPT = timedelta(days=30)
"""How long an ended delivery is kept."""
GONE = 410

Spread = Callable[[timedelta], timedelta]

_log = structlog.get_logger(__name__)


def spread(delay: timedelta) -> timedelta:
    """A little more than ``delay``, so that what failed together is not sent together again."""
    return delay * (1 + JITTER * secrets.randbelow(1_000) / 1_000)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, or why none did."""

    status: int | None = None
    error: str | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has it: any 2xx, by the specification."""
        return self.status is not None and 200 <= self.status < 300


class Courier:
    """Takes what is due and sends it; any number of them work beside each other."""

    def __init__(
        self,
        database: Database,
        poster: Poster,
        keys: EncryptionKeys,
        *,
        clock: Clock = system_clock,
        spread: Spread = spread,
    ) -> None:
        self._database = database
        self._poster = poster
        self._keys = keys
        self._clock = clock
        self._spread = spread

    async def lease(self, most: int, *, sending: Collection[UUID] = ()) -> list[Due]:
        """Take ``most`` of what is due; ``sending`` has the endpoint of each delivery that is being sent.

        Nobody else sends it before the lease ends. Raises what ``Database.writing`` does.
        """
        now = self._clock()
        async with self._database.writing(None) as work:
            return await repository.lease(
                work, now=now, until=now + LEASE, most=most, each=EACH, sending=sending
            )

    async def send(self, due: Due) -> None:
        """Send a delivery that is leased, and settle it. Raises what ``Database.writing`` does."""
        answer = await self._attempt(due)
        async with self._database.writing(None) as work:
            await work.enter(due.tenant_id)
            await self._settle(work, due, answer)

    async def forget_old(self, most: int) -> int:
        """Forget so many deliveries that ended and are older than ``KEPT``; returns how many there were."""
        async with self._database.writing(None) as work:
            return await repository.forget_deliveries(work, before=self._clock() - KEPT, most=most)

    async def _attempt(self, due: Due) -> Answer:
        timestamp = int(self._clock().timestamp())
        try:
            signed = signatures(
                self._secrets(due), message_id=due.message_id, timestamp=timestamp, body=due.body
            )
            headers = {
                "Content-Type": "application/json",
                "User-Agent": "Tenantry",
                "webhook-id": due.message_id,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": signed,
            }
            return Answer(status=await self._poster.post(due.url, due.body, headers))
        except NotSent as error:
            return Answer(error=str(error.error))
        except SealBroken:
            return Answer(error=str(SendError.SECRET_SEALED))

    def _secrets(self, due: Due) -> list[bytes]:
        context = context_of(due.tenant_id, due.endpoint_id)
        return [
            self._keys.open(key_id, box, context=context)
            for key_id, box in zip(due.key_ids, due.boxes, strict=True)
        ]

    async def _settle(self, work: UnitOfWork, due: Due, answer: Answer) -> None:
        state, again = self._next(due, answer)
        mine = await repository.settle(
            work, due, state, again=again, status=answer.status, error=answer.error
        )
        if mine and answer.status == GONE and await repository.disable(work, due.endpoint_id):
            await insert(work, [self._disabled(due)])
        if state is not DeliveryState.DELIVERED:
            _log.info(
                "webhooks.not_delivered",
                delivery=due.delivery_node,
                status=answer.status,
                error=answer.error,
                state=str(state),
            )

    def _next(self, due: Due, answer: Answer) -> tuple[DeliveryState, datetime | None]:
        """Where the delivery stands now, and when it is sent again."""
        if answer.taken:
            return DeliveryState.DELIVERED, None
        if answer.status == GONE or due.attempts > len(BACKOFF):
            return DeliveryState.DEAD, None
        return DeliveryState.PENDING, self._clock() + self._spread(BACKOFF[due.attempts - 1])

    def _disabled(self, due: Due) -> AuditEntry:
        """The record of an endpoint that does not want to be told any more."""
        return AuditEntry(
            tenant_id=due.tenant_id,
            tenant=due.tenant_node,
            node_id=record_id(due.delivery_node, due.attempts),
            at=self._clock(),
            actor_kind=str(ActorKind.SYSTEM),
            action=AuditAction.WEBHOOK_DISABLE,
            operation_type="request",
            method="POST",
            path="",
            outcome=Outcome.OK,
            targets=(due.endpoint_node, due.delivery_node),
            request_id=due.message_id,
        )
