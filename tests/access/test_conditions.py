"""The language of conditions: what is read, what is refused, and what it means."""

import pytest

from tenantry.access.conditions import ConditionInvalid, Kind, attributes_of, facts_of, parse_condition
from tenantry.access.predicates import ALWAYS, NEVER, Facts, holds, residual

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
    "resource.attributes.seconds in [30, 60]",
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
    assert list(facts_of(ALWAYS)) == []
    assert attributes_of(ALWAYS) == {}
