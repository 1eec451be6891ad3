"""What conditions are decided from: of who asks, their tenant and the moment; and of one object."""

from collections.abc import Collection, Mapping
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


def asked_of(
    asker: Mapping[str, object],
    *,
    user_id: UUID | None,
    email: str,
    is_owner: bool,
    roles: tuple[str, ...],
    teams: Collection[UUID],
) -> dict[str, object]:
    """The facts where somebody (``asked_by``) asks about another person of their tenant.

    Of that person's own request there is none, so nothing is known of ``UNKNOWN_OF_ANOTHER``.
    """
    return {
        **asker,
        "subject.email": email,
        "subject.id": user_id,
        "subject.is_owner": is_owner,
        "subject.kind": str(ActorKind.USER),
        "subject.roles": roles,
        "subject.teams": teams,
        **dict.fromkeys(UNKNOWN_OF_ANOTHER),
    }


UNKNOWN_OF_ANOTHER = frozenset({"environment.factor_age", "environment.ip"})
"""What depends on the request by which somebody would do it."""


def about_team(team_id: UUID) -> Facts:
    """The facts of a team, which is its own; the rest is missing."""
    return {"resource.team": team_id, "resource.type": "team"}


def about(resource: Owned) -> Facts:
    """The facts of one object."""
    return {
        "resource.attributes": resource.attributes,
        "resource.owner": resource.owner_id,
        "resource.state": resource.state,
        "resource.team": resource.team_id,
        "resource.type": resource.type,
    }
