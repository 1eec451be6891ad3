"""The ways to guard a field, as the schema prints them; enforced from the same rule."""

import strawberry
from strawberry.schema_directive import Location

from tenantry.access.rules import Rule, RuleKind
from tenantry.api.enums import Scope
from tenantry.api.scalars import Permission

_PLACES = [Location.FIELD_DEFINITION, Location.OBJECT]


@strawberry.schema_directive(
    locations=_PLACES,
    name="requires",
    description="Whoever holds all permissions of one of the sets may. On a type: the default of its fields.",
)
class Requires:
    """``permissions`` is an OR of ANDs; ``freshness`` the greatest age of a second factor, in seconds."""

    permissions: list[list[Permission]]
    scope: Scope | None = strawberry.UNSET
    freshness: int | None = strawberry.UNSET


@strawberry.schema_directive(
    locations=_PLACES,
    name="authenticated",
    description="Whoever is signed in may; by a token of `scope`, if given.",
)
class Authenticated:
    """Signed-in callers only."""

    scope: Scope | None = strawberry.UNSET


@strawberry.schema_directive(
    locations=_PLACES, name="public", description="Open to everyone, signed in or not."
)
class Public:
    """Open to everyone."""


@strawberry.schema_directive(
    locations=_PLACES, name="scopes", description="Whoever is signed in by a token of `scope` may."
)
class Scopes:
    """Tokens of one scope only."""

    scope: Scope


@strawberry.schema_directive(
    locations=_PLACES, name="roles", description="Whoever holds one of the roles `names` in `scope` may."
)
class Roles:
    """Holders of a role only."""

    names: list[str]
    scope: Scope


def directive(rule: Rule) -> object:
    """The directive that prints ``rule``."""
    scope = strawberry.UNSET if rule.scope is None else rule.scope
    match rule.kind:
        case RuleKind.PUBLIC:
            return Public()
        case RuleKind.AUTHENTICATED | RuleKind.GATED:
            return Authenticated(scope=scope)
        case RuleKind.SCOPES:
            return Scopes(scope=scope)
        case RuleKind.ROLES:
            return Roles(names=sorted(rule.roles), scope=scope)
        case RuleKind.REQUIRES:
            return Requires(
                permissions=[[Permission(name) for name in sorted(each)] for each in rule.any_of],
                scope=scope,
                freshness=strawberry.UNSET if rule.freshness is None else rule.freshness,
            )
