"""The ABAC suite's roles and conditions, written down here a second time by hand."""

import re

import pytest

from tenantry.access.conditions import parse_condition
from tenantry.access.permissions import parse
from tenantry.access.predicates import Facts, any_of, holds
from tenantry.directory.blueprints.document import BlueprintDocument
from tests.support.database import documents


@pytest.fixture(scope="module")
def abac_suite() -> BlueprintDocument:
    return documents()["abac-suite"]


OBSERVER = "Organization:Instance:View Member:Collection:List Agent:Collection:List"
OWN_NOTES = (
    "ContactNote:Collection:Create ContactNote:Instance:ViewOwn ContactNote:Instance:UpdateOwn"
    " ContactNote:Instance:DeleteOwn"
)
ALL_NOTES = "ContactNote:Instance:View ContactNote:Instance:Update ContactNote:Instance:Delete"
ADMINISTRATOR = (
    f"{OBSERVER} Organization:Instance:Update AuditLog:Collection:List Member:Collection:Invite"
    " Member:Instance:Update Member:Instance:Delete Team:Collection:Manage Role:Instance:Assign"
    " Role:Collection:Manage"
)
CALLS = "Call:Collection:Create Call:Instance:View Call:Instance:Update Call:Instance:Delete"
AGENTS = "Agent:Collection:Create Agent:Instance:Update Agent:Instance:Delete"
GRANTS = [
    pytest.param(
        "owner",
        f"{ADMINISTRATOR} {OWN_NOTES} {ALL_NOTES} {CALLS} {AGENTS} ApiKey:Collection:Manage",
        marks=pytest.mark.requirement("004-09"),
    ),
    ("administrator", ADMINISTRATOR),
    ("call_analyst", f"{OBSERVER} {CALLS}"),
    ("note_editor", f"{OWN_NOTES} {ALL_NOTES}"),
    ("note_writer", OWN_NOTES),
    ("observer", OBSERVER),
]


@pytest.mark.requirement("004-05", "004-10")
@pytest.mark.parametrize(("role", "granted"), GRANTS)
def test_each_role_grants_this_and_no_more(abac_suite: BlueprintDocument, role: str, granted: str) -> None:
    assert sorted(abac_suite.resolved_grants(role)) == sorted(granted.split())


@pytest.mark.requirement("004-06")
def test_every_permission_is_a_resource_a_level_and_a_variant(abac_suite: BlueprintDocument) -> None:
    spelled = re.compile(r"[A-Z][A-Za-z]*:(Collection|Instance):[A-Z][A-Za-z]*")
    assert [name for name in abac_suite.catalogue if not spelled.fullmatch(name)] == []
    assert [str(parse(name)) for name in abac_suite.catalogue] == list(abac_suite.catalogue)
    assert {"Agent:Collection:List", "Call:Instance:Update"} <= set(abac_suite.catalogue)


@pytest.mark.requirement("004-02", "004-04")
def test_one_organization_and_any_number_of_roles(abac_suite: BlueprintDocument) -> None:
    assert (abac_suite.membership, abac_suite.max_roles) == ("single", None)
    several = [person.roles for person in abac_suite.people if len(person.roles) > 1]
    assert several == [("call_analyst", "note_writer")]


@pytest.mark.requirement("004-19")
def test_rerunning_an_analysis_asks_for_the_update_of_a_call(abac_suite: BlueprintDocument) -> None:
    call = abac_suite.resources["Call"].guards()
    assert call["actions", "rerunAnalysis", "any"] == "Call:Instance:Update"


@pytest.mark.requirement("004-20")
def test_notes_have_a_permission_for_all_and_one_for_own(abac_suite: BlueprintDocument) -> None:
    assert abac_suite.resources["ContactNote"].guards() == {
        ("create", "any"): "ContactNote:Collection:Create",
        ("read", "any"): "ContactNote:Instance:View",
        ("read", "own"): "ContactNote:Instance:ViewOwn",
        ("update", "any"): "ContactNote:Instance:Update",
        ("update", "own"): "ContactNote:Instance:UpdateOwn",
        ("delete", "any"): "ContactNote:Instance:Delete",
        ("delete", "own"): "ContactNote:Instance:DeleteOwn",
    }


OWN = {"resource.owner": 1, "subject.id": 1}
OTHERS = {"resource.owner": 2, "subject.id": 1}
OPEN = {"resource.attributes": {"confidential": False}}
SECRET = {"resource.attributes": {"confidential": True}}
MONDAY_AT_8 = {"environment.weekday": 1, "environment.hour": 8}
MONDAY_AT_20 = {"environment.weekday": 1, "environment.hour": 20}
SUNDAY_AT_8 = {"environment.weekday": 7, "environment.hour": 8}


@pytest.mark.requirement("004-21")
@pytest.mark.parametrize(
    ("permission", "facts", "may"),
    [
        ("Call:Instance:View", OTHERS | OPEN, True),
        ("Call:Instance:View", OTHERS | SECRET, False),
        ("Call:Instance:View", OWN | SECRET, True),
        ("Call:Instance:Update", OTHERS | OPEN | MONDAY_AT_8, True),
        ("Call:Instance:Update", OTHERS | OPEN | MONDAY_AT_20, False),
        ("Call:Instance:Update", OTHERS | OPEN | SUNDAY_AT_8, False),
        ("Call:Instance:Update", OTHERS | SECRET | MONDAY_AT_8, False),
        ("Call:Instance:Update", OWN | SECRET | SUNDAY_AT_8, True),
        ("Call:Instance:Delete", OWN | {"environment.factor_age": 900}, True),
        ("Call:Instance:Delete", OWN | {"environment.factor_age": 901}, False),
        ("Call:Instance:Delete", OWN, False),
        ("Call:Instance:Delete", OTHERS | {"environment.factor_age": 1}, False),
    ],
)
def test_an_analyst_acts_by_attributes(
    abac_suite: BlueprintDocument, permission: str, facts: Facts, may: bool
) -> None:
    conditions = abac_suite.conditional_grants("call_analyst")[permission]
    assert holds(any_of([parse_condition(text) for text in conditions]), facts) is may
    assert permission not in abac_suite.effective_grants("call_analyst")


@pytest.mark.requirement("004-09", "004-21")
def test_the_owner_holds_without_conditions_what_others_hold_with(abac_suite: BlueprintDocument) -> None:
    assert abac_suite.conditional_grants("owner") == {}
    assert set(CALLS.split()) <= abac_suite.effective_grants("owner")


# What the service's own fields ask for, and who passes.
BUILT_INS = [
    ("tenant:read", {"owner", "administrator", "call_analyst", "observer"}),
    ("member:read", {"owner", "administrator", "call_analyst", "observer"}),
    ("team:read", {"owner", "administrator", "call_analyst", "observer"}),
    ("member:invite", {"owner", "administrator"}),
    ("member:remove", {"owner", "administrator"}),
    ("role:assign", {"owner", "administrator"}),
    ("role:manage", {"owner", "administrator"}),
    ("team:manage", {"owner", "administrator"}),
    ("audit:read", {"owner", "administrator"}),
    ("apikey:create", {"owner"}),
    ("member:own", {"owner"}),
    ("user:read_all", set[str]()),
]


@pytest.mark.requirement("004-16")
@pytest.mark.parametrize(("permission", "holders"), BUILT_INS)
def test_who_administers(abac_suite: BlueprintDocument, permission: str, holders: set[str]) -> None:
    holding = {role for role in abac_suite.roles if permission in abac_suite.effective_grants(role)}
    assert holding == holders


def test_somebody_of_the_demo_holds_each_role(abac_suite: BlueprintDocument) -> None:
    assert {role for person in abac_suite.people for role in person.roles} == set(abac_suite.roles)
