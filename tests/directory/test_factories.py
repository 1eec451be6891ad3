"""The factories make what the service would."""

from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in, system_authority


async def test_a_member_signs_in_with_their_roles(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    authority = await sign_in(database, await make_member(database, tenant, "admin"))
    assert (authority.tenant, authority.roles, authority.is_owner) == (tenant.node_id, ("admin",), False)
    assert "member:invite" in authority.permissions
    async with database.writing(authority) as work:
        assert work.tenant == tenant.id


async def test_the_platforms_staff_sign_in(database: TemporaryDatabase) -> None:
    authority = await system_authority(database)
    assert (authority.scope, authority.permissions) == ("SYSTEM", {"*"})
