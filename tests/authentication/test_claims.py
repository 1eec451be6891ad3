"""The claims of a token: canonical values under a blueprint's own names."""

from uuid import uuid4

import pytest

from tenantry.authentication.login.claims import claims, principal_of
from tenantry.authentication.login.service import SignedIn
from tenantry.authentication.sessions.refresh import RefreshToken
from tenantry.kernel.clock import system_clock
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import Authority, Scope
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant
from tests.support.logins import identity, session_of


def signed(
    profile: dict[str, str], *, scope: Scope = Scope.TENANT, roles: tuple[str, ...] = ("a", "b")
) -> SignedIn:
    authority = Authority(
        session_id=uuid4(),
        user_id=uuid4(),
        member_id=uuid4(),
        tenant_id=PLATFORM_TENANT_KEY,
        user="U_1",
        member="M_1",
        tenant="T_1",
        scope=scope,
        permissions=frozenset({"call:read", "tenant:read"}),
        roles=roles,
        is_owner=False,
        member_version=3,
        tenant_version=4,
    )
    refresh = RefreshToken("secret", system_clock())
    return SignedIn(authority.session_id, authority, refresh, ("call:read",), profile)


@pytest.mark.requirement("003-28", "000-13")
async def test_the_phone_systems_token_speaks_its_documents_language(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await make_member(database, tenant, "owner")
    outcome = await session_of(database, identity(owner.email))
    extra = claims(outcome)
    assert set(extra) == {"orgId", "userId", "permissions"}
    assert (extra["orgId"], extra["userId"]) == (tenant.node_id, outcome.authority.user)
    permissions = extra["permissions"]
    assert isinstance(permissions, list)
    assert len(permissions) == 30
    assert principal_of(outcome.authority).roles == ("owner",)


def test_every_source_has_a_value() -> None:
    sources = ("permissions", "role", "roles", "scope", "sid", "sub", "tenant_id")
    outcome = signed({f"my_{source}": source for source in sources})
    assert claims(outcome) == {
        "my_permissions": ["call:read"],
        "my_role": "a",
        "my_roles": ["a", "b"],
        "my_scope": "tenant",
        "my_sid": str(outcome.session_id),
        "my_sub": "U_1",
        "my_tenant_id": "T_1",
    }


@pytest.mark.requirement("001-03")
def test_a_platform_token_names_no_tenant() -> None:
    outcome = signed({"tenantId": "tenant_id", "role": "role"}, scope=Scope.SYSTEM, roles=())
    assert claims(outcome) == {"tenantId": None, "role": None}
    principal = principal_of(outcome.authority)
    assert (principal.tenant, principal.scope) == (None, Scope.SYSTEM)
    assert (principal.member_version, principal.tenant_version) == (3, 4)


def test_no_profile_adds_nothing() -> None:
    assert claims(signed({})) == {}
