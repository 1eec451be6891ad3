"""A grant: a permission, and perhaps the condition it depends on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeAlias

from tenantry.access.catalogue import Catalogue
from tenantry.access.conditions import Condition, facts_of, parse_condition
from tenantry.access.decisions import holds
from tenantry.access.permissions import WILDCARD
from tenantry.access.predicates import ALWAYS, any_of
from tenantry.kernel.principal import Authority

WHEN = " when "

Conditional: TypeAlias = Mapping[str, frozenset[str]]
"""By permission the conditions under which it is held, any of which suffices."""


class Holder(Protocol):
    """Whoever holds permissions: an authority, or what a member's roles would make of one."""

    @property
    def permissions(self) -> frozenset[str]:
        """Whatever the case."""
        ...

    @property
    def conditional(self) -> Conditional:
        """Under conditions only."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """``permission`` or ``permission when condition``; ``str`` gives back what it was read from."""

    permission: str
    condition: str | None = None

    def __str__(self) -> str:
        return self.permission if self.condition is None else f"{self.permission}{WHEN}{self.condition}"


def parse_grant(text: str) -> Grant:
    """Take a grant apart. Neither part is checked: ``parse`` and ``parse_condition`` do."""
    permission, when, condition = text.partition(WHEN)
    return Grant(permission.strip(), condition.strip() if when else None)


def by_permission(grants: Iterable[str]) -> dict[str, frozenset[str]]:
    """Conditional grants as an authority keeps them, from ``permission when condition``."""
    found: dict[str, frozenset[str]] = {}
    for grant in map(parse_grant, grants):
        if grant.condition is not None:
            found[grant.permission] = found.get(grant.permission, frozenset()) | {grant.condition}
    return found


def within(authority: Authority, plain: Iterable[str], conditional: Iterable[str]) -> bool:
    """The subset rule: whether the caller holds all of this, under conditions at most as strict.

    What is held under one condition is within what is held plainly, or under that same condition.
    """
    held = authority.permissions
    if WILDCARD in held:
        return True
    return held.issuperset(plain) and all(
        grant.permission in held or grant.condition in authority.conditional.get(grant.permission, ())
        for grant in map(parse_grant, conditional)
    )


def conditional(catalogue: Catalogue, grants: Iterable[Grant], plain: frozenset[str]) -> dict[str, list[str]]:
    """Close the conditional grants over ``covers``; what is held anyway (``plain``) is left out."""
    found: dict[str, set[str]] = {}
    for grant in grants:
        if grant.condition is not None:
            for name in catalogue.effective([grant.permission]) - plain:
                found.setdefault(name, set()).add(grant.condition)
    return {name: sorted(conditions) for name, conditions in sorted(found.items())}


def condition_of(holder: Holder, permission: str) -> Condition:
    """Under which condition somebody holds a permission: always, never, or what their grants say."""
    if holds(holder.permissions, permission):
        return ALWAYS
    return _either(holder.conditional.get(permission, _NONE))


def looks_at(authority: Authority, path: str) -> bool:
    """Whether any of the caller's conditions looks at the fact of this path."""
    conditions = frozenset[str]().union(*authority.conditional.values())
    return any(fact.path == path for text in conditions for fact in facts_of(parse_condition(text)))


_NONE = frozenset[str]()


@lru_cache(maxsize=4_096)
def _either(conditions: frozenset[str]) -> Condition:
    # In one order, so that who holds the same has the same plans.
    return any_of([parse_condition(text) for text in sorted(conditions)])
