"""Custom roles: made, changed and deleted within what their maker holds."""

import pytest

from tenantry.directory.roles.errors import RoleInUse, RoleLocked, RoleNotGrantable
from tenantry.directory.roles.models import Role
from tenantry.directory.roles.service import create_role, delete_role, update_role
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.errors import BadUserInput, Conflict, NotFound, Unauthenticated
from tenantry.kernel.principal import Authority
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in, signed_in, system_authority
from tests.support.refusals import expect_refusal


async def custom(
    database: TemporaryDatabase,
    by: Authority,
    name: str = "Night shift",
    permissions: tuple[str, ...] = ("ticket:read",),
) -> Role:
    async with database.writing(by) as work:
        return await create_role(work, name=name, permissions=permissions)


async def locked(database: TemporaryDatabase, tenant: Tenant, key: str) -> str:
    return str(
        await database.value("SELECT node_id FROM role WHERE tenant_id = $1 AND key = $2", tenant.id, key)
    )


async def row_of(database: TemporaryDatabase, role: Role) -> dict[str, object]:
    (row,) = await database.seen_by_owner("SELECT * FROM role WHERE node_id = $1", role.node_id)
    return dict(row)


@pytest.mark.requirement("004-04", "004-12", "001-34")
async def test_an_owner_makes_a_role(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    async with database.writing(owner) as work:
        role = await create_role(
            work,
            name=" Night shift ",
            description="After six.",
            permissions=["user:read", "call:read", "user:read"],
        )
        assert [(action.name, action.targets) for action in work.actions] == [
            ("role.create", (role.node_id,))
        ]
    row = await row_of(database, role)
    assert (row["tenant_id"], row["key"], row["name"]) == (tenant.id, "night_shift", "Night shift")
    assert row["description"] == "After six."
    assert row["permissions"] == '["call:read", "user:read"]'
    assert row["effective"] == ["call:read", "member:read", "team:read", "user:read"]
    assert (row["is_locked"], row["is_owner"], row["scope"]) == (False, False, "TENANT")


@pytest.mark.requirement("004-12")
async def test_the_table_of_roles_is_as_asked_for(database: TemporaryDatabase) -> None:
    columns = await database.seen_by_owner(
        "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_name = 'role' AND table_schema = 'public'"
    )
    found = {row["column_name"]: (row["data_type"], row["is_nullable"]) for row in columns}
    assert found["id"] == found["tenant_id"] == ("uuid", "NO")
    assert found["name"] == ("character varying", "NO")
    assert found["description"] == ("character varying", "YES")
    assert found["permissions"] == ("jsonb", "NO")
    (default,) = [row["column_default"] for row in columns if row["column_name"] == "permissions"]
    assert default == "'[]'::jsonb"
    tenant, other = await make_tenant(database), await make_tenant(database)
    for each in (tenant, other):
        await database.seen_by_owner("DELETE FROM role WHERE tenant_id = $1 AND key = 'agent'", each.id)
    await database.seen_by_owner("DELETE FROM tenant WHERE id = $1", tenant.id)
    count = "SELECT count(*) FROM role WHERE tenant_id = $1"
    assert (await database.value(count, tenant.id), await database.value(count, other.id)) == (0, 3)


@pytest.mark.requirement("004-13")
async def test_a_role_taken_away_with_its_table_row_is_taken_from_its_holders(
    database: TemporaryDatabase,
) -> None:
    tenant = await make_tenant(database)
    await make_member(database, tenant, "agent")
    await database.seen_by_owner("DELETE FROM role WHERE tenant_id = $1 AND key = 'agent'", tenant.id)
    assert await database.value("SELECT count(*) FROM member_role WHERE tenant_id = $1", tenant.id) == 0


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "tab\tbed"}, "name"),
        ({"name": "Fine", "description": "nul\x00"}, "description"),
        ({"name": "Fine", "key": "no key"}, "key"),
        ({"name": "Fine", "key": "k" * 61}, "key"),
        ({"name": "Fine", "permissions": ["call:read", "call:tap"]}, "permissions.1"),
        ({"name": "Fine", "permissions": ["*"]}, "permissions.0"),
        ({"name": "Fine", "permissions": ["member:own"]}, "permissions.0"),
    ],
)
async def test_what_cannot_be_a_role(
    database: TemporaryDatabase, arguments: dict[str, object], field: str
) -> None:
    owner = await signed_in(database, await make_tenant(database), "owner")
    async with expect_refusal(database, BadUserInput) as caught, database.writing(owner) as work:
        await create_role(work, **arguments)
    assert list(caught.value.extensions()["fields"]) == [field]


@pytest.mark.parametrize(
    ("name", "key"), [("Ärzte", "rzte"), ("24/7", "role_24_7"), ("日本", "role"), ("a" * 100, "a" * 60)]
)
async def test_a_name_gives_a_key(database: TemporaryDatabase, name: str, key: str) -> None:
    owner = await signed_in(database, await make_tenant(database), "owner")
    assert (await custom(database, owner, name)).key == key


async def test_a_key_is_taken_once_in_each_tenant(database: TemporaryDatabase) -> None:
    owner = await signed_in(database, await make_tenant(database), "owner")
    other = await signed_in(database, await make_tenant(database), "owner")
    await custom(database, owner)
    assert (await custom(database, other)).key == "night_shift"
    for name in ("night SHIFT", "Agent"):
        async with expect_refusal(database, Conflict):
            await custom(database, owner, name)


async def test_no_role_is_made_above_its_maker(database: TemporaryDatabase) -> None:
    admin = await signed_in(database, await make_tenant(database), "admin")
    async with expect_refusal(database, RoleNotGrantable) as caught:
        await custom(database, admin, permissions=("apikey:manage",))
    assert "apikey" not in caught.value.message


async def test_new_rights_end_the_tokens_of_those_who_hold_the_role(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    role = await custom(database, owner)
    holder = await make_member(database, tenant, "night_shift")
    bystander = await make_member(database, tenant, "agent")
    session = await sign_in(database, holder)
    async with database.writing(owner) as work:
        await update_role(work, role.node_id, permissions=["ticket:read", "ticket:delete"])
        assert [(action.name, action.targets) for action in work.actions] == [
            ("role.update", (role.node_id,))
        ]
    with pytest.raises(Unauthenticated):
        async with database.writing(session):
            pass
    assert "ticket:delete" in (await sign_in(database, holder)).permissions
    version = "SELECT version FROM member WHERE id = $1"
    assert (await database.value(version, holder.id), await database.value(version, bystander.id)) == (2, 1)


async def test_what_was_held_under_a_condition_ends_with_its_tokens(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    role = await custom(database, owner)
    # As a role that its blueprint has dropped while somebody held it.
    await database.seen_by_owner(
        "UPDATE role SET conditional = '{ticket:delete when own}' WHERE id = $1", role.id
    )
    session = await sign_in(database, await make_member(database, tenant, "night_shift"))
    assert session.conditional == {"ticket:delete": {"own"}}
    async with database.writing(owner) as work:
        await update_role(work, role.node_id, permissions=["ticket:read"])
    assert (await row_of(database, role))["conditional"] == []
    with pytest.raises(Unauthenticated):
        async with database.writing(session):
            pass


async def test_a_new_name_ends_no_token(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    role = await custom(database, owner)
    session = await sign_in(database, await make_member(database, tenant, "night_shift"))
    async with database.writing(owner) as work:
        await update_role(work, role.node_id, name="Late", description="Late.", permissions=["ticket:read"])
    async with database.writing(owner) as work:
        await update_role(work, role.node_id, description=None)
    async with database.writing(session):
        row = await row_of(database, role)
    assert (row["key"], row["name"], row["description"]) == ("night_shift", "Late", None)


async def test_a_role_above_one_is_neither_changed_nor_deleted(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner, admin = await signed_in(database, tenant, "owner"), await signed_in(database, tenant, "admin")
    above = await custom(database, owner, permissions=("apikey:manage",))
    beside = await custom(database, owner, "Beside")
    async with expect_refusal(database, RoleNotGrantable), database.writing(admin) as work:
        await update_role(work, above.node_id, permissions=[])
    async with expect_refusal(database, RoleNotGrantable), database.writing(admin) as work:
        await delete_role(work, above.node_id)
    async with expect_refusal(database, RoleNotGrantable), database.writing(admin) as work:
        await update_role(work, beside.node_id, permissions=["apikey:manage"])


async def test_an_unused_role_is_deleted(database: TemporaryDatabase) -> None:
    owner = await signed_in(database, await make_tenant(database), "owner")
    role = await custom(database, owner)
    async with database.writing(owner) as work:
        await delete_role(work, role.node_id)
        assert [(action.name, action.targets) for action in work.actions] == [
            ("role.delete", (role.node_id,))
        ]
    assert await database.value("SELECT count(*) FROM role WHERE id = $1", role.id) == 0


async def test_a_role_in_use_is_not_deleted(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    role = await custom(database, owner)
    await make_member(database, tenant, "night_shift")
    async with expect_refusal(database, RoleInUse), database.writing(owner) as work:
        await delete_role(work, role.node_id)


@pytest.mark.parametrize("key", ["owner", "agent"])
async def test_the_blueprints_roles_are_locked(database: TemporaryDatabase, key: str) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    role_id = await locked(database, tenant, key)
    async with expect_refusal(database, RoleLocked), database.writing(owner) as work:
        await update_role(work, role_id, name="Mine")
    async with expect_refusal(database, RoleLocked), database.writing(owner) as work:
        await delete_role(work, role_id)


@pytest.mark.requirement("000-12", "001-23")
async def test_another_tenants_role_is_not_to_be_found(database: TemporaryDatabase) -> None:
    owner = await signed_in(database, await make_tenant(database), "owner")
    other = await signed_in(database, await make_tenant(database), "owner")
    foreign = await custom(database, other)
    for role_id in (foreign.node_id, "R_nothing", owner.member):
        async with expect_refusal(database, NotFound), database.writing(owner) as work:
            await update_role(work, role_id, name="Mine")
        async with expect_refusal(database, NotFound), database.writing(owner) as work:
            await delete_role(work, role_id)


async def test_the_platform_has_the_roles_of_its_file_only(database: TemporaryDatabase) -> None:
    staff = await system_authority(database)
    async with expect_refusal(database, BadUserInput):
        await custom(database, staff)
