"""System roles of several blueprints in one platform, its staff, and roles that a blueprint leaves behind."""

from typing import Any

import pytest_asyncio

from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.provisioning.blueprints import apply_blueprint
from tenantry.directory.provisioning.demo import ensure_demo
from tenantry.directory.provisioning.platform import bootstrap_platform
from tenantry.kernel.errors import Conflict
from tests.support.database import DatabaseServer, TemporaryDatabase, documents
from tests.support.factories import make_member, make_tenant, platform
from tests.support.refusals import expect_refusal, snapshot

ROLES = """SELECT r.key FROM role r JOIN tenant t ON t.id = r.tenant_id
  WHERE t.slug = 'platform' AND r.scope = 'SYSTEM' AND r.is_locked ORDER BY r.position"""
STAFF = """SELECT m.email, r.key FROM member m JOIN member_role mr ON mr.member_id = m.id
  JOIN role r ON r.id = mr.role_id JOIN tenant t ON t.id = m.tenant_id
  WHERE t.slug = 'platform' ORDER BY m.email"""
OF_ALL = ["super_admin", "support", "platform_admin", "SUPER_ADMIN", "ADMIN", "USER"]


@pytest_asyncio.fixture
async def fresh(database_server: DatabaseServer) -> Any:
    """A database for one test, which changes what all tenants share."""
    temporary = await database_server.create()
    yield temporary
    await database_server.drop(temporary)


async def apply(database: TemporaryDatabase, data: dict[str, Any]) -> bool:
    async with database.writing(None) as work:
        return await apply_blueprint(work, BlueprintDocument.model_validate(data))


async def column(database: TemporaryDatabase, sql: str) -> list[Any]:
    return [row[0] for row in await database.seen_by_owner(sql)]


async def test_the_platform_has_the_system_roles_of_all_blueprints_its_own_first(
    fresh: TemporaryDatabase,
) -> None:
    assert await column(fresh, ROLES) == OF_ALL


async def test_a_blueprint_changes_its_own_system_roles_and_no_others(fresh: TemporaryDatabase) -> None:
    data = documents()["messaging-crm"].model_dump()
    await make_member(fresh, await platform(fresh), "USER", email="udo@crm.example")
    del data["system_roles"]["ADMIN"]
    data["system_roles"]["SUPER_ADMIN"]["grants"] = ["tenant:read"]
    data["system_roles"]["USER"]["grants"] = ["tenant:read"]
    assert await apply(fresh, data)
    assert await column(fresh, ROLES) == ["super_admin", "support", "platform_admin", "SUPER_ADMIN", "USER"]
    assert await fresh.value("SELECT effective FROM role WHERE key = 'SUPER_ADMIN'") == ["tenant:read"]
    assert await fresh.value("SELECT effective FROM role WHERE key = 'super_admin'") == ["*"]
    assert await fresh.value("SELECT version FROM member WHERE email = 'udo@crm.example'") == 2


async def test_two_blueprints_cannot_share_a_system_role(fresh: TemporaryDatabase) -> None:
    data = documents()["contact-center"].model_dump()
    data["system_roles"]["ADMIN"] = {"title": "Another"}
    async with expect_refusal(fresh, Conflict):
        await apply(fresh, data)


async def test_what_was_applied_before_the_platform_was_there_comes_with_it(
    database_server: DatabaseServer,
) -> None:
    empty = await database_server.create(seeded=False)
    assert await apply(empty, documents()["messaging-crm"].model_dump())
    before = await column(empty, ROLES)
    async with empty.writing(None) as work:
        assert await bootstrap_platform(work, documents()["platform"])
    after = await column(empty, ROLES)
    await database_server.drop(empty)
    assert (before, after) == ([], ["super_admin", "support", "SUPER_ADMIN", "ADMIN", "USER"])


async def test_staff_come_with_the_demo_and_do_not_come_back(database_server: DatabaseServer) -> None:
    empty = await database_server.create(seeded=False)
    await ensure_demo(empty, documents().values())
    staff = await empty.seen_by_owner(STAFF)
    plans = await empty.seen_by_owner("SELECT slug, plan FROM tenant WHERE plan IS NOT NULL ORDER BY slug")
    await empty.seen_by_owner("DELETE FROM member WHERE email = 'udo@crm.example'")
    before = await snapshot(empty)
    await ensure_demo(empty, documents().values())
    after = await snapshot(empty)
    await database_server.drop(empty)
    assert [tuple(row) for row in staff] == [
        ("ada@crm.example", "ADMIN"),
        ("petra@tenantry.example", "super_admin"),
        ("piet@contact.example", "platform_admin"),
        ("stella@crm.example", "SUPER_ADMIN"),
        ("udo@crm.example", "USER"),
    ]
    assert [tuple(row) for row in plans] == [
        ("messaging-crm", "ENTERPRISE"),
        ("research-workspace", "ENTERPRISE"),
    ]
    assert after == before


async def test_a_role_left_behind_does_not_hold_plainly_what_it_held_under_a_condition(
    fresh: TemporaryDatabase,
) -> None:
    tenant = await make_tenant(fresh, "contact-center")
    await make_member(fresh, tenant, "supervisor")
    data = documents()["contact-center"].model_dump()
    del data["roles"]["supervisor"]
    for _ in range(2):
        data["title"] += "!"
        assert await apply(fresh, data)
        (role,) = await fresh.seen_by_owner(
            "SELECT * FROM role WHERE tenant_id = $1 AND key = 'supervisor'", tenant.id
        )
        assert (role["is_locked"], role["effective"]) == (False, ["report:view"])
