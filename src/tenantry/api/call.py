"""What a function behind a field is given: who asks, with what, inside which transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from tenantry import __version__
from tenantry.access.decisions import holds
from tenantry.access.resource_types import ResourceTypes
from tenantry.api.operations import Caller, RefreshCookie
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.presence import present
from tenantry.api.services import Services
from tenantry.kernel.errors import ErrorCode
from tenantry.kernel.principal import Authority
from tenantry.storage.unit_of_work import UnitOfWork


@dataclass(slots=True)
class Call:
    """One root field being run. ``unit`` is its transaction, while there is one."""

    services: Services
    caller: Caller
    authority: Authority | None
    unit: UnitOfWork | None = None
    cookie: RefreshCookie | None = None
    """Set by a function: what the client's cookie is to hold, once this has been committed."""

    @property
    def work(self) -> UnitOfWork:
        """The transaction this mutation runs in."""
        if self.unit is None:
            raise RuntimeError("this field runs outside of a transaction")
        return self.unit

    async def types(self) -> ResourceTypes:
        """The types of resources that the caller's blueprint names."""
        digest = None if self.authority is None else self.authority.resource_types
        return await self.services.resource_types.of(digest)

    async def can(self, permission: str, on: str | None) -> Outcome:
        """Whether the caller may; about an object, only where it is one of their tenant."""
        authority = self.authority
        reason: str | None = None
        if authority is None or not holds(authority.permissions, permission):
            reason = str(ErrorCode.FORBIDDEN)
        elif on is not None and not await present(self.services.database, authority, on):
            reason = str(ErrorCode.NOT_FOUND)
        return Outcome("Decision", {"allowed": reason is None, "reason": reason})

    def server_info(self) -> Outcome:
        """What anyone may know."""
        facts = {"version": __version__, "environment": str(self.services.settings.environment)}
        return Outcome("ServerInfo", {**facts, "signInMethods": self.sign_in_methods()})

    def sign_in_methods(self) -> Sequence[Outcome]:
        """The ways of the settings."""
        return [
            Outcome(
                "SignInMethod",
                {"kind": each.kind, "title": each.title, "issuer": each.issuer, "clientId": each.client_id},
            )
            for each in self.services.sign_in_methods
        ]
