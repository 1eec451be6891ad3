"""What a grant may depend on: a small typed language about subject, resource, tenant and environment.

Python's expression syntax, less nearly all of it: facts and literals compared, and ``and``, ``or``,
``not`` between. One definition is evaluated for writes and compiled for reads (``access.predicates``).
"""

import ast
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from math import isfinite
from types import MappingProxyType
from typing import TypeAlias

MAX_CHARACTERS = 500


class ConditionInvalid(ValueError):
    """A text that is no condition; the message says what is wrong with it, without the text."""


class Kind(StrEnum):
    """The types of facts and literals; only like is compared with like."""

    ADDRESS = "address"
    ATTRIBUTE = "attribute"
    """Of a resource, by its type's JSON Schema: as what it is read the other side says."""
    BOOLEAN = "boolean"
    NUMBER = "number"
    NUMBERS = "list of numbers"
    PERSON = "person"
    TEAM = "team"
    TEAMS = "list of teams"
    TEXT = "text"
    TEXTS = "list of texts"


FACTS: Mapping[str, Kind] = MappingProxyType(
    {
        "environment.factor_age": Kind.NUMBER,
        "environment.hour": Kind.NUMBER,
        "environment.ip": Kind.ADDRESS,
        "environment.weekday": Kind.NUMBER,
        "resource.owner": Kind.PERSON,
        "resource.state": Kind.TEXT,
        "resource.team": Kind.TEAM,
        "resource.type": Kind.TEXT,
        "subject.email": Kind.TEXT,
        "subject.id": Kind.PERSON,
        "subject.is_owner": Kind.BOOLEAN,
        "subject.kind": Kind.TEXT,
        "subject.roles": Kind.TEXTS,
        "subject.teams": Kind.TEAMS,
        "tenant.plan": Kind.TEXT,
        "tenant.slug": Kind.TEXT,
    }
)
"""Hours and weekdays (Monday is 1) are UTC; ``factor_age`` is in seconds; ``kind`` as in the trail."""

ATTRIBUTES = "resource.attributes."
RESOURCE = "resource."
WORDS: Mapping[str, str] = MappingProxyType(
    {"own": "resource.owner == subject.id", "own_team": "resource.team in subject.teams"}
)
"""What a single word stands for."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something known of the request or the resource, by its path."""

    path: str

    @property
    def kind(self) -> Kind:
        """Its type."""
        return FACTS.get(self.path, Kind.ATTRIBUTE)

    @property
    def of_resource(self) -> bool:
        """Whether it differs from row to row."""
        return self.path.startswith(RESOURCE)


Number: TypeAlias = int | Decimal
"""As it is written: 0.1 is a tenth, not the float next to it."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it is written: a number, a text, a boolean, or a list of texts or numbers."""

    value: bool | Number | str | tuple[str, ...] | tuple[Number, ...]
    kind: Kind = field(init=False)
    """Its type. Python holds ``True`` and ``1`` to be equal; with it no cache takes one for the other."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _kind_of(self.value))

    @property
    def of_resource(self) -> bool:
        """Never."""
        return False


Term: TypeAlias = Fact | Literal


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two terms and one of ``== != < <= > >= in``; false where a side is missing or of another type."""

    left: Term
    operator: str
    right: Term


@dataclass(frozen=True, slots=True)
class Truth:
    """What always holds, or never."""

    value: bool


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Condition"


Condition: TypeAlias = Comparison | Truth | Every | Some | Not

_OPERATORS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_ORDERED = frozenset({"<", "<=", ">", ">="})
_PLAIN = frozenset({Kind.BOOLEAN, Kind.NUMBER, Kind.TEXT})


@lru_cache(maxsize=4_096)
def parse_condition(text: str) -> Condition:
    """Read a condition, such as ``own_team and environment.hour >= 8``.

    Raises ``ConditionInvalid`` for what is no condition, does not fit together by type, or is
    longer than ``MAX_CHARACTERS``.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConditionInvalid(f"it has {len(text)} characters; at most {MAX_CHARACTERS} are taken")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ConditionInvalid(
            "it cannot be read; write for example `own or resource.state == 'open'`"
        ) from None
    return _condition(tree.body)


def facts_of(condition: Condition) -> Iterator[Fact]:
    """Every fact that a condition looks at, as often as it does."""
    match condition:
        case Comparison(left, _, right):
            yield from (term for term in (left, right) if isinstance(term, Fact))
        case Every(parts) | Some(parts):
            for part in parts:
                yield from facts_of(part)
        case Not(part):
            yield from facts_of(part)
        case _:
            return


def attributes_of(condition: Condition) -> Mapping[str, Kind]:
    """The resource's attributes that a condition reads, and as what: for a check against their schema."""
    found: dict[str, Kind] = {}
    match condition:
        case Comparison(left, operator, right):
            for term, other in ((left, right), (right, left)):
                if isinstance(term, Fact) and term.kind is Kind.ATTRIBUTE:
                    found[term.path.removeprefix(ATTRIBUTES)] = read_as(term, operator, other)
        case Every(parts) | Some(parts):
            for part in parts:
                found |= attributes_of(part)
        case Not(part):
            found |= attributes_of(part)
        case _:
            pass
    return found


def read_as(term: Term, operator: str, other: Term) -> Kind:
    """The type that ``term`` has in a comparison with ``other``; an attribute's is the other's."""
    own = term.kind
    if own is not Kind.ATTRIBUTE:
        return own
    there = other.kind
    if operator != "in":
        return there if there in _PLAIN else own
    # To the right of `in`, an attribute is a list of texts.
    return {Kind.NUMBERS: Kind.NUMBER, Kind.TEXTS: Kind.TEXT}.get(there, Kind.TEXTS)


def _kind_of(value: object) -> Kind:
    if isinstance(value, tuple):
        return Kind.TEXTS if isinstance(value[0], str) else Kind.NUMBERS
    if isinstance(value, bool):
        return Kind.BOOLEAN
    return Kind.TEXT if isinstance(value, str) else Kind.NUMBER


def _condition(node: ast.expr) -> Condition:  # noqa: PLR0911 - one arm a form
    match node:
        case ast.BoolOp(ast.And(), values):
            return Every(tuple(map(_condition, values)))
        case ast.BoolOp(_, values):
            return Some(tuple(map(_condition, values)))
        case ast.UnaryOp(ast.Not(), operand):
            return Not(_condition(operand))
        case ast.Compare(left, [operator], [right]):
            return _comparison(_term(left), _OPERATORS.get(type(operator)), _term(right))
        case ast.Compare():
            raise ConditionInvalid("compare two things at a time, and join comparisons with `and`")
        case ast.Constant(bool() as value):
            return Truth(value)
        case ast.Name(word) if word in WORDS:
            return parse_condition(WORDS[word])
        case ast.Attribute():
            term = _term(node)
            return _comparison(term, "==", Literal(value=True))
        case _:
            raise ConditionInvalid(f"`{_shown(node)}` is neither true nor false")


def _term(node: ast.expr) -> Term:
    match node:
        case ast.Constant(bool() as value):
            return Literal(value)
        case ast.Constant(str() as text):
            return Literal(_storable(text))
        case ast.Constant(int() | float() as value):
            return Literal(_number(value))
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)) if not isinstance(value, bool):
            return Literal(_number(-value))
        case ast.List(elements) | ast.Tuple(elements):
            return Literal(_listed(elements))
        case ast.Attribute() | ast.Name():
            return _fact(_shown(node))
        case _:
            raise ConditionInvalid(f"`{_shown(node)}` is no fact and no value")


def _number(value: float) -> Number:
    if isinstance(value, float) and not isfinite(value):
        raise ConditionInvalid("a number is too large")
    return value if isinstance(value, int) else Decimal(str(value))


def _listed(elements: list[ast.expr]) -> tuple[str, ...] | tuple[Number, ...]:
    values = [term.value for term in map(_term, elements) if isinstance(term, Literal)]
    texts = tuple(value for value in values if isinstance(value, str))
    numbers = tuple(
        value for value in values if isinstance(value, int | Decimal) and not isinstance(value, bool)
    )
    if not elements or len(elements) not in {len(texts), len(numbers)}:
        raise ConditionInvalid("a list holds texts only, or numbers only, and at least one")
    return texts or numbers


def _storable(text: str) -> str:
    """The text, unless PostgreSQL, which is asked with it, could not hold it."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ConditionInvalid("a text holds no NUL, and no half of a surrogate pair")
    return text


def _fact(path: str) -> Fact:
    attribute = path.removeprefix(ATTRIBUTES)
    if path not in FACTS and (attribute == path or not attribute.isidentifier()):
        raise ConditionInvalid(f"`{path}` is not known; known are {', '.join(FACTS)} and {ATTRIBUTES}…")
    return Fact(path)


def _comparison(left: Term, operator: str | None, right: Term) -> Condition:
    if operator == "not in":
        return Not(_comparison(left, "in", right))
    if operator is None:
        raise ConditionInvalid("compare with one of == != < <= > >= in")
    kinds = (read_as(left, operator, right), read_as(right, operator, left))
    if not _fits(kinds, operator, right):
        raise ConditionInvalid(f"a {kinds[0]} and a {kinds[1]} cannot be compared by `{operator}`")
    if not isinstance(left, Fact) and not isinstance(right, Fact):
        raise ConditionInvalid("a comparison of two values says nothing; name a fact")
    return Comparison(left, operator, right)


def _fits(kinds: tuple[Kind, Kind], operator: str, right: Term) -> bool:
    one, other = kinds
    if operator == "in":
        if one is Kind.ADDRESS:
            return _networks(right)
        among = {Kind.TEXT: Kind.TEXTS, Kind.NUMBER: Kind.NUMBERS, Kind.TEAM: Kind.TEAMS}
        return among.get(one) is other
    if operator in _ORDERED:
        return kinds == (Kind.NUMBER, Kind.NUMBER)
    return one is other and one in _PLAIN | {Kind.PERSON}


def _networks(term: Term) -> bool:
    """Whether a term is a list of networks, written as CIDR (RFC 4632) or as single addresses."""
    if not isinstance(term, Literal) or not isinstance(term.value, tuple):
        return False
    try:
        return all(ipaddress.ip_network(str(value), strict=True) for value in term.value)
    except ValueError as error:
        raise ConditionInvalid(f"no network: {error}") from None


def _shown(node: ast.expr) -> str:
    return ast.unparse(node)
