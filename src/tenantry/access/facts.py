"""What conditions are decided from: of who asks, their tenant and the moment; and of one object."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Protocol
from uuid import UUID

from tenantry.access.predicates import Facts
from tenantry.kernel.principal import ActorKind, Authority, Environment


class Owned(Protocol):
    """An object as conditions look at it."""

    @property
    def type(self) -> str:
        """Its type's name."""
        ...

    @property
    def state(self) -> str:
        """Its state."""
        ...

    @property
    def owner_id(self) -> UUID | None:
        """Key of the person whose it is."""
        ...

    @property
    def team_id(self) -> UUID | None:
        """Key of the team whose it is."""
        ...

    @property
    def attributes(self) -> Mapping[str, Any]:
        """As its type's JSON Schema has them."""
        ...


def asked_by(authority: Authority, environment: Environment | None) -> dict[str, object]:
    """The facts of subject, tenant and environment; without the subject's teams, which are looked up."""
    facts: dict[str, object] = {
        "subject.email": authority.email,
        "subject.id": authority.user_id,
        "subject.is_owner": authority.is_owner,
        "subject.kind": str(ActorKind.USER if authority.key is None else ActorKind.API_KEY),
        "subject.roles": authority.roles,
        "tenant.plan": authority.plan,
        "tenant.slug": authority.slug,
    }
    if environment is not None:
        at = environment.at.astimezone(UTC)
        facts |= {
            "environment.factor_age": authority.factor_age(environment.at),
            "environment.hour": at.hour,
            "environment.ip": environment.ip,
            "environment.weekday": at.isoweekday(),
        }
    return facts


def about(resource: Owned) -> Facts:
    """The facts of one object."""
    return {
        "resource.attributes": resource.attributes,
        "resource.owner": resource.owner_id,
        "resource.state": resource.state,
        "resource.team": resource.team_id,
        "resource.type": resource.type,
    }
