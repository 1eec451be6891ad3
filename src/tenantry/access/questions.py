"""May somebody, asked beforehand: the answer that doing it would get, and one stable word why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tenantry.access.conditions import Condition, Fact, Term, Truth, parse_condition
from tenantry.access.grants import Conditional, Holder, condition_of
from tenantry.access.permissions import WILDCARD, BuiltIn
from tenantry.access.predicates import ALWAYS, NEVER, Facts, all_of, any_of, residual
from tenantry.access.resource_types import NARROWED


class Reason(StrEnum):
    """Why not, sorted; once published a word never changes its meaning."""

    CONDITIONAL = "CONDITIONAL"
    """It depends: on an object, and none was named; or on the request that another person would make."""
    CONDITION_NOT_MET = "CONDITION_NOT_MET"
    """It depends on the object or the moment, and this is not one."""
    FORBIDDEN = "FORBIDDEN"
    """Nothing they hold gives this permission."""
    MEMBER_INACTIVE = "MEMBER_INACTIVE"
    """They have not accepted yet, or are suspended."""
    NOT_FOUND = "NOT_FOUND"
    """There is no such object, or none that they may see."""
    STEP_UP_REQUIRED = "STEP_UP_REQUIRED"
    """A second factor comes first."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What somebody holds, who need not be here: as the roles of a member give it."""

    permissions: frozenset[str]
    conditional: Conditional


@dataclass(frozen=True, slots=True)
class Subject:
    """Of whom it is asked. ``unknown`` are the facts that nobody can tell of them at this moment."""

    holder: Holder
    facts: Facts
    unknown: frozenset[str] = frozenset()
    active: bool = True
    awaits_factor: bool = False


class Kind(Protocol):
    """What is the same for all objects that are looked at one by one: ``ResourceType``, or ``TEAMS``."""

    def readable(self, holder: Holder) -> Condition:
        """What must hold of one for somebody to see it."""
        ...

    def narrowing(self, permission: str) -> tuple[str, ...]:
        """Of which a permission opens anything, as conditions, where it stands for some only."""
        ...


class _Teams:
    def readable(self, holder: Holder) -> Condition:
        return any_of([NARROWED["own_team"], condition_of(holder, BuiltIn.TEAM_READ)])

    def narrowing(self, permission: str) -> tuple[str, ...]:
        del permission
        return ()


TEAMS: Kind = _Teams()
"""Everyone sees the teams they are in."""


@dataclass(frozen=True, slots=True)
class Target:
    """About what it is asked: ``facts`` and ``kind`` of what is looked at one by one, neither of the rest.

    A resource without a ``kind`` is of a type that the blueprint has dropped, and nobody's.
    """

    facts: Facts | None = None
    kind: Kind | None = None
    there: bool = True
    personal: bool = False
    """Whether it is there for its owner alone."""

    def narrowing(self, permission: str) -> tuple[str, ...]:
        """As that of its type."""
        return () if self.kind is None else self.kind.narrowing(permission)


ABSENT = Target(there=False)
"""What is not there, or not for who asks: the two are not told apart."""


def objection(subject: Subject, permission: str, target: Target | None) -> Reason | None:
    """Why they may not; None where they may. With no ``target``, whatever the object.

    The caller has checked that who asks may know, and gives ``ABSENT`` for what they may not see.
    """
    if subject.awaits_factor:
        return Reason.STEP_UP_REQUIRED
    if not subject.active:
        return Reason.MEMBER_INACTIVE
    condition = condition_of(subject.holder, permission)
    if condition == NEVER:
        return Reason.FORBIDDEN
    if target is None:
        return None if condition == ALWAYS else Reason.CONDITIONAL
    return _about(subject, permission, condition, target)


def _about(subject: Subject, permission: str, condition: Condition, target: Target) -> Reason | None:
    if not sees(subject, target):
        return Reason.NOT_FOUND
    answer = verdict(within(condition, target.narrowing(permission)), subject, target)
    if answer is None and subject.unknown:
        return Reason.CONDITIONAL
    return None if answer else Reason.CONDITION_NOT_MET


def sees(subject: Subject, target: Target) -> bool:
    """Whether they may know of an object: of a resource or a team, whether they may read it."""
    if not target.there or target.facts is None:
        return target.there
    if target.personal and verdict(NARROWED["own"], subject, target) is not True:
        return False
    if WILDCARD in subject.holder.permissions:
        return True
    return target.kind is not None and verdict(target.kind.readable(subject.holder), subject, target) is True


def within(condition: Condition, narrowing: tuple[str, ...]) -> Condition:
    """A condition, of those objects alone for which a permission stands."""
    return all_of([*map(parse_condition, narrowing), condition])


def verdict(condition: Condition, subject: Subject, target: Target | None) -> bool | None:
    """Whether a condition holds; None where what decides is not known.

    That is the resource where none is given: not of another kind of object, either, since no
    condition is about one.
    """
    found = None if target is None else target.facts
    facts: Mapping[str, object] = subject.facts if found is None else {**subject.facts, **found}

    def unknown(term: Term) -> bool:
        if not isinstance(term, Fact):
            return False
        return term.path in subject.unknown or (found is None and term.of_resource)

    left = residual(condition, facts, unknown)
    return left.value if isinstance(left, Truth) else None
