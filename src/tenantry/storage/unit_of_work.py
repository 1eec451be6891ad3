"""Writing: one transaction, in one tenant, that its caller cannot commit half-way."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tenantry.kernel.errors import Unauthenticated
from tenantry.kernel.events import Event
from tenantry.kernel.principal import Authority, Environment, Scope
from tenantry.storage.connections import SECONDS, Connection
from tenantry.storage.transactions import TenantSession, Transaction

BEGIN = "SELECT 1 FROM begin_mutation($1, $2, $3, $4)"
ENTER = "SELECT set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true)"

Effect = Callable[[], Awaitable[None]]


class Undischarged(RuntimeError):
    """A transaction that would have committed what nobody has decided on."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a service did, for the trail: a verb of the closed list, and the node ids it touched."""

    name: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a service has to tell the tenant's own systems: node ids, and names of the blueprint."""

    event: Event
    data: Mapping[str, str]


class UnitOfWork:
    """A writing transaction as services see it. They never commit; ``Database.writing`` does.

    ``authority`` is None only for a login, which has no session yet.
    """

    def __init__(self, transaction: Transaction, authority: Authority | None) -> None:
        self._transaction = transaction
        self.authority = authority
        self.tenant_id: UUID | None = None
        self.tenant_node: str | None = None
        """Node id of the tenant entered, where whoever entered it knew it."""
        self.environment: Environment | None = None
        """Where and when this is asked, for conditions."""
        self.owes = False
        """Whether a decision is still to be made before this may commit."""
        self.actions: list[Action] = []
        self.announcements: list[Announcement] = []
        self.effects: list[Effect] = []

    @property
    def acting(self) -> Authority:
        """The authority that acts. Raises ``Unauthenticated`` where nobody has signed in."""
        if self.authority is None:
            raise Unauthenticated("MISSING")
        return self.authority

    @property
    def tenant(self) -> UUID:
        """Key of the tenant this transaction is in. Raises ``RuntimeError`` in none."""
        if self.tenant_id is None:
            raise RuntimeError("this unit of work has entered no tenant")
        return self.tenant_id

    @property
    def session(self) -> TenantSession:
        """SQLModel's session inside this transaction. Raises ``RuntimeError`` before ``begin``."""
        return self._transaction.session

    async def begin(self) -> None:
        """Find the authority live and its versions equal, hold them so, and enter its tenant.

        The rows of session and member are locked FOR SHARE, and the tenant by an advisory
        lock: whoever revokes or changes them waits for this transaction, and the next one
        sees it. Raises ``Unauthenticated`` when the authority no longer holds, and what
        ``is_gone`` knows when the database has not let it begin within ``SECONDS``.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SECONDS
        async with asyncio.timeout_at(deadline):
            await self._transaction.lease()
        watchdog = loop.call_at(deadline, self._transaction.driver.terminate)
        try:
            await self._transaction.begin()
            if self.authority is not None:
                await self._enter_own(self.authority)
        finally:
            watchdog.cancel()

    async def _enter_own(self, authority: Authority) -> None:
        found = await self._transaction.driver.fetchrow(
            BEGIN,
            authority.tenant_id,
            authority.session_id,
            authority.member_version,
            authority.tenant_version,
        )
        if found is None:
            raise Unauthenticated("REVOKED", "The session has ended or its rights have changed.")
        self._look_at(authority.tenant_id)

    async def enter(self, tenant_id: UUID, *, user_id: UUID | None = None, node: str | None = None) -> None:
        """Move into ``tenant_id``: for a login, and for the platform (its caller has decided that).

        With ``node``, its node id, a refusal that commits is recorded in that tenant's trail.

        Raises ``RuntimeError`` for a tenant's own authority, which never crosses.
        """
        if self.authority is not None and self.authority.scope is not Scope.SYSTEM:
            raise RuntimeError("a tenant's authority does not cross")
        user = user_id or (self.authority.user_id if self.authority else None)
        await self.fetch(ENTER, str(tenant_id), str(user or ""))
        self._look_at(tenant_id)
        self.tenant_node = node

    def _look_at(self, tenant_id: UUID) -> None:
        self.tenant_id = tenant_id
        self._transaction.look_at(tenant_id)

    def owe(self) -> None:
        """Demand a decision: what is done here depends on the object, and nobody has looked at it yet."""
        self.owes = True

    def discharge(self) -> None:
        """The decision was made, and it was yes."""
        self.owes = False

    def insist(self) -> None:
        """Raise ``Undischarged`` where a decision is still owed."""
        if self.owes:
            raise Undischarged("nobody has decided whether this may be done")

    def record(self, name: str, *targets: str) -> None:
        """Say what was done, for the audit record of this operation."""
        self.actions.append(Action(name, targets))

    def announce(self, event: Event, **data: str) -> None:
        """Tell the tenant's own systems, once this has committed; nothing personal goes in ``data``."""
        self.announcements.append(Announcement(event, data))

    def after_commit(self, effect: Effect) -> None:
        """Do ``effect`` (mail, push) once the transaction has committed; it dies with a rollback."""
        self.effects.append(effect)

    async def driver(self) -> Connection:
        """The driver's connection inside this transaction, everything pending flushed.

        Raises ``RuntimeError`` before ``begin``.
        """
        await self._transaction.flush()
        return self._transaction.driver

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of a hand-written statement with ``$1 …``, which names its tenant itself.

        For the few statements that every request would otherwise wait for: row security
        guards them, the session's criterion does not. Raises what ``driver`` does, and
        asyncpg's ``PostgresError``.
        """
        return await (await self.driver()).fetch(sql, *arguments)
