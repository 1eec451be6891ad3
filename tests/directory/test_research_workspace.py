"""The research workspace's three roles and two plans, written down here a second time by hand."""

import pytest

from tenantry.directory.blueprints.document import BlueprintDocument
from tests.support.database import documents


@pytest.fixture(scope="module")
def research_workspace() -> BlueprintDocument:
    return documents()["research-workspace"]


# permission, who holds it (Admin, Member, Viewer), the requirement that it serves.
MATRIX = [
    ("workspace:view", "AMV", "002-15"),
    ("workspace:update", "A", "002-14"),
    ("billing:manage", "A", "002-11"),
    ("apikey:manage", "A", "002-14"),
    ("audit:read", "A", "002-14"),
    ("people:view", "AM", "002-13"),
    ("people:invite", "A", "002-10"),
    ("people:revoke", "A", "002-12"),
    ("people:organise", "A", "002-14"),
    ("role:assign", "A", "002-14"),
    ("role:manage", "A", "002-14"),
    ("project:read", "AMV", "002-15"),
    ("project:create", "AM", "002-13"),
    ("project:update", "AM", "002-13"),
    ("project:delete", "AM", "002-13"),
    ("analysis:read", "AMV", "002-15"),
    ("analysis:run", "AM", "002-13"),
    ("report:read", "AMV", "002-15"),
    ("report:generate", "AM", "002-13"),
    ("dashboard:view", "AMV", "002-15"),
    ("score:view", "AMV", "002-15"),
    ("log:keep", "AM", "002-22"),
]
CELLS = [
    pytest.param(permission, holders, id=permission, marks=pytest.mark.requirement(row))
    for permission, holders, row in MATRIX
]
ROLES = {"A": "ADMIN", "M": "MEMBER", "V": "VIEWER"}


@pytest.mark.parametrize(("permission", "holders"), CELLS)
def test_matrix(research_workspace: BlueprintDocument, permission: str, holders: str) -> None:
    holding = [
        letter for letter, key in ROLES.items() if permission in research_workspace.resolved_grants(key)
    ]
    assert "".join(holding) == holders


@pytest.mark.requirement("002-13", "002-15")
def test_the_matrix_is_the_whole_catalogue(research_workspace: BlueprintDocument) -> None:
    assert list(research_workspace.catalogue) == [permission for permission, _, _ in MATRIX]
    assert list(research_workspace.roles) == ["ADMIN", "MEMBER", "VIEWER"]


# What the service's own fields ask for, and who passes.
BUILT_INS = [
    pytest.param("member:invite", "A", marks=pytest.mark.requirement("002-10")),
    pytest.param("tenant:plan", "A", marks=pytest.mark.requirement("002-11")),
    pytest.param("member:remove", "A", marks=pytest.mark.requirement("002-12")),
    pytest.param("member:suspend", "A", marks=pytest.mark.requirement("002-12")),
    pytest.param("invitation:revoke", "A", marks=pytest.mark.requirement("002-12")),
    ("invitation:read", "A"),
    ("member:read", "AM"),
    ("team:read", "AM"),
    ("team:manage", "A"),
    ("tenant:read", "AMV"),
    ("tenant:update", "A"),
    ("audit:read", "A"),
    ("role:assign", "A"),
    ("role:manage", "A"),
    ("apikey:create", "A"),
    ("member:own", "A"),
    ("user:read_all", ""),
]


@pytest.mark.requirement("002-14")
@pytest.mark.parametrize(("permission", "holders"), BUILT_INS)
def test_only_admins_administer(research_workspace: BlueprintDocument, permission: str, holders: str) -> None:
    holding = [
        letter for letter, key in ROLES.items() if permission in research_workspace.effective_grants(key)
    ]
    assert "".join(holding) == holders


@pytest.mark.requirement("002-15", "002-16")
def test_a_viewer_reads_and_neither_changes_nor_calculates(research_workspace: BlueprintDocument) -> None:
    viewer = research_workspace.effective_grants("VIEWER")
    opened = {
        (kind, path)
        for kind, resource in research_workspace.resources.items()
        for path, permission in resource.guards().items()
        if permission in viewer
    }
    assert opened == {
        (kind, ("read", "any")) for kind in ("project", "analysis", "report", "dashboard", "health_score")
    }


@pytest.mark.requirement("002-16")
@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("project", ("actions", "calculate", "any")),
        ("dashboard", ("actions", "calculate", "any")),
        ("analysis", ("create", "any")),
        ("analysis", ("actions", "rerun", "any")),
    ],
)
def test_a_calculation_is_an_action_that_asks_for_analysis(
    research_workspace: BlueprintDocument, kind: str, path: tuple[str, ...]
) -> None:
    assert research_workspace.resources[kind].guards()[path] == "analysis:run"


@pytest.mark.requirement("002-22")
def test_a_research_log_is_its_writers_alone(research_workspace: BlueprintDocument) -> None:
    personal = [kind for kind, resource in research_workspace.resources.items() if resource.personal]
    assert personal == ["research_log"]
    assert research_workspace.resources["research_log"].guards() == {
        ("read", "own"): "log:keep",
        ("create", "any"): "log:keep",
        ("update", "own"): "log:keep",
        ("delete", "own"): "log:keep",
    }


@pytest.mark.requirement("002-11")
def test_two_plans(research_workspace: BlueprintDocument) -> None:
    plans = research_workspace.plans
    assert [(key, plan.custom_roles, plan.max_members) for key, plan in plans.items()] == [
        ("SMB", False, 20),
        ("ENTERPRISE", True, None),
    ]


def test_somebody_of_the_demo_holds_each_role(research_workspace: BlueprintDocument) -> None:
    held = {role for person in research_workspace.people for role in person.roles}
    assert held == {"ADMIN", "MEMBER", "VIEWER"}
    assert research_workspace.membership == "many"
