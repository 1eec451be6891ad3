"""The language of conditions: what is read, what is refused, and what it means."""

import pytest

from tenantry.access.conditions import ConditionInvalid, Kind, attributes_of, facts_of, parse_condition
from tenantry.access.predicates import ALWAYS, NEVER, Facts, any_of, holds, residual

FACTS: Facts = {
    "resource.owner": "anna",
    "resource.team": "night",
    "resource.state": "open",
    "resource.type": "call",
    "resource.attributes": {"seconds": 30, "region": "EU", "vip": True, "tags": ["hot", 7]},
    "subject.id": "anna",
    "subject.teams": frozenset({"night"}),
    "subject.roles": ("agent",),
    "subject.is_owner": False,
    "tenant.plan": "SMB",
    "environment.ip": "::ffff:10.1.2.3",
    "environment.hour": 9,
}

TRUE = [
    "own",
    "own_team",
    "own and own_team",
    "not own or resource.state == 'open'",
    "resource.attributes.seconds <= 30",
    "resource.attributes.seconds in [-1, 30, 60]",
    "resource.attributes.region in ['EU', 'US']",
    "resource.attributes.region not in ['US']",
    "resource.attributes.vip",
    "resource.attributes.vip == True",
    "'hot' in resource.attributes.tags",
    "'agent' in subject.roles",
    "tenant.plan == 'SMB'",
    "environment.ip in ['10.0.0.0/8']",
    "environment.hour >= 8 and environment.hour < 18",
    "not (resource.attributes.missing == 1)",
]
FALSE = [
    "not own",
    "resource.attributes.seconds > 30",
    "resource.attributes.seconds == '30'",
    "resource.attributes.missing != 1",
    "resource.attributes.region == 5",
    "'7' in resource.attributes.tags",
    "'cold' in resource.attributes.tags",
    "environment.ip in ['192.168.0.0/16', '::1']",
    "environment.factor_age <= 300",
    "subject.is_owner",
    "subject.kind == 'USER'",
]


@pytest.mark.requirement("004-21")
@pytest.mark.parametrize("text", TRUE)
def test_what_holds(text: str) -> None:
    assert holds(parse_condition(text), FACTS)


@pytest.mark.parametrize("text", FALSE)
def test_what_does_not_hold(text: str) -> None:
    assert not holds(parse_condition(text), FACTS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cannot be read"),
        ("own own", "cannot be read"),
        ("nobody", "neither true nor false"),
        ("own.name == 1", "not known"),
        ("resource.attributes.a.b == 1", "not known"),
        ("resource.attributes == 1", "not known"),
        ("subject.age > 5", "not known"),
        ("1 == 1", "says nothing"),
        ("own == 1", "not known"),
        ("resource.state < 'b'", "cannot be compared"),
        ("resource.owner == 'anna'", "cannot be compared"),
        ("resource.attributes.a == subject.id", "cannot be compared"),
        ("resource.attributes.a == resource.attributes.b", "cannot be compared"),
        ("environment.ip == '10.0.0.1'", "cannot be compared"),
        ("environment.ip in ['10.0.0.1/8']", "no network"),
        ("resource.state in ['a', 1]", "a list holds"),
        ("resource.state in []", "a list holds"),
        ("resource.state in [subject.kind]", "a list holds"),
        ("resource.state in [1]", "cannot be compared"),
        ("5 in resource.attributes.tags", "cannot be compared"),
        ("environment.hour in resource.attributes.hours", "cannot be compared"),
        ("environment.ip in [1]", "no network"),
        ("environment.ip in subject.roles", "cannot be compared"),
        ("resource.state == 'a\\0'", "no NUL"),
        ("resource.state in ['\\ud800']", "surrogate"),
        ("resource.attributes.n < 1e999", "too large"),
        ("resource.attributes.n < -1e999", "too large"),
        ("resource.attributes.n < -True", "no fact and no value"),
        ("1 < environment.hour < 5", "two things at a time"),
        ("resource.state is 'a'", "compare with one of"),
        ("f()", "neither true nor false"),
        ("__import__('os')", "neither true nor false"),
        ("resource.state == f()", "no fact and no value"),
        ("(lambda: 1) == 1", "no fact and no value"),
        ("resource.state", "cannot be compared"),
        ("own or " * 80 + "own", "at most 500"),
        ("(" * 220 + "own" + ")" * 220, "cannot be read"),
    ],
)
def test_what_is_refused_and_why(text: str, problem: str) -> None:
    with pytest.raises(ConditionInvalid) as refused:
        parse_condition(text)
    assert problem in str(refused.value)


def test_what_is_known_beforehand_is_decided_beforehand() -> None:
    work_hours = "environment.hour >= 8 and (own_team or tenant.plan == 'ENTERPRISE')"
    assert residual(parse_condition(work_hours), FACTS) == parse_condition("own_team")
    assert residual(parse_condition(work_hours), {**FACTS, "environment.hour": 7}) == NEVER
    assert residual(parse_condition("not (own and subject.is_owner)"), FACTS) == ALWAYS
    assert residual(parse_condition("not own"), FACTS) == parse_condition("not own")


def test_a_condition_says_what_it_looks_at() -> None:
    condition = parse_condition("own or not ('a' in resource.attributes.tags and resource.attributes.n > 1)")
    assert attributes_of(condition) == {"tags": Kind.TEXTS, "n": Kind.NUMBER}
    assert {fact.path for fact in facts_of(condition)} >= {"resource.owner", "resource.attributes.n"}
    assert attributes_of(parse_condition("resource.attributes.a in [1]")) == {"a": Kind.NUMBER}
    assert attributes_of(parse_condition("resource.attributes.a in subject.roles")) == {"a": Kind.TEXT}
    assert attributes_of(parse_condition("subject.is_owner and own")) == {}
    assert list(facts_of(ALWAYS)) == []
    assert attributes_of(ALWAYS) == {}


@pytest.mark.parametrize(
    ("ip", "within"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.1.2.3", False),
        ("2001:db8::7", True),
        ("nowhere", False),
        (None, False),
    ],
)
def test_an_address_is_in_a_network_of_its_kind(ip: str | None, within: bool) -> None:
    condition = parse_condition("environment.ip in ['10.0.0.0/8', '2001:db8::/32']")
    assert holds(condition, {"environment.ip": ip}) is within


ALIKE = [
    ("resource.attributes.vip == True", "resource.attributes.vip == 1"),
    ("resource.attributes.n == 0", "resource.attributes.n == False"),
    ("resource.attributes.n == 1e23", "resource.attributes.n == 99999999999999991611392"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_what_python_holds_to_be_equal_is_not_taken_for_each_other(one: str, other: str) -> None:
    # Plans and evaluations are kept by their condition, for whoever is next.
    assert parse_condition(one) != parse_condition(other)
    assert any_of([parse_condition(one), parse_condition(other)]) != parse_condition(one)


def test_a_number_is_what_is_written() -> None:
    facts = {"resource.attributes": {"n": 0.1, "large": 1e23}}
    assert holds(parse_condition("resource.attributes.n in [0.1]"), facts)
    assert holds(parse_condition(f"resource.attributes.large == {10**23}"), facts)
    assert not holds(parse_condition("resource.attributes.n > 0.1"), facts)
