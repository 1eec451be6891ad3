"""The contact centre's roles, written down here a second time by hand, and where supervisors may barge."""

import pytest

from tenantry.access.conditions import parse_condition
from tenantry.access.predicates import Facts, holds
from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.kernel.principal import Scope
from tests.support.database import documents


@pytest.fixture(scope="module")
def contact_center() -> BlueprintDocument:
    return documents()["contact-center"]


AGENT = "analytics:read_own call:read_own copilot:use routing:handle"
GRANTS = [
    pytest.param(
        "ops_manager",
        "telemetry:read queue:read dashboard:read call:read report:view report:export",
        marks=pytest.mark.requirement("000-17"),
    ),
    pytest.param(
        "qa_manager",
        "rubric:manage evaluation:manage appeal:arbitrate call:read recording:listen audit:read report:view"
        " report:export",
        marks=pytest.mark.requirement("000-18"),
    ),
    pytest.param(
        "supervisor",
        "team:manage call:read call:monitor call:whisper call:barge evaluation:read report:view",
        marks=pytest.mark.requirement("000-19"),
    ),
    pytest.param(
        "senior_agent", f"{AGENT} flow:update_local kb:contribute", marks=pytest.mark.requirement("000-20")
    ),
    pytest.param("agent", AGENT, marks=pytest.mark.requirement("000-21")),
]


@pytest.mark.requirement("000-15")
@pytest.mark.parametrize(("role", "granted"), GRANTS)
def test_each_role_grants_this_and_no_more(
    contact_center: BlueprintDocument, role: str, granted: str
) -> None:
    assert sorted(contact_center.resolved_grants(role)) == sorted(granted.split())


@pytest.mark.requirement("000-16")
def test_the_platforms_admins_hold_everything_and_stand_outside_of_every_tenant(
    contact_center: BlueprintDocument,
) -> None:
    assert contact_center.resolved_grants("platform_admin", scope=Scope.SYSTEM) == ("*",)
    assert "platform_admin" not in contact_center.roles
    assert [(person.email, person.roles) for person in contact_center.staff] == [
        ("piet@contact.example", ("platform_admin",))
    ]


@pytest.mark.requirement("000-16")
def test_nobody_in_a_tenant_has_the_wildcard(contact_center: BlueprintDocument) -> None:
    assert [role for role in contact_center.roles if "*" in contact_center.effective_grants(role)] == []


SUPERVISED = {
    "call:barge": ["own_team"],
    "call:monitor": ["own_team"],
    "call:read": ["own_team"],
    "call:whisper": ["own_team"],
    "evaluation:read": ["own_team"],
    "team:manage": ["own_team"],
    "team:read": ["own_team"],
}


@pytest.mark.requirement("000-19")
def test_a_supervisor_holds_what_is_about_calls_in_own_teams_only(contact_center: BlueprintDocument) -> None:
    assert contact_center.conditional_grants("supervisor") == SUPERVISED
    assert contact_center.effective_grants("supervisor") == {"report:view"}
    others = [role for role in contact_center.roles if role != "supervisor"]
    assert [role for role in others if contact_center.conditional_grants(role)] == []


@pytest.mark.requirement("000-19")
@pytest.mark.parametrize(
    ("facts", "may"),
    [
        ({"resource.team": "north", "subject.teams": frozenset({"north"})}, True),
        ({"resource.team": "south", "subject.teams": frozenset({"north"})}, False),
        ({"resource.team": None, "subject.teams": frozenset({"north"})}, False),
        ({"resource.team": "north", "subject.teams": frozenset[str]()}, False),
    ],
)
def test_barging_is_for_calls_of_own_teams(
    contact_center: BlueprintDocument, facts: Facts, may: bool
) -> None:
    (condition,) = contact_center.conditional_grants("supervisor")["call:barge"]
    assert holds(parse_condition(condition), facts) is may


# What the service's own fields ask for, and who passes without a condition.
BUILT_INS = [
    ("member:invite", {"owner"}),
    ("member:read", {"owner"}),
    ("member:remove", {"owner"}),
    ("member:suspend", {"owner"}),
    ("invitation:revoke", {"owner"}),
    ("role:assign", {"owner"}),
    ("role:manage", {"owner"}),
    ("team:manage", {"owner"}),
    ("apikey:create", {"owner"}),
    ("audit:read", {"owner", "qa_manager"}),
    ("tenant:create", set[str]()),
    ("user:read_all", set[str]()),
]


@pytest.mark.requirement("000-15")
@pytest.mark.parametrize(("permission", "holders"), BUILT_INS)
def test_who_administers(contact_center: BlueprintDocument, permission: str, holders: set[str]) -> None:
    holding = {role for role in contact_center.roles if permission in contact_center.effective_grants(role)}
    assert holding == holders


@pytest.mark.requirement("000-11", "000-19", "000-21")
def test_what_opens_which_object(contact_center: BlueprintDocument) -> None:
    call = contact_center.resources["call"].guards()
    assert call["read", "any"] == "call:read"
    assert call["read", "own"] == "call:read_own"
    assert {action: call["actions", action, "any"] for action in ("monitor", "whisper", "barge")} == {
        "monitor": "call:monitor",
        "whisper": "call:whisper",
        "barge": "call:barge",
    }
    for kind, permission in (
        ("ai_model", "model:manage"),
        ("prompt_template", "prompt:manage"),
        ("asr_configuration", "asr:manage"),
    ):
        assert contact_center.resources[kind].guards()["create", "any"] == permission


def test_somebody_of_the_demo_holds_each_role(contact_center: BlueprintDocument) -> None:
    held = {role for person in contact_center.people for role in person.roles}
    assert held == {"owner", "ops_manager", "qa_manager", "supervisor", "senior_agent", "agent"}
    assert {person.email.partition("@")[2] for person in contact_center.people} == {"contact.example"}
