"""The phone system's thirty permissions and four roles, written down here a second time by hand."""

from pathlib import Path

import pytest

from tenantry.access.decisions import decide, missing
from tenantry.access.rules import requires
from tenantry.directory.blueprints.document import BlueprintDocument, load_blueprint
from tenantry.kernel.principal import Scope

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("owner", "admin", "manager", "agent")

# permission, who holds it (Owner, Admin, Manager, aGent), the requirement that its row is.
MATRIX = [
    ("org:read", "OAM", None),
    ("org:update", "OA", "003-06"),
    ("apikey:manage", "O", "003-07"),
    ("pbx:read", "OA", None),
    ("pbx:deploy", "OA", "003-08"),
    ("extension:manage", "OA", None),
    ("call:read", "OAM", "003-09"),
    ("call:read_own", "OAMG", "003-10"),
    ("call:originate", "OAMG", None),
    ("call:monitor", "OAM", None),
    ("call:export", "OA", None),
    ("report:view", "OAM", None),
    ("recording:listen", "OAM", "003-11"),
    ("recording:download", "OA", "003-12"),
    ("recording:delete", "OA", "003-13"),
    ("user:read", "OAM", None),
    ("user:invite", "OA", "003-14"),
    ("user:update", "OA", None),
    ("user:delete", "OA", "003-14"),
    ("role:assign", "OA", "003-15"),
    ("profile:read_own", "OAMG", None),
    ("profile:update_own", "OAMG", None),
    ("ticket:read", "OAMG", "003-16"),
    ("ticket:create", "OAMG", "003-16"),
    ("ticket:update", "OAMG", None),
    ("ticket:delete", "OA", "003-17"),
    ("ticket:archive", "OA", "003-17"),
    ("retention:set", "OA", None),
    ("audit:read", "OAM", "003-19"),
    ("erasure:handle", "OA", None),
]
CELLS = [
    pytest.param(
        permission,
        role,
        letter in holders,
        id=f"{role} {permission}",
        marks=[pytest.mark.requirement(row)] if row else [],
    )
    for permission, holders, row in MATRIX
    for role, letter in zip(ROLES, "OAMG", strict=True)
]


@pytest.fixture(scope="module")
def phone_system() -> BlueprintDocument:
    return load_blueprint(ROOT / "seeds" / "phone-system.yaml")


@pytest.mark.parametrize(("permission", "role", "granted"), CELLS)
def test_matrix(phone_system: BlueprintDocument, permission: str, role: str, granted: bool) -> None:
    assert (permission in phone_system.resolved_grants(role)) is granted


@pytest.mark.parametrize(
    ("role", "count"),
    [
        pytest.param("owner", 30, marks=pytest.mark.requirement("003-02")),
        pytest.param("admin", 29, marks=pytest.mark.requirement("003-03")),
        pytest.param("manager", 14, marks=pytest.mark.requirement("003-04")),
        pytest.param("agent", 7, marks=pytest.mark.requirement("003-05")),
    ],
)
def test_counts(phone_system: BlueprintDocument, role: str, count: int) -> None:
    assert len(phone_system.resolved_grants(role)) == count


@pytest.mark.requirement("003-02", "003-03")
def test_each_role_holds_all_of_the_next_and_owners_alone_the_keys(phone_system: BlueprintDocument) -> None:
    owner, admin, manager, agent = (set(phone_system.resolved_grants(role)) for role in ROLES)
    assert agent < manager < admin < owner
    assert owner - admin == {"apikey:manage"}
    assert not [name for name in agent if name.startswith("recording:")]


@pytest.mark.requirement("003-02")
def test_catalogue_and_grants_stand_in_the_documents_order(phone_system: BlueprintDocument) -> None:
    names = [permission for permission, _, _ in MATRIX]
    assert list(phone_system.catalogue) == names
    assert list(phone_system.resolved_grants("owner")) == names
    assert [*phone_system.permissions] == [
        "Organisation & Settings",
        "Calls & Recordings",
        "Users & Tickets",
        "Compliance",
    ]


# What the service's own fields ask for, and who passes.
BUILT_INS = [
    ("tenant:read", "OAM"),
    ("tenant:update", "OA"),
    ("tenant:plan", "O"),
    ("tenant:suspend", ""),
    ("tenant:create", ""),
    ("member:read", "OAM"),
    ("member:invite", "OA"),
    ("member:update", "OA"),
    ("member:suspend", "OA"),
    ("member:remove", "OA"),
    ("member:own", "O"),
    ("invitation:read", "OA"),
    ("invitation:revoke", "OA"),
    ("role:assign", "OA"),
    ("role:manage", "OA"),
    ("audit:read", "OAM"),
    ("blueprint:read", ""),
    ("user:read_all", ""),
    ("apikey:create", "O"),
]


@pytest.mark.requirement("003-02", "003-03", "003-04", "003-05", "004-09")
@pytest.mark.parametrize(("permission", "holders"), BUILT_INS)
def test_built_ins_follow_from_covers(phone_system: BlueprintDocument, permission: str, holders: str) -> None:
    holding = [role for role in ROLES if permission in phone_system.effective_grants(role)]
    assert "".join(letter for role, letter in zip(ROLES, "OAMG", strict=True) if role in holding) == holders


@pytest.mark.requirement("003-25")
def test_an_admin_cannot_grant_ownership(phone_system: BlueprintDocument) -> None:
    lacking = missing(phone_system.effective_grants("admin"), phone_system.effective_grants("owner"))
    assert {"apikey:manage", "member:own"} <= lacking
    assert not missing(phone_system.effective_grants("admin"), phone_system.effective_grants("manager"))


@pytest.mark.requirement("003-01")
def test_people_of_the_demo_tenant(phone_system: BlueprintDocument) -> None:
    assert phone_system.scope is Scope.TENANT
    assert [(person.name, person.email, *person.roles) for person in phone_system.people] == [
        ("Olivia Owner", "olivia@phone.example", "owner"),
        ("Adam Admin", "adam@phone.example", "admin"),
        ("Mia Manager", "mia@phone.example", "manager"),
        ("Gina Agent", "gina@phone.example", "agent"),
        ("Gus Agent", "gus@phone.example", "agent"),
    ]
    assert (phone_system.membership, phone_system.max_roles) == ("many", 1)


@pytest.mark.requirement("003-28")
def test_claims_spell_the_documents_names(phone_system: BlueprintDocument) -> None:
    assert phone_system.claims == {"orgId": "tenant_id", "userId": "sub", "permissions": "permissions"}


@pytest.mark.requirement("003-38")
def test_the_matrix_lives_in_one_file(phone_system: BlueprintDocument) -> None:
    own = {name for name in phone_system.catalogue if missing(frozenset(SERVICE_NAMES), [name])}
    sources = {path: path.read_text() for path in (ROOT / "src" / "tenantry").rglob("*.py")}
    repeated = [
        (str(path.relative_to(ROOT)), name)
        for path, text in sources.items()
        for name in own
        if f'"{name}"' in text or f"'{name}'" in text
    ]
    assert len(own) == 26
    assert repeated == []


SERVICE_NAMES = ("audit:read", "erasure:handle", "retention:set", "role:assign")


def test_the_platforms_staff() -> None:
    platform = load_blueprint(ROOT / "seeds" / "platform.yaml")
    assert platform.scope is Scope.SYSTEM
    assert not platform.roles
    assert platform.resolved_grants("super_admin", scope=Scope.SYSTEM) == ("*",)
    assert platform.effective_grants("support", scope=Scope.SYSTEM) == {
        "blueprint:read",
        "tenant:read",
        "user:read_all",
    }
    assert [(person.email, person.roles) for person in platform.people] == [
        ("petra@tenantry.example", ("super_admin",))
    ]


def test_no_role_no_decision(phone_system: BlueprintDocument) -> None:
    with pytest.raises(KeyError):
        phone_system.resolved_grants("nobody")
    assert not decide(requires("org:read"), None).allowed
