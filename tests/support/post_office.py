"""A tenant that tells its webhooks, and couriers to carry that, under a clock that a test moves."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenantry.directory.tenants.models import Tenant
from tenantry.directory.webhooks.courier import Courier
from tenantry.directory.webhooks.posting import Poster
from tenantry.directory.webhooks.service import MadeSecret, publish
from tenantry.kernel.events import Event
from tenantry.kernel.principal import Authority
from tenantry.tokens.addresses import Resolver, resolve
from tenantry.tokens.encryption import EncryptionKey, EncryptionKeys
from tests.support.clocks import MovableClock
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_tenant, signed_in
from tests.support.hooks import make_webhook

PLENTY = 100


def sealing(*names: str) -> EncryptionKeys:
    """Keys of these names, the first of them active."""
    return EncryptionKeys([EncryptionKey(name, AESGCM(name.encode().ljust(32, b"-"))) for name in names])


@dataclass
class PostOffice:
    """What one test works with."""

    database: TemporaryDatabase
    http: httpx.AsyncClient
    tenant: Tenant
    owner: Authority
    clock: MovableClock = field(default_factory=MovableClock)
    keys: EncryptionKeys = field(default_factory=lambda: sealing("k"))

    async def webhook(self, url: str, *events: str) -> MadeSecret:
        """An endpoint of the tenant, for these events or for all."""
        return await make_webhook(self.database, self.owner, self.keys, url, events=events, clock=self.clock)

    async def tell(self, event: Event = Event.RESOURCE_CREATED, **data: str) -> None:
        """Something happens, and is told once it has committed."""
        async with self.database.writing(self.owner) as work:
            work.announce(event, **data)
            await publish(work, clock=self.clock)

    def courier(
        self,
        *,
        allow_private: bool = True,
        resolver: Resolver = resolve,
        timeout: float = 5.0,
        keys: EncryptionKeys | None = None,
    ) -> Courier:
        """One of any number; it waits exactly as long as the schedule says."""
        poster = Poster(self.http, allow_private=allow_private, resolver=resolver, timeout=timeout)
        return Courier(self.database, poster, keys or self.keys, clock=self.clock, spread=lambda delay: delay)

    async def deliver(self, courier: Courier | None = None) -> int:
        """Send all that is due now; returns how many that were."""
        courier = courier or self.courier()
        due = await courier.lease(PLENTY)
        await asyncio.gather(*map(courier.send, due))
        return len(due)

    async def rows(self) -> list[dict[str, Any]]:
        """Every delivery, the oldest first."""
        found = await self.database.seen_by_owner("SELECT * FROM webhook_delivery ORDER BY created_at, id")
        return [dict(row) for row in found]

    async def row(self) -> dict[str, Any]:
        """The only delivery."""
        (row,) = await self.rows()
        return row

    async def waits(self) -> timedelta | None:
        """How long the only delivery waits from now; None where it has ended."""
        at = (await self.row())["next_attempt_at"]
        return None if at is None else at - self.clock()


@asynccontextmanager
async def post_office(database: TemporaryDatabase) -> AsyncGenerator[PostOffice]:
    """A tenant of ``database`` with an owner."""
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    async with httpx.AsyncClient(trust_env=False) as http:
        yield PostOffice(database, http, tenant, owner)


def resolving(*addresses: str) -> Resolver:
    """A resolver that answers every name with these."""

    async def found(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return found
