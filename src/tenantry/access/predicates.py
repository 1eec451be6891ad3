"""One condition two ways: evaluated for a write, compiled to SQL for a read; a test holds them equal."""

import ipaddress
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
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
    Some,
    Term,
    Truth,
    read_as,
)

Facts: TypeAlias = Mapping[str, object]
"""By path, and ``resource.attributes`` as one mapping. A fact that is not there, or None, is missing."""

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
    match condition:
        case Truth(value):
            return value
        case Every(parts):
            return all(holds(part, facts) for part in parts)
        case Some(parts):
            return any(holds(part, facts) for part in parts)
        case Not(part):
            return not holds(part, facts)
        case Comparison(left, operator, right):
            return _compare(
                operator, (read_as(left, operator, right), read_as(right, operator, left)), left, right, facts
            )


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
        case Some(parts):
            inner = [residual(part, facts, left_open) for part in parts]
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
        case Comparison():
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


def _compare(operator: str, kinds: tuple[Kind, Kind], left: Term, right: Term, facts: Facts) -> bool:
    one, other = _value(left, kinds[0], facts), _value(right, kinds[1], facts)
    if one is None or other is None:
        return False
    if operator == "in":
        return _contains(cast("Collection[Any]", other), one, kinds[0])
    return _ORDER[operator](one, other)


_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def _contains(those: Collection[Any], one: object, kind: Kind) -> bool:
    if kind is Kind.ADDRESS:
        address = cast("ipaddress.IPv4Address | ipaddress.IPv6Address", one)
        return any(address in ipaddress.ip_network(network) for network in those)
    if kind is Kind.NUMBER:
        return one in {_number(each) for each in those}
    return one in those


def _value(term: Term, kind: Kind, facts: Facts) -> object:
    """A term's value if it is of ``kind``, else None."""
    if isinstance(term, Literal):
        value: object = term.value
    elif term.path.startswith(ATTRIBUTES):
        attributes = cast("Mapping[str, object]", facts.get("resource.attributes") or {})
        value = attributes.get(term.path.removeprefix(ATTRIBUTES))
    else:
        value = facts.get(term.path)
    return None if value is None else _READ.get(kind, _as_it_is)(value)


def _as_it_is(value: object) -> object:
    return value


def _number(value: object) -> Decimal | None:
    # As JSON has it: 0.1 is a tenth, not the float next to it, as PostgreSQL's numeric reads it.
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    number = Decimal(str(value)) if whole else None
    return number if number is not None and number.is_finite() else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> Collection[object] | None:
    return cast("Collection[object]", value) if isinstance(value, list | tuple | set | frozenset) else None


def _boolean(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _address(value: object) -> object:
    try:
        found = ipaddress.ip_address(str(value))
    except ValueError:
        return None
    # The same caller, whichever socket has taken the connection (RFC 4291, section 2.5.5.2).
    return getattr(found, "ipv4_mapped", None) or found


_READ: Mapping[Kind, Callable[[object], object]] = {
    Kind.ADDRESS: _address,
    Kind.BOOLEAN: _boolean,
    Kind.NUMBER: _number,
    Kind.TEXT: _text,
    Kind.TEXTS: _texts,
}


# --- compiled -------------------------------------------------------------------------------------


def _sql(comparison: Comparison, columns: Columns) -> ColumnElement[bool]:
    left, operator, right = comparison.left, comparison.operator, comparison.right
    one, other = read_as(left, operator, right), read_as(right, operator, left)
    if operator == "in":
        return _sql_in(left, one, right, columns)
    mine, theirs = _operand(left, one, columns), _operand(right, other, columns)
    return cast("ColumnElement[bool]", _ORDER[operator](mine, theirs))


def _sql_in(left: Term, kind: Kind, right: Term, columns: Columns) -> ColumnElement[bool]:
    if kind is Kind.TEAM:
        return columns.team.in_(columns.teams)
    mine = _operand(left, kind, columns)
    if isinstance(right, Literal):
        listed = cast("tuple[object, ...]", right.value)
        return mine == any_(
            literal([_number(each) for each in listed], ARRAY(_NUMERIC))
            if kind is Kind.NUMBER
            else literal(list(listed), ARRAY(Text()))
        )
    if right.kind is Kind.ATTRIBUTE:
        value = columns.attributes[right.path.removeprefix(ATTRIBUTES)]
        return case((func.jsonb_typeof(value) == "array", value.has_key(mine)))
    return mine == any_(columns.known(right.path, Kind.TEXTS))


def _operand(term: Term, kind: Kind, columns: Columns) -> ColumnElement[Any]:
    if isinstance(term, Literal):
        return literal(_number(term.value), _NUMERIC) if kind is Kind.NUMBER else literal(term.value)
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
