"""The messaging CRM's two levels of roles, written down here a second time by hand."""

import pytest

from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.kernel.principal import Scope
from tests.support.database import documents


@pytest.fixture(scope="module")
def messaging_crm() -> BlueprintDocument:
    return documents()["messaging-crm"]


# permission, who holds it: Admin, User, Guest of a tenant.
MATRIX = [
    ("crm:view", "AUG"),
    ("crm:create", "AU"),
    ("crm:update", "AU"),
    ("crm:delete", "A"),
    ("inbox:view", "AUG"),
    ("inbox:assign", "A"),
    ("message:send", "AU"),
    ("message:delete", "A"),
    ("automation:view", "AUG"),
    ("automation:create", "A"),
    ("automation:update", "A"),
    ("automation:delete", "A"),
    ("settings:view", "A"),
    ("settings:update", "A"),
    ("apikey:manage", "A"),
    ("audit:read", "A"),
    ("user:view", "AU"),
    ("user:manage", "A"),
    ("role:assign", "A"),
    ("role:manage", "A"),
]
ROLES = {"A": "ADMIN", "U": "USER", "G": "GUEST"}


@pytest.mark.requirement("001-12", "001-13", "001-14", "001-33")
@pytest.mark.parametrize(("permission", "holders"), MATRIX)
def test_matrix_of_a_tenant(messaging_crm: BlueprintDocument, permission: str, holders: str) -> None:
    holding = [letter for letter, key in ROLES.items() if permission in messaging_crm.resolved_grants(key)]
    assert "".join(holding) == holders


@pytest.mark.requirement("001-12", "001-13", "001-14", "001-33")
def test_the_matrix_is_the_whole_catalogue(messaging_crm: BlueprintDocument) -> None:
    assert list(messaging_crm.catalogue) == [permission for permission, _ in MATRIX]
    assert list(messaging_crm.roles) == ["ADMIN", "USER", "GUEST"]


SYSTEM = [
    pytest.param("SUPER_ADMIN", {"*"}, marks=pytest.mark.requirement("001-09")),
    pytest.param(
        "ADMIN",
        {"tenant:read", "tenant:create", "tenant:update", "user:read_all", "blueprint:read", "audit:read"},
        marks=pytest.mark.requirement("001-10"),
    ),
    pytest.param("USER", {"tenant:read", "blueprint:read"}, marks=pytest.mark.requirement("001-11")),
]


@pytest.mark.requirement("001-08")
@pytest.mark.parametrize(("role", "granted"), SYSTEM)
def test_roles_of_the_system(messaging_crm: BlueprintDocument, role: str, granted: set[str]) -> None:
    assert set(messaging_crm.resolved_grants(role, scope=Scope.SYSTEM)) == granted
    assert messaging_crm.effective_grants(role, scope=Scope.SYSTEM) == granted


@pytest.mark.requirement("001-08")
def test_one_key_in_two_scopes_is_two_roles(messaging_crm: BlueprintDocument) -> None:
    of_system = messaging_crm.effective_grants("ADMIN", scope=Scope.SYSTEM)
    of_tenant = messaging_crm.effective_grants("ADMIN")
    assert "user:read_all" in of_system - of_tenant
    assert "crm:delete" in of_tenant - of_system
    assert messaging_crm.roles["ADMIN"].title == "TENANT_ADMIN"


# What the service's own fields ask for, and who passes.
BUILT_INS = [
    ("member:invite", "A"),
    ("member:read", "AU"),
    ("member:remove", "A"),
    ("role:assign", "A"),
    ("role:manage", "A"),
    ("team:read", "AU"),
    ("team:manage", "A"),
    ("tenant:read", "A"),
    ("tenant:update", "A"),
    ("audit:read", "A"),
    ("apikey:create", "A"),
    ("member:own", "A"),
    ("tenant:create", ""),
    ("tenant:suspend", ""),
    ("user:read_all", ""),
    ("blueprint:read", ""),
]


@pytest.mark.requirement("001-12", "001-13", "001-14")
@pytest.mark.parametrize(("permission", "holders"), BUILT_INS)
def test_who_administers_a_tenant(messaging_crm: BlueprintDocument, permission: str, holders: str) -> None:
    holding = [letter for letter, key in ROLES.items() if permission in messaging_crm.effective_grants(key)]
    assert "".join(holding) == holders


@pytest.mark.requirement("001-14")
def test_a_guest_changes_nothing(messaging_crm: BlueprintDocument) -> None:
    guarded = {
        path
        for resource in messaging_crm.resources.values()
        for path, permission in resource.guards().items()
        if permission in messaging_crm.effective_grants("GUEST")
    }
    assert guarded == {("read", "any")}


@pytest.mark.requirement("001-03", "001-34")
def test_claims_and_plans(messaging_crm: BlueprintDocument) -> None:
    assert messaging_crm.claims == {"tenantId": "tenant_id", "userId": "sub"}
    assert [(key, plan.custom_roles, plan.max_members) for key, plan in messaging_crm.plans.items()] == [
        ("STANDARD", False, 25),
        ("ENTERPRISE", True, None),
    ]


def test_somebody_of_the_demo_holds_each_role(messaging_crm: BlueprintDocument) -> None:
    assert {role for person in messaging_crm.people for role in person.roles} == {"ADMIN", "USER", "GUEST"}
    assert {role for person in messaging_crm.staff for role in person.roles} == {
        "SUPER_ADMIN",
        "ADMIN",
        "USER",
    }
