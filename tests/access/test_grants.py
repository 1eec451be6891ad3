"""What is granted under conditions: who may hand it on, and who may with it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.access.catalogue import Catalogue, PermissionInfo
from tenantry.access.conditions import parse_condition
from tenantry.access.decisions import conditionally, decide
from tenantry.access.facts import asked_by
from tenantry.access.grants import by_permission, condition_of, conditional, looks_at, parse_grant, within
from tenantry.access.predicates import ALWAYS, NEVER, Facts, any_of, holds
from tenantry.access.rules import authenticated, gated, requires
from tenantry.kernel.principal import Authority, Environment, Scope

NAMES = ("a:all", "a:read", "b:read", "c:run")
CATALOGUE = Catalogue(
    [
        PermissionInfo(name="a:all", title="All", covers=("a:read", "team:read")),
        *(PermissionInfo(name=name, title=name) for name in NAMES[1:]),
    ]
)
CONDITIONS = ("own", "own_team", "not own", "resource.state == 'open'", "own and own_team", "True")
ASKED = (*NAMES, "team:read", "*")


def holder(plain: Iterable[str] = (), under: Mapping[str, frozenset[str]] | None = None) -> Authority:
    key = UUID(int=1)
    return Authority(
        session_id=key,
        user_id=key,
        member_id=key,
        tenant_id=key,
        user="U_1",
        member="M_1",
        tenant="T_1",
        scope=Scope.TENANT,
        permissions=frozenset(plain),
        roles=("agent",),
        is_owner=False,
        member_version=1,
        tenant_version=1,
        conditional=under or {},
    )


def closed(grants: Iterable[str]) -> tuple[list[str], list[str]]:
    """What a role with these grants holds plainly, and under conditions: as its row has it."""
    taken = [parse_grant(text) for text in grants]
    plain = CATALOGUE.effective(grant.permission for grant in taken if grant.condition is None)
    under = conditional(CATALOGUE, taken, plain)
    return sorted(plain), [f"{name} when {each}" for name, conditions in under.items() for each in conditions]


grant = st.one_of(
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(CONDITIONS)).map(" when ".join),
)
circumstances = st.fixed_dictionaries(
    {
        "subject.id": st.sampled_from("xy"),
        "resource.owner": st.sampled_from(["x", "y", None]),
        "resource.team": st.sampled_from(["t", None]),
        "subject.teams": st.sampled_from([frozenset("t"), frozenset[str]()]),
        "resource.state": st.sampled_from(["open", "closed"]),
    }
)


@pytest.mark.requirement("004-21")
@given(st.lists(grant, max_size=6), st.lists(grant, max_size=2), st.data(), circumstances)
def test_whoever_is_granted_something_may_nothing_that_the_granter_could_not(
    own: list[str], more: list[str], data: st.DataObject, facts: Facts
) -> None:
    plain, under = closed(own)
    granter = holder(plain, by_permission(under))
    part = [each for each in own if data.draw(st.booleans())]
    assert within(granter, *closed(part))
    plain, under = closed(part + more)
    if within(granter, plain, under):
        granted = holder(plain, by_permission(under))
        may = {
            who: {name for name in ASKED if holds(condition_of(caller, name), facts)}
            for who, caller in (("granted", granted), ("granter", granter))
        }
        assert may["granted"] <= may["granter"]


@pytest.mark.parametrize(
    ("plain", "under", "may"),
    [
        (["a:read"], [], True),
        (["b:read"], [], False),
        (["a:read", "b:read"], [], False),
        ([], ["a:read when own"], True),
        ([], ["b:read when own"], True),
        ([], ["b:read when own_team"], True),
        ([], ["b:read when own and own_team"], False),
        ([], ["b:read when own", "c:run when own"], False),
        (["*"], [], False),
        ([], [], True),
    ],
)
def test_the_subset_rule(plain: list[str], under: list[str], may: bool) -> None:
    granter = holder({"a:read"}, {"b:read": frozenset({"own", "own_team"})})
    assert within(granter, plain, under) is may
    assert within(holder({"*"}), plain, under)


def test_conditions_follow_what_a_permission_covers_unless_it_is_held_anyway() -> None:
    assert closed(["a:all when own"]) == (
        [],
        ["a:all when own", "a:read when own", "team:read when own"],
    )
    assert closed(["a:read", "a:all when own", "a:all when own_team"]) == (
        ["a:read"],
        [
            "a:all when own",
            "a:all when own_team",
            "team:read when own",
            "team:read when own_team",
        ],
    )


@pytest.mark.parametrize("text", ["a:read", "a:read when own", "a:read when resource.state == ' when '"])
def test_a_grant_is_printed_as_it_was_read(text: str) -> None:
    assert str(parse_grant(text)) == text


def test_only_grants_with_conditions_are_kept_by_permission() -> None:
    found = by_permission(["a:read", "b:read when own", "b:read when own_team"])
    assert found == {"b:read": frozenset({"own", "own_team"})}


def test_under_which_condition_a_permission_is_held() -> None:
    caller = holder({"a:read"}, {"b:read": frozenset({"own", "own_team"}), "c:run": frozenset({"own"})})
    asked = {name: condition_of(caller, name) for name in NAMES}
    own, own_team = parse_condition("own"), parse_condition("own_team")
    assert asked == {"a:all": NEVER, "a:read": ALWAYS, "b:read": any_of([own, own_team]), "c:run": own}
    assert condition_of(holder({"*"}), "c:run") == ALWAYS


def test_what_the_conditions_of_a_caller_look_at() -> None:
    aged = "own and environment.factor_age <= 900"
    caller = holder({"a:read"}, {"b:read": frozenset({"own"}), "c:run": frozenset({"own_team", aged})})
    assert [looks_at(caller, path) for path in ("environment.factor_age", "environment.ip")] == [True, False]
    assert not looks_at(holder({"a:read"}), "environment.factor_age")


@pytest.mark.parametrize(
    ("rule", "plain", "under", "depends"),
    [
        (gated(), [], [], True),
        (authenticated(), [], ["team:read"], False),
        (requires("team:read"), [], ["team:read"], True),
        (requires("team:read"), ["team:read"], ["team:read"], False),
        (requires("team:read"), ["*"], ["team:read"], False),
        (requires("team:read"), [], ["team:manage"], False),
        (requires({"team:read", "a:read"}), ["a:read"], ["team:read"], True),
        (requires({"team:read", "a:read"}), [], ["team:read"], False),
        # What the service itself asks for, but for teams, knows no conditions: held so, it is not held.
        (requires("member:read"), [], ["member:read"], False),
    ],
)
def test_when_a_decision_on_the_object_is_due(
    rule: object, plain: list[str], under: list[str], depends: bool
) -> None:
    caller = holder(plain, {name: frozenset({"own"}) for name in under})
    assert conditionally(rule, caller) is depends
    if depends:
        assert decide(rule, caller).allowed


def test_the_moment_is_utc_and_an_api_key_is_told_from_a_person() -> None:
    at = datetime(2026, 11, 30, 1, 30, tzinfo=timezone(timedelta(hours=3)))
    caller = replace(holder(), factor_at=at.astimezone(UTC) - timedelta(seconds=90), plan="SMB")
    facts = asked_by(caller, Environment("10.0.0.1", at))
    assert {path: facts[path] for path in facts if path.startswith(("environment.", "subject.kind"))} == {
        "environment.factor_age": 90,
        "environment.hour": 22,
        "environment.ip": "10.0.0.1",
        "environment.weekday": 7,
        "subject.kind": "USER",
    }
    key = asked_by(replace(caller, key="K_1"), None)
    assert (key["subject.kind"], key["tenant.plan"]) == ("API_KEY", "SMB")
    assert not any(path.startswith("environment.") for path in key)
