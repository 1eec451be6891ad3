"""May this caller pass this rule? A pure answer, and the refusal that tells it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from tenantry.access.permissions import CONDITIONABLE, WILDCARD
from tenantry.access.rules import Rule, RuleKind
from tenantry.kernel.errors import (
    DomainError,
    ErrorCode,
    Forbidden,
    ScopeMismatch,
    StepUpRequired,
    Unauthenticated,
)
from tenantry.kernel.principal import Authority, Scope


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether, and if not: the code, the first permission that is missing, and why in words.

    ``scope`` and ``freshness`` (seconds) are what the rule asks for, where that was not met.
    """

    allowed: bool
    code: ErrorCode | None = None
    permission: str | None = None
    reason: str | None = None
    scope: Scope | None = None
    freshness: int | None = None


ALLOWED = Decision(allowed=True)
NOT_SIGNED_IN = Decision(allowed=False, code=ErrorCode.UNAUTHENTICATED, reason="You are not signed in.")
_OTHER_ROLE = Decision(allowed=False, code=ErrorCode.FORBIDDEN, reason="This is for another role.")
_AWAITED = Decision(
    allowed=False, code=ErrorCode.STEP_UP_REQUIRED, reason="A second factor is asked for here; set one up."
)

# Reading a member through its enumeration costs as much as the rest of a decision.
_PUBLIC = RuleKind.PUBLIC
_ROLES = RuleKind.ROLES
_SIGNED_IN = frozenset({RuleKind.AUTHENTICATED, RuleKind.GATED, RuleKind.SCOPES})


def decide(rule: Rule, authority: Authority | None, factor_age: int | None = None) -> Decision:  # noqa: PLR0911 - a ladder
    """Decide one rule for one caller; ``authority`` is None for a caller who is not signed in.

    Checks in this order: signed in, scope, permissions, second factor, so that a refusal tells the
    least it can. ``*`` stands for every permission, never for the scope. ``factor_age`` is the
    age in seconds of the caller's second factor; without one, a rule with ``freshness`` refuses.
    Whoever is asked for a factor and has not proved one holds no permission, and is told so.
    The caller has checked that ``authority`` is live. Raises nothing.
    """
    kind = rule.kind
    if kind is _PUBLIC:
        return ALLOWED
    if authority is None:
        return NOT_SIGNED_IN
    scope = rule.scope
    if scope is not None and scope is not authority.scope:
        return _scope_mismatch(scope)
    if kind in _SIGNED_IN:
        return ALLOWED
    if kind is _ROLES:
        return _by_role(rule, authority)
    held = authority.permissions
    for wanted in rule.any_of:
        if wanted <= held:
            break
    else:
        if WILDCARD not in held and not _under_conditions(rule, authority):
            return _AWAITED if authority.awaits_factor else _forbidden(rule, held)
    if rule.freshness is None or (factor_age is not None and factor_age <= rule.freshness):
        return ALLOWED
    return _step_up(rule.freshness)


def _by_role(rule: Rule, authority: Authority) -> Decision:
    """Of a key the roles are its issuer's, and it may be narrower than they are."""
    if authority.key is not None or rule.roles.isdisjoint(authority.roles):
        return _OTHER_ROLE
    return _AWAITED if authority.awaits_factor else ALLOWED


def _under_conditions(rule: Rule, authority: Authority) -> bool:
    """Whether some alternative is held, part of it under conditions that are looked at for each object."""
    if CONDITIONABLE.isdisjoint(authority.conditional):
        return False
    held = authority.permissions | (authority.conditional.keys() & CONDITIONABLE)
    return any(wanted <= held for wanted in rule.any_of)


def conditionally(rule: Rule, authority: Authority) -> bool:
    """Whether the caller meets a rule under conditions only, so that a decision on the object is due."""
    if rule.kind is RuleKind.GATED:
        return True
    held = authority.permissions
    if (
        rule.kind is not RuleKind.REQUIRES
        or WILDCARD in held
        or any(wanted <= held for wanted in rule.any_of)
    ):
        return False
    return _under_conditions(rule, authority)


def holds(permissions: frozenset[str], permission: str) -> bool:
    """Whether a set of effective permissions contains one, by name or by ``*``."""
    return permission in permissions or WILDCARD in permissions


def missing(held: frozenset[str], wanted: Iterable[str]) -> frozenset[str]:
    """What of ``wanted`` is not held: no one grants what they do not hold (the subset rule).

    Empty means the grant may be made. ``*`` is missing unless ``*`` itself is held. The caller
    gives effective permissions on both sides, so that what a grant covers is compared too.
    """
    return frozenset() if WILDCARD in held else frozenset(wanted) - held


def narrowed(held: frozenset[str], to: frozenset[str]) -> frozenset[str]:
    """What of ``held`` a key that names ``to`` may use, effective permissions on both sides.

    ``*`` on either side leaves the other as it is: a key never holds more than its issuer.
    """
    if WILDCARD in held:
        return to
    return held if WILDCARD in to else held & to


def refusal(decision: Decision) -> DomainError:
    """The error that tells a refused decision to the client. Raises ValueError if it was allowed."""
    match decision.code:
        case ErrorCode.UNAUTHENTICATED:
            return Unauthenticated("MISSING")
        case ErrorCode.SCOPE_MISMATCH:
            return ScopeMismatch(str(decision.scope))
        case ErrorCode.STEP_UP_REQUIRED:
            return StepUpRequired(decision.freshness)
        case ErrorCode.FORBIDDEN:
            return Forbidden(decision.permission)
        case _:
            raise ValueError("an allowed decision has no refusal")


def _scope_mismatch(scope: Scope) -> Decision:
    reason = f"This needs a token of scope {scope}."
    return Decision(allowed=False, code=ErrorCode.SCOPE_MISMATCH, reason=reason, scope=scope)


def _forbidden(rule: Rule, held: frozenset[str]) -> Decision:
    return _not_held(min(min([wanted - held for wanted in rule.any_of], key=len)))


@lru_cache(maxsize=4_096)
def _not_held(permission: str) -> Decision:
    reason = f"You do not hold `{permission}`."
    return Decision(allowed=False, code=ErrorCode.FORBIDDEN, permission=permission, reason=reason)


def _step_up(freshness: int) -> Decision:
    reason = f"This needs a second factor given in the last {freshness} s."
    return Decision(allowed=False, code=ErrorCode.STEP_UP_REQUIRED, reason=reason, freshness=freshness)
