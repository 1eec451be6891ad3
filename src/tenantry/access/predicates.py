"""One condition two ways: evaluated for a write, compiled to SQL for a read; a test holds them equal."""

import ipaddress
import operator
from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any, TypeAlias, cast

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Numeric,
    Select,
    Text,
    and_,
    any_,
    case,
    false,
    func,
    literal,
    not_,
    or_,
    true,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import ARRAY

from tenantry.access.conditions import (
    ATTRIBUTES,
    Comparison,
    Condition,
    Every,
    Fact,
    Kind,
    Literal,
    Not,
    Number,
    Some,
    Term,
    Truth,
    read_as,
)

Facts: TypeAlias = Mapping[str, object]
"""By path, and ``resource.attributes`` as one mapping. A fact that is not there, or None, is missing."""
Check: TypeAlias = Callable[[Facts], bool]
"""Whether a condition holds, of facts."""

ALWAYS = Truth(value=True)
NEVER = Truth(value=False)
_NUMERIC: Numeric[Decimal] = Numeric()


@dataclass(frozen=True, slots=True)
class Columns:
    """A row of objects as conditions see it, and what is known of its reader."""

    owner: ColumnElement[Any]
    team: ColumnElement[Any]
    state: ColumnElement[Any]
    type: ColumnElement[Any]
    attributes: ColumnElement[Any]
    """``jsonb``."""
    subject: ColumnElement[Any]
    """Key of the person who reads."""
    teams: Select[Any]
    """Keys of the teams they belong to."""
    known: Callable[[str, Kind], ColumnElement[Any]]
    """A fact of subject, tenant or environment, by path, as a parameter."""


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether a condition holds. Two-valued: a comparison with something missing is false. Raises nothing."""
    return check_of(condition)(facts)


@lru_cache(maxsize=4_096)
def check_of(condition: Condition) -> Check:
    """``holds`` of one condition, made ready for many facts."""
    match condition:
        case Truth(value):
            return lambda _: value
        case Every(parts):
            every = tuple(map(check_of, parts))
            return lambda facts: all(check(facts) for check in every)
        case Some(parts):
            some = tuple(map(check_of, parts))
            return lambda facts: any(check(facts) for check in some)
        case Not(part):
            negated = check_of(part)
            return lambda facts: not negated(facts)
        case Comparison(left, "in", right):
            return _membership(left, right)
        case _:
            return _comparison(condition)


def of_resource(term: Term) -> bool:
    """Whether a term differs from row to row."""
    return term.of_resource


def residual(
    condition: Condition, facts: Facts, left_open: Callable[[Term], bool] = of_resource
) -> Condition:
    """What is left to ask when all but ``left_open`` is known; nothing but ``Truth`` where that decides.

    By default the resource is open, which each row brings: of few shapes, so plans last.
    """
    match condition:
        case Truth():
            return condition
        case Comparison(left, _, right):
            if left_open(left) or left_open(right):
                return condition
            return ALWAYS if holds(condition, facts) else NEVER
        case Not(part):
            return _negated(residual(part, facts, left_open))
        case Every(parts):
            inner = [residual(part, facts, left_open) for part in parts]
            return _joined(Every, inner, neutral=ALWAYS, decisive=NEVER)
        case _:
            inner = [residual(part, facts, left_open) for part in condition.parts]
            return _joined(Some, inner, neutral=NEVER, decisive=ALWAYS)


def any_of(conditions: Collection[Condition]) -> Condition:
    """At least one of them; never where there is none."""
    return _joined(Some, list(dict.fromkeys(conditions)), neutral=NEVER, decisive=ALWAYS)


def all_of(conditions: Collection[Condition]) -> Condition:
    """Each of them; always where there is none."""
    return _joined(Every, list(dict.fromkeys(conditions)), neutral=ALWAYS, decisive=NEVER)


def predicate(condition: Condition, columns: Columns) -> ColumnElement[bool]:
    """The SQL of a condition that ``residual`` has left; never NULL."""
    match condition:
        case Truth(value):
            return true() if value else false()
        case Every(parts):
            return and_(*(predicate(part, columns) for part in parts))
        case Some(parts):
            return or_(*(predicate(part, columns) for part in parts))
        case Not(part):
            return not_(predicate(part, columns))
        case _:
            return func.coalesce(_sql(condition, columns), false(), type_=Boolean())


def _negated(part: Condition) -> Condition:
    return Truth(not part.value) if isinstance(part, Truth) else Not(part)


def _joined(
    make: type[Every | Some], parts: list[Condition], *, neutral: Truth, decisive: Truth
) -> Condition:
    left = [part for part in parts if part != neutral]
    if decisive in left:
        return decisive
    if not left:
        return neutral
    return left[0] if len(left) == 1 else make(tuple(left))


# --- evaluated ------------------------------------------------------------------------------------

Reader: TypeAlias = Callable[[Facts], Any]
"""A term's value, None where it is missing or not of the type that it is read as."""

_ORDER: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _comparison(comparison: Comparison) -> Check:
    left, right = comparison.left, comparison.right
    one = _reader(left, read_as(left, comparison.operator, right))
    other = _reader(right, read_as(right, comparison.operator, left))
    compare = _ORDER[comparison.operator]

    def check(facts: Facts) -> bool:
        mine, theirs = one(facts), other(facts)
        return mine is not None and theirs is not None and compare(mine, theirs)

    return check


def _membership(left: Term, right: Term) -> Check:
    kind = read_as(left, "in", right)
    one = _reader(left, kind)
    those = _listed(kind, right) if isinstance(right, Literal) else _reader(right, read_as(right, "in", left))

    def check(facts: Facts) -> bool:
        mine, among = one(facts), those(facts)
        return mine is not None and among is not None and mine in among

    return check


@dataclass(frozen=True, slots=True)
class _Networks:
    """What an address is in if it is in one of them."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

    def __contains__(self, address: object) -> bool:
        return any(address in network for network in self.networks)


def _listed(kind: Kind, those: Literal) -> Reader:
    values = cast("tuple[str | Number, ...]", those.value)
    among: Container[object] = (
        _Networks(tuple(ipaddress.ip_network(str(value)) for value in values))
        if kind is Kind.ADDRESS
        else frozenset(values)
    )
    return lambda _: among


def _reader(term: Term, kind: Kind) -> Reader:
    read = _READ.get(kind)
    if isinstance(term, Literal):
        value = term.value
        return lambda _: value
    get = _attribute_of(term) if term.kind is Kind.ATTRIBUTE else operator.methodcaller("get", term.path)
    return get if read is None else lambda facts: read(get(facts))


def _attribute_of(fact: Fact) -> Reader:
    name = fact.path.removeprefix(ATTRIBUTES)

    def get(facts: Facts) -> object:
        attributes = cast("Mapping[str, object] | None", facts.get("resource.attributes"))
        return None if attributes is None else attributes.get(name)

    return get


def _number(value: object) -> Number | None:
    # As JSON has it, and PostgreSQL's numeric reads it.
    if isinstance(value, float):
        return Decimal(str(value)) if isfinite(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> Collection[object] | None:
    return cast("Collection[object]", value) if isinstance(value, list | tuple | set | frozenset) else None


def _boolean(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _address(value: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(str(value))
    except ValueError:
        return None
    # The same caller, whichever socket has taken the connection (RFC 4291, section 2.5.5.2).
    return getattr(found, "ipv4_mapped", None) or found


_READ: Mapping[Kind, Callable[[object], Any]] = {
    Kind.ADDRESS: _address,
    Kind.BOOLEAN: _boolean,
    Kind.NUMBER: _number,
    Kind.TEXT: _text,
    Kind.TEXTS: _texts,
}
"""How a value is taken as a type; as it is where nothing stands here (people and teams, and no others)."""


# --- compiled -------------------------------------------------------------------------------------


def _sql(comparison: Comparison, columns: Columns) -> ColumnElement[bool]:
    left, right = comparison.left, comparison.right
    one, other = read_as(left, comparison.operator, right), read_as(right, comparison.operator, left)
    if comparison.operator == "in":
        return _sql_in(left, one, right, columns)
    mine, theirs = _operand(left, one, columns), _operand(right, other, columns)
    return cast("ColumnElement[bool]", _ORDER[comparison.operator](mine, theirs))


def _sql_in(left: Term, kind: Kind, right: Term, columns: Columns) -> ColumnElement[bool]:
    if kind is Kind.TEAM:
        return columns.team.in_(columns.teams)
    mine = _operand(left, kind, columns)
    if isinstance(right, Literal):
        listed = cast("tuple[object, ...]", right.value)
        return mine == any_(
            literal(list(listed), ARRAY(_NUMERIC))
            if kind is Kind.NUMBER
            else literal(list(listed), ARRAY(Text()))
        )
    if right.kind is Kind.ATTRIBUTE:
        value = columns.attributes[right.path.removeprefix(ATTRIBUTES)]
        return case((func.jsonb_typeof(value) == "array", value.has_key(mine)))
    return mine == any_(columns.known(right.path, Kind.TEXTS))


def _operand(term: Term, kind: Kind, columns: Columns) -> ColumnElement[Any]:
    if isinstance(term, Literal):
        return literal(term.value, _NUMERIC) if kind is Kind.NUMBER else literal(term.value)
    if term.kind is Kind.ATTRIBUTE:
        return _attribute(term, kind, columns)
    own: Mapping[str, ColumnElement[Any]] = {
        "resource.owner": columns.owner,
        "resource.state": columns.state,
        "resource.team": columns.team,
        "resource.type": columns.type,
        "subject.id": columns.subject,
    }
    return own[term.path] if term.path in own else columns.known(term.path, kind)


def _attribute(term: Fact, kind: Kind, columns: Columns) -> ColumnElement[Any]:
    """An attribute as ``kind``; NULL where it is missing or of another type, which no cast is asked for."""
    value = columns.attributes[term.path.removeprefix(ATTRIBUTES)]
    text = value.astext
    name, read = {
        Kind.BOOLEAN: ("boolean", sql_cast(text, Boolean())),
        Kind.NUMBER: ("number", sql_cast(text, _NUMERIC)),
    }.get(kind, ("string", sql_cast(text, Text())))
    return case((func.jsonb_typeof(value) == name, read))
