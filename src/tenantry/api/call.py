"""What a function behind a field is given: who asks, with what, inside which transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from tenantry import __version__
from tenantry.access.resource_types import ResourceTypes
from tenantry.api.inquiry import Inquiry
from tenantry.api.operations import Caller, RefreshCookie
from tenantry.api.outcomes import Outcome
from tenantry.api.services import Services
from tenantry.kernel.principal import Authority
from tenantry.storage.unit_of_work import UnitOfWork


@dataclass(slots=True)
class Call:
    """One root field being run. ``unit`` is its transaction, while there is one."""

    services: Services
    caller: Caller
    authority: Authority | None
    unit: UnitOfWork | None = None
    inquiry: Inquiry | None = None
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

    @property
    def asked(self) -> Inquiry:
        """What this operation asks beforehand."""
        if self.inquiry is None:
            raise RuntimeError("a mutation asks nothing beforehand")
        return self.inquiry

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
