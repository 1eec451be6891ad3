"""Asking beforehand: one word why not, what decides it, and each way to a permission."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from tenantry.access.catalogue import Catalogue, PermissionInfo
from tenantry.access.conditions import parse_condition
from tenantry.access.explanations import RoleGrants, gives, ways
from tenantry.access.facts import UNKNOWN_OF_ANOTHER, about_team, asked_of
from tenantry.access.predicates import residual
from tenantry.access.questions import (
    ABSENT,
    TEAMS,
    Holding,
    Reason,
    Subject,
    Target,
    objection,
    sees,
    verdict,
)
from tenantry.access.resource_types import Gate, ResourceType

TYPE = ResourceType(
    name="note",
    title="Note",
    schema={},
    states=(),
    gates={
        "read": Gate(any="note:read", own="note:read_own"),
        "create": Gate(own_team="note:write"),
        "update": Gate(any="note:write", own="note:write_own"),
    },
    actions={
        "print": Gate(any="note:print"),
        "show": Gate(own="note:print"),
        "share": Gate(own_team="note:share", own="note:share"),
    },
)
NOTHING = Holding(frozenset(), {})


def holding(*plain: str, **conditional: str) -> Holding:
    """What somebody holds: plainly, and under one condition each (``note__read`` for ``note:read``)."""
    return Holding(
        frozenset(plain),
        {name.replace("__", ":"): frozenset({text}) for name, text in conditional.items()},
    )


def subject(holder: Holding, **more: Any) -> Subject:
    return Subject(
        holder, {"subject.id": "anna", "environment.hour": 9, "environment.ip": "10.0.0.1"}, **more
    )


def note(owner: str, kind: ResourceType | None = TYPE, **facts: object) -> Target:
    return Target({"resource.owner": owner, "resource.type": "note", **facts}, kind)


OWN, OTHERS = note("anna"), note("bob")
READS = "note:read"

# What is held, what is asked, about what, and why not.
TABLE: list[tuple[Holding, str, Target | None, str | None]] = [
    (holding("a:b"), "a:b", None, None),
    (holding("*"), "a:b", None, None),
    (NOTHING, "a:b", None, "FORBIDDEN"),
    (NOTHING, "a:b", ABSENT, "FORBIDDEN"),
    (holding(a__b="own"), "a:b", None, "CONDITIONAL"),
    (holding(a__b="environment.hour == 9"), "a:b", None, "CONDITIONAL"),
    (holding(a__b="False"), "a:b", None, "FORBIDDEN"),
    (holding("a:b"), "a:b", ABSENT, "NOT_FOUND"),
    (holding("*"), "a:b", ABSENT, "NOT_FOUND"),
    (holding("a:b"), "a:b", Target(), None),
    (holding(a__b="environment.hour == 9"), "a:b", Target(), None),
    (holding(a__b="environment.hour == 8"), "a:b", Target(), "CONDITION_NOT_MET"),
    (holding(a__b="own"), "a:b", Target(), "CONDITION_NOT_MET"),
    (holding(a__b="not own"), "a:b", Target(), "CONDITION_NOT_MET"),
    (holding(READS, note__write="own"), "note:write", OWN, None),
    (holding(READS, note__write="own"), "note:write", OTHERS, "CONDITION_NOT_MET"),
    (holding(READS, "note:write"), "note:write", OTHERS, None),
    (holding(READS, "note:write_own"), "note:write_own", OWN, None),
    (holding(READS, "note:write_own"), "note:write_own", OTHERS, "CONDITION_NOT_MET"),
    (holding("note:read_own", "note:write"), "note:write", OWN, None),
    (holding("note:read_own", "note:write"), "note:write", OTHERS, "NOT_FOUND"),
    (holding("note:write"), "note:write", OWN, "NOT_FOUND"),
    (holding("a:b"), "a:b", OTHERS, "NOT_FOUND"),
    (holding(READS), READS, note("anna", None), "NOT_FOUND"),
    (holding("*"), READS, note("anna", None), None),
    (holding("*"), "note:write_own", OTHERS, "CONDITION_NOT_MET"),
    (holding(READS), READS, replace(OWN, personal=True), None),
    (holding(READS), READS, replace(OTHERS, personal=True), "NOT_FOUND"),
    (holding("*"), READS, replace(OTHERS, personal=True), "NOT_FOUND"),
]


@pytest.mark.parametrize(("holder", "permission", "target", "expected"), TABLE)
def test_one_word_why_not(
    holder: Holding, permission: str, target: Target | None, expected: str | None
) -> None:
    assert objection(subject(holder), permission, target) == expected


def test_a_factor_that_is_awaited_and_a_standing_that_is_none_come_first() -> None:
    everything = holding("*")
    assert objection(subject(everything, awaits_factor=True), "a:b", None) is Reason.STEP_UP_REQUIRED
    assert objection(subject(everything, active=False), "a:b", ABSENT) is Reason.MEMBER_INACTIVE


def test_of_another_it_depends_on_the_request_they_would_make() -> None:
    anna = subject(holding(READS, note__write="environment.ip in ['10.0.0.0/8']"), unknown=UNKNOWN_OF_ANOTHER)
    assert objection(anna, "note:write", OWN) is Reason.CONDITIONAL
    assert verdict(parse_condition("environment.ip in ['10.0.0.0/8'] or own"), anna, OWN) is True
    assert verdict(parse_condition("environment.ip in ['10.0.0.0/8'] and own"), anna, OTHERS) is False
    assert verdict(parse_condition("not environment.factor_age <= 5"), anna, None) is None
    careful = subject(holding(note__read="environment.ip in ['10.0.0.0/8']"), unknown=UNKNOWN_OF_ANOTHER)
    assert sees(careful, OWN) is False


def test_a_condition_about_an_object_is_undecided_without_one() -> None:
    anna = subject(NOTHING)
    decided: Mapping[str, bool | None] = {
        "own": None,
        "not own": None,
        "own or environment.hour == 9": True,
        "own and environment.hour == 8": False,
        "environment.hour == 9": True,
    }
    assert {text: verdict(parse_condition(text), anna, None) for text in decided} == decided
    left = residual(parse_condition("own and environment.hour == 9"), anna.facts)
    assert left == parse_condition("own")


def test_a_permission_is_narrowed_where_it_opens_some_objects_only() -> None:
    assert TYPE.narrowing("note:read_own") == ("own",)
    assert TYPE.narrowing("note:write") == ()
    assert TYPE.narrowing("note:share") == ("own or own_team",)
    assert TYPE.narrowing("note:print") == ("own",)
    assert TYPE.narrowing("a:b") == ()


def test_a_team_is_seen_by_who_is_in_it_or_may_read_it() -> None:
    day, night = (Target(about_team(UUID(int=key)), TEAMS) for key in (1, 2))
    manages = holding(team__manage="own_team", a__b="not own_team")
    anna = Subject(manages, {"subject.teams": frozenset({UUID(int=1)})})
    assert objection(anna, "team:manage", day) is None
    assert objection(anna, "a:b", day) is Reason.CONDITION_NOT_MET
    assert objection(anna, "team:manage", night) is Reason.NOT_FOUND
    reads = Subject(Holding(frozenset({"team:read"}), manages.conditional), anna.facts)
    assert objection(reads, "team:manage", night) is Reason.CONDITION_NOT_MET
    assert objection(reads, "a:b", night) is None


def test_of_another_person_the_facts_are_theirs() -> None:
    asker = {
        "subject.id": 1,
        "subject.email": "a@b.example",
        "environment.ip": "10.0.0.1",
        "tenant.plan": "x",
    }
    assert asked_of(asker, user_id=None, email="c@d.example", is_owner=True, roles=("agent",), teams={2}) == {
        "subject.id": None,
        "subject.email": "c@d.example",
        "subject.is_owner": True,
        "subject.kind": "USER",
        "subject.roles": ("agent",),
        "subject.teams": {2},
        "environment.ip": None,
        "environment.factor_age": None,
        "tenant.plan": "x",
    }


# --- ways -----------------------------------------------------------------------------------------

CATALOGUE = Catalogue(
    [
        PermissionInfo(name="user:invite", title="", covers=("member:invite",)),
        PermissionInfo(name="user:manage", title="", covers=("member:invite", "member:read")),
        PermissionInfo(name="note:write", title=""),
        PermissionInfo(name="note:write_own", title=""),
    ]
)


def role(*listed: str, conditional: tuple[str, ...] = (), owner: bool = False) -> RoleGrants:
    """A role of these plain grants; what it holds under a condition is listed too, as a blueprint's is."""
    named = [each.split(" when ")[0] for each in conditional]
    effective = CATALOGUE.effective(listed, owner=owner)
    return RoleGrants(
        "R_1", "role", [*listed, *(each for each in named if each in CATALOGUE)], effective, conditional
    )


def found(one: RoleGrants, permission: str, target: Target | None = None) -> list[tuple[str, Any, Any]]:
    anna = subject(NOTHING)
    made = list(ways([one], permission, CATALOGUE, subject=anna, target=target))
    assert {way.role for way in made} <= {"R_1"}
    assert gives(one, permission) is bool(made)
    return [(way.grant, way.condition, way.holds) for way in made]


def test_each_way_names_the_grant_that_comes_to_it() -> None:
    assert found(role("note:write"), "note:write") == [("note:write", None, True)]
    assert found(role("note:write"), "note:write_own") == []
    both = role("user:invite", "user:manage", "note:write")
    assert found(both, "member:invite") == [("user:invite", None, True), ("user:manage", None, True)]
    assert found(role("*"), "member:invite") == [("*", None, True)]
    assert found(role(owner=True), "member:own") == [("owner", None, True)]


def test_a_way_under_a_condition_says_whether_it_holds() -> None:
    one = role(conditional=("note:write when own", "note:write when environment.hour == 8"))
    assert found(one, "note:write") == [
        ("note:write", "own", None),
        ("note:write", "environment.hour == 8", False),
    ]
    assert [way[2] for way in found(one, "note:write", OWN)] == [True, False]
    assert [way[2] for way in found(one, "note:write", OTHERS)] == [False, False]
    covered = role(conditional=("user:invite when own", "member:invite when own"))
    assert found(covered, "member:invite") == [("user:invite", "own", None)]


def test_a_way_is_narrowed_as_its_permission_is() -> None:
    assert found(role("note:write_own"), "note:write_own", OTHERS) == [("note:write_own", "own", False)]
    one = role(conditional=("note:write_own when environment.hour == 9 or own",))
    assert found(one, "note:write_own", OWN) == [
        ("note:write_own", "(own) and (environment.hour == 9 or own)", True)
    ]
