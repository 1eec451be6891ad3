"""Authorities that were read a moment ago, so that a read does not ask twice."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from tenantry.access.grants import looks_at
from tenantry.authentication.sessions.service import UNKNOWN_SESSION, load_authority
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.errors import Unauthenticated
from tenantry.kernel.principal import Authority, Principal, Scope
from tenantry.storage.database import Database

CAPACITY = 10_000

OfKey = Callable[[bytes], Awaitable[Authority]]
"""What an API key of this hash may do now; ``authentication.api_keys`` stands above and is passed in."""

Key = tuple[UUID | None, int, int]


class Authorities:
    """Finds the authority of a verified principal; keeps ``capacity`` of them at most.

    What is kept is never proof that it still holds: an authority is valid for exactly the
    versions it names, and every statement of the database compares them again
    (``begin_request``, ``begin_mutation``). A refusal is not kept, nor is what an API key may do,
    since a key names no versions. The caller has verified the
    token, and serves nothing by an authority alone without such a statement.

    Two generations make it bounded without any bookkeeping on a hit: when the young one is
    full it becomes the old one, and whoever is asked for again moves back.
    """

    def __init__(
        self,
        database: Database,
        *,
        of_key: OfKey | None = None,
        capacity: int = CAPACITY,
        clock: Clock = system_clock,
    ) -> None:
        self._database = database
        self._of_key = of_key or _no_keys
        self._clock = clock
        self._full = max(1, capacity // 2)
        self._young: dict[Key, Authority] = {}
        self._old: dict[Key, Authority] = {}

    async def get(self, principal: Principal) -> Authority:
        """The authority of ``principal``, whose token's versions equal the database's.

        Raises ``Unauthenticated``: ``AUTHORITY_CHANGED`` where the versions do not, and the
        reasons of ``load_authority``. Raises ``Unavailable`` when the database is gone.
        """
        if principal.key is not None:
            return await self._of_key(principal.key)
        key = (principal.session, principal.member_version, principal.tenant_version)
        found = self._young.get(key)
        if found is not None:
            return found
        found = self._old.pop(key, None) or await self._load(principal)
        # A factor is proved without a new version, perhaps at another worker: whoever's conditions ask
        # for its age is read anew each time.
        if not looks_at(found, "environment.factor_age"):
            self._keep(key, found)
        return found

    async def again(self, principal: Principal) -> Authority:
        """As ``get``, read anew: what is kept may be older than a factor that the session has proved."""
        self.forget(principal)
        return await self.get(principal)

    async def current(self, principal: Principal) -> Authority:
        """As ``get``, from the database at this moment: for who asks whether a token still holds."""
        if principal.key is not None:
            return await self._of_key(principal.key)
        return await self._load(principal)

    def forget(self, principal: Principal) -> None:
        """Drop what is kept of ``principal``: a statement has said that it no longer holds."""
        key = (principal.session, principal.member_version, principal.tenant_version)
        self._young.pop(key, None)
        self._old.pop(key, None)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    async def _load(self, principal: Principal) -> Authority:
        if principal.session is None:
            raise Unauthenticated(UNKNOWN_SESSION)
        loaded = await load_authority(self._database, principal.session, clock=self._clock)
        tenant = loaded.tenant if loaded.scope is Scope.TENANT else None
        if (principal.subject, principal.scope, principal.tenant) != (loaded.user, loaded.scope, tenant):
            raise Unauthenticated(UNKNOWN_SESSION)
        versions = (principal.member_version, principal.tenant_version)
        if versions != (loaded.member_version, loaded.tenant_version):
            raise Unauthenticated("AUTHORITY_CHANGED", "Your rights have changed; sign in again.")
        return loaded

    def _keep(self, key: Key, authority: Authority) -> None:
        if len(self._young) >= self._full:
            self._old, self._young = self._young, {}
        self._young[key] = authority


async def _no_keys(_key: bytes) -> Authority:
    raise Unauthenticated(UNKNOWN_SESSION)
