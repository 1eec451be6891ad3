"""Random conditions of the whole grammar, and random objects and callers for them to be about."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from tenantry.access.conditions import FACTS, MAX_CHARACTERS, ConditionInvalid, parse_condition

ATTRIBUTES = ("n", "t", "größe")
PEOPLE = tuple(UUID(int=number) for number in (1, 2, 3))
TEAMS = tuple(UUID(int=number) for number in (11, 12, 13))
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "in", "not in")
PLACES = ("<number>", "<text>", "<boolean>", "<numbers>", "<texts>", "<networks>")

# What tends to be told apart wrongly, the same on both sides of a comparison, so that it meets.
TEXTS = (
    "",
    "a",
    "A",
    " a",
    "é",
    "e\u0301",
    "😀",
    "'",
    '"',
    "\\",
    "%s",
    ":a",
    "$1",
    "1",
    "0.1",
    "true",
    "null",
)
NUMBERS = (0, 1, 0.1, -0.0, -1, 7, 0.30000000000000004, 0.3, 1e22, 10**22, 2**53, 2**53 + 1, 1e308, 5e-324)
NETWORKS = (
    "10.0.0.0/8",
    "10.1.2.3",
    "192.168.0.0/16",
    "0.0.0.0/0",
    "2001:db8::/32",
    "::1",
    "fe80::/10",
    "::/0",
)
ADDRESSES = (
    "10.1.2.3",
    "192.168.7.7",
    "::ffff:10.1.2.3",
    "2001:db8::7",
    "::1",
    "fe80::1%eth0",
    "nowhere",
    "",
)

# Few of them often, so that the sides of a comparison meet. Neither what UTF-8 does not write nor what
# PostgreSQL does not hold.
texts = st.one_of(
    st.sampled_from(TEXTS[:3]),
    st.sampled_from(TEXTS),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
)
numbers = st.one_of(
    st.sampled_from(NUMBERS[:3]),
    st.sampled_from(NUMBERS),
    st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False),
)
booleans = st.booleans()


@dataclass(frozen=True)
class Case:
    """A condition, who asks under which circumstances, and the objects asked about."""

    text: str
    asked: Mapping[str, Any]
    objects: tuple[Mapping[str, Any], ...]


def _parses(text: str) -> bool:
    try:
        parse_condition(text)
    except ConditionInvalid:
        return False
    return True


EXAMPLES = dict(zip(PLACES, ("1", "'a'", "True", "[1, 0.1]", "['a']", "['10.0.0.0/8']"), strict=True))


def _comparisons() -> Iterator[tuple[str, str]]:
    """Every comparison that the language takes, with places for values, and with examples in them."""
    paths = (*FACTS, *(f"resource.attributes.{name}" for name in ATTRIBUTES))
    terms = {path: path for path in paths} | EXAMPLES
    for left, operator, right in product(terms, OPERATORS, terms):
        text = f"{terms[left]} {operator} {terms[right]}"
        if _parses(text):
            yield f"{left} {operator} {right}", text


COMPARISONS = dict(_comparisons())
# Most of the grammar is about attributes, and most that can go wrong too.
_about_attributes = st.sampled_from([text for text in COMPARISONS if "attributes" in text])
_alone = (
    "own",
    "own_team",
    "True",
    "False",
    "subject.is_owner",
    *(f"resource.attributes.{a}" for a in ATTRIBUTES),
)


def _spelt(values: Iterable[object]) -> str:
    return f"[{', '.join(map(repr, values))}]"


_values: Mapping[str, st.SearchStrategy[str]] = {
    "<number>": numbers.map(repr) | st.sampled_from(["0x10", "1_000", "-7", "1e-7"]),
    "<text>": texts.map(repr),
    "<boolean>": booleans.map(repr),
    "<numbers>": st.lists(numbers, min_size=1, max_size=3).map(_spelt),
    "<texts>": st.lists(texts, min_size=1, max_size=3).map(_spelt),
    "<networks>": st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=3).map(_spelt),
}


@st.composite
def _comparison(draw: st.DrawFn) -> str:
    text = draw(_about_attributes | st.sampled_from(list(COMPARISONS)))
    for place in PLACES:
        # One at a time: a value may spell a place, too.
        head, found, tail = text.partition(place)
        text = head + (draw(_values[place]) if found else "") + tail
    return text


conditions: st.SearchStrategy[str] = st.recursive(
    _comparison() | st.sampled_from(_alone),
    lambda part: st.one_of(
        part.map("not ({})".format),
        st.tuples(part, part).map(lambda parts: "({}) and ({})".format(*parts)),
        st.tuples(part, part).map(lambda parts: "({}) or ({})".format(*parts)),
    ),
    max_leaves=5,
).filter(lambda text: len(text) <= MAX_CHARACTERS)
"""Texts of conditions."""

_json = st.recursive(
    st.none() | booleans | numbers | texts,
    lambda value: st.lists(value, max_size=3) | st.dictionaries(texts, value, max_size=2),
    max_leaves=4,
)
_attributes = st.fixed_dictionaries(
    {},
    optional={
        "n": numbers | _json,
        "t": texts | _json,
        "größe": st.lists(texts, max_size=3) | booleans | _json,
    },
)
_objects = st.fixed_dictionaries(
    {
        "owner_id": st.none() | st.sampled_from(PEOPLE),
        "team_id": st.none() | st.sampled_from(TEAMS),
        "state": texts,
        "type": texts,
        "attributes": _attributes,
    }
)
_asked = st.fixed_dictionaries(
    {
        "environment.factor_age": st.none() | st.integers(0, 10_000),
        "environment.hour": st.integers(0, 23),
        "environment.ip": st.none() | st.sampled_from(ADDRESSES) | st.ip_addresses().map(str),
        "environment.weekday": st.integers(1, 7),
        "subject.email": st.none() | texts,
        "subject.id": st.sampled_from(PEOPLE),
        "subject.is_owner": booleans,
        "subject.kind": st.sampled_from(["USER", "API_KEY"]),
        "subject.roles": st.lists(texts, max_size=3).map(tuple),
        "subject.teams": st.frozensets(st.sampled_from(TEAMS), max_size=2),
        "tenant.plan": st.none() | texts,
        "tenant.slug": texts,
    }
)
cases: st.SearchStrategy[Case] = st.builds(
    Case,
    conditions,
    _asked,
    st.lists(_objects, min_size=1, max_size=6).map(
        lambda objects: tuple({"place": place, **each} for place, each in enumerate(objects))
    ),
)
