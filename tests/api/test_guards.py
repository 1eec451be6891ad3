"""Guards over fields that somebody builds beside the graph: who passes, and that nothing ran for others."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import strawberry
from strawberry import Schema

from tenantry.access.rules import InvalidRule
from tenantry.api.guards import (
    JwtAuthGuard,
    RolesGuard,
    ScopeGuard,
    TenantGuard,
    current_user,
    roles,
    scopes,
)
from tenantry.authentication.api_keys.service import authority_of
from tenantry.kernel.principal import Authority, Scope
from tests.support.api import Product
from tests.support.factories import make_api_key, make_tenant, signed_in, system_authority

CRM = "messaging-crm"


@dataclass
class Asking:
    """A context: who asks, and which resolvers have run."""

    authority: Authority | None
    ran: list[str] = field(default_factory=list[str])


def note(info: strawberry.Info, name: str) -> str:
    info.context.ran.append(name)
    return name


@strawberry.type
class Query:
    @strawberry.field(extensions=[JwtAuthGuard()])
    def signed_in(self, info: strawberry.Info) -> str:
        return note(info, "signedIn")

    @strawberry.field(description="The platform's.", extensions=[ScopeGuard("system")])
    async def system(self, info: strawberry.Info) -> str:
        return note(info, "system")

    @strawberry.field(extensions=[RolesGuard("ADMIN", "USER", scope=Scope.TENANT)])
    def worker(self, info: strawberry.Info) -> str:
        return note(info, "worker")

    @scopes("tenant")
    @roles("TENANT_ADMIN")
    @strawberry.field
    async def admin(self, info: strawberry.Info) -> str:
        return note(info, "admin")

    @roles("SYSTEM_SUPER_ADMIN", "SYSTEM_super_admin")
    @strawberry.field
    def boss(self, info: strawberry.Info) -> str:
        return note(info, "boss")

    @strawberry.field(extensions=[JwtAuthGuard(), TenantGuard("tenant_id"), ScopeGuard(Scope.TENANT)])
    def inside(self, info: strawberry.Info, tenant_id: strawberry.ID | None = strawberry.UNSET) -> str:
        return note(info, "inside" if tenant_id is strawberry.UNSET else f"inside {tenant_id}")

    @strawberry.field(extensions=[TenantGuard()])
    def anywhere(self, info: strawberry.Info) -> str:
        return note(info, "anywhere")

    @strawberry.field
    def me(self, info: strawberry.Info) -> str:
        return current_user(info).user


SCHEMA = Schema(Query)


async def ask(asking: Asking, name: str, arguments: str = "") -> tuple[str | None, dict[str, Any] | None]:
    """What a field answers, or else the facts of the one error."""
    result = await SCHEMA.execute(f"{{ {name}{arguments} }}", context_value=asking)
    if result.errors is None:
        assert result.data is not None
        return result.data[name], None
    (error,) = result.errors
    assert result.data is None
    assert error.path == [name]
    return None, error.extensions


async def callers(product: Product) -> dict[str, Authority | None]:
    """Live authorities, read from the database as a login leaves them."""
    database = product.database
    tenant, other = await make_tenant(database, CRM), await make_tenant(database, CRM)
    found: dict[str, Authority | None] = {
        role: await signed_in(database, tenant, role) for role in ("ADMIN", "USER", "GUEST")
    }
    return found | {
        "other ADMIN": await signed_in(database, other, "ADMIN"),
        "super_admin": await system_authority(database, "super_admin"),
        "support": await system_authority(database, "support"),
        "anonymous": None,
    }


EVERYBODY = {"ADMIN", "USER", "GUEST", "other ADMIN", "super_admin", "support"}
COMPANIES = {"ADMIN", "USER", "GUEST", "other ADMIN"}
PASS = {
    "signedIn": EVERYBODY,
    "system": {"super_admin", "support"},
    "worker": {"ADMIN", "USER", "other ADMIN"},
    "admin": {"ADMIN", "other ADMIN"},
    "boss": {"super_admin"},
    "inside": COMPANIES,
    "anywhere": COMPANIES,
}
MISMATCHED = {
    "system": COMPANIES,
    "boss": COMPANIES,
    "worker": {"super_admin", "support"},
    "admin": {"super_admin", "support"},
    "inside": {"super_admin", "support"},
    "anywhere": {"super_admin", "support"},
}


@pytest.mark.requirement("001-16", "001-17", "001-18", "001-19", "001-20", "001-29", "001-30", "001-31")
@pytest.mark.parametrize("name", list(PASS))
async def test_who_passes_and_who_does_not(product: Product, name: str) -> None:
    for who, authority in (await callers(product)).items():
        asking = Asking(authority)
        answer, facts = await ask(asking, name)
        if who in PASS[name]:
            assert (answer, asking.ran) == (name, [name]), who
            continue
        assert asking.ran == [], who
        assert facts is not None
        expected = "SCOPE_MISMATCH" if who in MISMATCHED.get(name, set()) else "FORBIDDEN"
        assert facts["code"] == ("UNAUTHENTICATED" if who == "anonymous" else expected), who
        # No role is told to whom it is not held by.
        assert set(facts) <= {"code", "required", "reason"}


@pytest.mark.requirement("001-19", "001-21", "001-29")
async def test_a_named_tenant_is_the_callers_or_not_there(product: Product) -> None:
    database = product.database
    mine, other = await make_tenant(database, CRM), await make_tenant(database, CRM)
    asking = Asking(await signed_in(database, mine, "GUEST"))
    assert await ask(asking, "inside", f'(tenantId: "{mine.node_id}")') == (f"inside {mine.node_id}", None)
    assert await ask(asking, "inside", "(tenantId: null)") == ("inside None", None)
    asking.ran.clear()
    theirs = await ask(asking, "inside", f'(tenantId: "{other.node_id}")')
    assert theirs == await ask(asking, "inside", '(tenantId: "T_none")')
    assert theirs[1] == {"code": "NOT_FOUND"}
    staff = Asking(await system_authority(database, "super_admin"))
    _, facts = await ask(staff, "inside", f'(tenantId: "{mine.node_id}")')
    assert facts == {"code": "SCOPE_MISMATCH", "required": "TENANT"}
    assert (asking.ran, staff.ran) == ([], [])


@pytest.mark.requirement("001-20", "001-29")
async def test_the_current_user_is_whoever_asks(product: Product) -> None:
    authority = await signed_in(product.database, await make_tenant(product.database, CRM), "GUEST")
    assert await ask(Asking(authority), "me") == (authority.user, None)
    _, facts = await ask(Asking(None), "me")
    assert facts == {"code": "UNAUTHENTICATED", "reason": "MISSING"}


@pytest.mark.requirement("001-18", "001-29")
async def test_a_machine_is_none_of_its_issuers_roles(product: Product) -> None:
    issuer = await signed_in(product.database, await make_tenant(product.database, CRM), "ADMIN")
    made = await make_api_key(product.database, issuer, "crm:view")
    key = Asking(await authority_of(product.database, made.key.key_hash, clock=product.clock))
    assert key.authority is not None
    assert key.authority.roles == ("ADMIN",)
    assert (await ask(key, "signedIn"))[0] == "signedIn"
    _, facts = await ask(key, "admin")
    assert facts == {"code": "FORBIDDEN"}


async def test_a_context_that_does_not_say_who_asks_lets_nobody_pass() -> None:
    result = await SCHEMA.execute("{ signedIn }", context_value=object())
    assert result.data is None
    assert result.errors is not None
    assert isinstance(result.errors[0].original_error, TypeError)


@pytest.mark.requirement("001-20")
def test_a_guarded_field_prints_its_rules_once() -> None:
    printed = SCHEMA.as_str()
    assert 'admin: String! @scopes(scope: TENANT) @roles(names: ["ADMIN"], scope: TENANT)' in printed
    assert "signedIn: String! @authenticated" in printed
    assert "system: String! @scopes(scope: SYSTEM)" in printed
    assert "The platform's.\n  \n  Signed-in callers with a platform token only." in printed
    (inside,) = [line for line in printed.splitlines() if line.strip().startswith("inside(")]
    assert inside.count("@scopes") == 1
    assert "directive @roles(names: [String!]!, scope: Scope!) on FIELD_DEFINITION | OBJECT" in printed
    assert Schema(Query).as_str() == printed


def test_guards_that_cannot_be_meant_do_not_build() -> None:
    @strawberry.type
    class Mistaken:
        @strawberry.field(extensions=[TenantGuard("tenant_id")])
        def report(self) -> str:
            return ""

    with pytest.raises(TypeError, match="report has no argument tenant_id"):
        Schema(Mistaken)
    with pytest.raises(InvalidRule, match="say the scope"):
        RolesGuard("ADMIN")
    with pytest.raises(ValueError, match="GALAXY"):
        ScopeGuard("galaxy")
    with pytest.raises(TypeError, match=r"above @strawberry\.field"):
        scopes("system")(note)
