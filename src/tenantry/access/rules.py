"""What a field asks of its caller: declared once, printed, and decided from."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from tenantry.access.permissions import parse
from tenantry.kernel.principal import Scope

FRESH_SECONDS = 300
"""How recent a second factor must be for what would hand an account or a tenant to somebody else."""


class RuleKind(StrEnum):
    """The ways to guard a field; a field without a rule does not build."""

    AUTHENTICATED = "AUTHENTICATED"
    GATED = "GATED"
    """By the permission that the tenant's blueprint names for the object: its service decides."""
    PUBLIC = "PUBLIC"
    REQUIRES = "REQUIRES"
    ROLES = "ROLES"
    """By a role's key, for products that keep to roles; no field of the service's own asks for one."""
    SCOPES = "SCOPES"


class InvalidRule(ValueError):
    """A rule that could not be meant; raised where it is written, when its module loads."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is asked for: any one of the sets in ``any_of``, and of that set everything.

    ``scope`` narrows to platform or tenant tokens; ``freshness`` is the greatest age, in
    seconds, of the caller's second factor; ``roles`` are keys, any of which will do. Raises
    ``InvalidRule`` or ``InvalidPermission`` when made with parts that do not go together.
    """

    kind: RuleKind
    any_of: tuple[frozenset[str], ...] = ()
    scope: Scope | None = None
    freshness: int | None = None
    roles: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for permission in frozenset[str]().union(*self.any_of):
            parse(permission)
        if problem := _misuse(self):
            raise InvalidRule(problem)


Alternative: TypeAlias = str | Iterable[str]
"""One permission, or several that are needed together."""


def public() -> Rule:
    """Anyone may, signed in or not."""
    return Rule(RuleKind.PUBLIC)


def authenticated(scope: Scope | None = None) -> Rule:
    """Anyone who is signed in may; with ``scope``, by a token of that scope only."""
    return Rule(RuleKind.AUTHENTICATED, scope=scope)


def scopes(scope: Scope) -> Rule:
    """Anyone who is signed in by a token of this scope may."""
    return Rule(RuleKind.SCOPES, scope=scope)


def roles(*names: str, scope: Scope | None = None) -> Rule:
    """Whoever holds one of these roles may; a machine never does, whoever has issued its key.

    A role's key is one's own in its scope only, so the scope is said: for all of them by
    ``scope``, or in each name (``TENANT_ADMIN``, ``SYSTEM_ADMIN``). Ask for roles that a
    blueprint locks: any other key may be a custom role's. Raises ``InvalidRule`` for no name,
    for one without a scope, and for names of both scopes.
    """
    spelled = [(scope, name) if scope is not None else _scoped(name) for name in names]
    if len({where for where, _ in spelled}) != 1:
        raise InvalidRule("name at least one role, and roles of one scope")
    return Rule(RuleKind.ROLES, scope=spelled[0][0], roles=frozenset(key for _, key in spelled))


def _scoped(name: str) -> tuple[Scope, str]:
    where, _, key = name.partition("_")
    if where not in Scope.__members__ or not key:
        raise InvalidRule(f"say the scope of {name!r}: roles({name!r}, scope=…), or TENANT_{name}")
    return Scope[where], key


def gated() -> Rule:
    """By a tenant's token, whoever holds what the blueprint asks for the object: the service decides."""
    return Rule(RuleKind.GATED, scope=Scope.TENANT)


def requires(*alternatives: Alternative, scope: Scope | None = None, freshness: int | None = None) -> Rule:
    """Whoever holds all permissions of one alternative may.

    ``requires("a:b")`` needs one permission, ``requires({"a:b", "c:d"})`` both, and
    ``requires({"a:b", "c:d"}, "e:f")`` both or else the third. Several bare texts could be
    read either way, so they raise ``InvalidRule``; so do empty sets and a ``freshness`` below
    one second. A text that is no permission raises ``InvalidPermission``.
    """
    if len(alternatives) > 1 and all(isinstance(each, str) for each in alternatives):
        raise InvalidRule("say requires({'a', 'b'}) for both, or requires({'a'}, {'b'}) for either")
    any_of = tuple(frozenset(map(str, (each,) if isinstance(each, str) else each)) for each in alternatives)
    return Rule(RuleKind.REQUIRES, any_of, scope, freshness)


def fresh(seconds: int = FRESH_SECONDS) -> Rule:
    """Whoever is signed in and has proved a second factor in the last ``seconds`` may.

    One alternative that holds nothing: what is asked for besides permissions is all there is.
    """
    return Rule(RuleKind.REQUIRES, (frozenset(),), freshness=seconds)


def sentence(rule: Rule) -> str:
    """The last line of a guarded field's description, for people whose tool hides directives.

    The same rule always gives the same sentence: permissions of a set are sorted.
    """
    if rule.kind is RuleKind.PUBLIC:
        return "Open to everyone."
    token = "" if rule.scope is None else f"a {_TOKENS[rule.scope]} token"
    if rule.kind is RuleKind.GATED:
        return "Requires the permission that the tenant's blueprint names for the type."
    if rule.kind is RuleKind.ROLES:
        listed = ", ".join(f"`{name}`" for name in sorted(rule.roles))
        return f"Requires {token} and {'the role' if len(rule.roles) == 1 else 'one of the roles'} {listed}."
    if rule.kind in {RuleKind.AUTHENTICATED, RuleKind.SCOPES}:
        return f"Signed-in callers with {token} only." if token else "Signed-in callers only."
    choices = [" and ".join(f"`{name}`" for name in sorted(each)) for each in rule.any_of]
    factor = "" if rule.freshness is None else f"a second factor of the last {rule.freshness} s"
    if len(choices) == 1:
        return f"Requires {' and '.join(filter(None, (token, choices[0], factor)))}."
    besides = " and ".join(filter(None, (token, factor)))
    lead = f"Requires {besides}, and either" if besides else "Requires"
    return f"{lead} {', or '.join(choices)}."


_SCOPED = frozenset({RuleKind.ROLES, RuleKind.SCOPES})
_TOKENS = {Scope.SYSTEM: "platform", Scope.TENANT: "tenant"}


def _asks(rule: Rule) -> bool:
    """Whether every alternative asks for something: a permission, or as the only one for a fresh factor."""
    only_fresh = rule.any_of == (frozenset(),) and rule.freshness is not None
    return only_fresh or bool(rule.any_of and all(rule.any_of))


def _misuse(rule: Rule) -> str | None:
    return _misuse_of_kind(rule) or _misuse_of_asking(rule)


def _misuse_of_kind(rule: Rule) -> str | None:
    if rule.kind is RuleKind.PUBLIC and rule.scope is not None:
        return "a public field has no scope"
    if rule.kind in _SCOPED and rule.scope is None:
        return f"a rule of kind {rule.kind} has a scope"
    if (rule.kind is RuleKind.ROLES) is not bool(rule.roles):
        return f"a rule of kind {RuleKind.ROLES} names roles, and no other does"
    return None


def _misuse_of_asking(rule: Rule) -> str | None:
    if rule.kind is not RuleKind.REQUIRES and (rule.any_of or rule.freshness is not None):
        return f"a rule of kind {rule.kind} names neither permissions nor freshness"
    if rule.kind is RuleKind.REQUIRES and not _asks(rule):
        return "name at least one permission in each alternative; use authenticated() to ask for none"
    if rule.freshness is not None and rule.freshness < 1:
        return "freshness is a whole number of seconds, at least 1"
    return None
