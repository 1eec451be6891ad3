"""Tenants: made, renamed, suspended, reactivated, put on a plan; by the platform and by their own."""

import pytest

from tenantry.directory.members.models import MemberStatus
from tenantry.directory.provisioning.tenants import create_tenant
from tenantry.directory.tenants.models import Tenant
from tenantry.directory.tenants.service import reactivate_tenant, set_plan, suspend_tenant, update_tenant
from tenantry.kernel.errors import (
    BadUserInput,
    Conflict,
    NotFound,
    ScopeMismatch,
    TenantRequired,
    Unauthenticated,
)
from tests.support.database import TemporaryDatabase
from tests.support.factories import PHONE_SYSTEM, make_tenant, platform, signed_in, system_authority
from tests.support.refusals import expect_refusal

BY_NODE_ID = {
    "suspend": suspend_tenant,
    "reactivate": reactivate_tenant,
    "set_plan": lambda work, tenant_id: set_plan(work, "gold", tenant_id),
    "update": lambda work, tenant_id: update_tenant(work, name="Mine", tenant_id=tenant_id),
}


async def row_of(database: TemporaryDatabase, tenant: Tenant) -> dict[str, object]:
    (row,) = await database.seen_by_owner("SELECT * FROM tenant WHERE node_id = $1", tenant.node_id)
    return dict(row)


async def test_the_platform_makes_a_tenant_whose_owner_is_awaited(database: TemporaryDatabase) -> None:
    staff = await system_authority(database)
    async with database.writing(staff) as work:
        tenant = await create_tenant(
            work,
            blueprint=PHONE_SYSTEM,
            slug="globex",
            name=" Globex ",
            owner_email="Hank@Globex.Example",
            plan="gold",
        )
        assert (work.tenant, [(action.name, action.targets) for action in work.actions]) == (
            tenant.id,
            [("tenant.create", (tenant.node_id,))],
        )
    row = await row_of(database, tenant)
    assert (row["slug"], row["name"], row["plan"], row["suspended"]) == ("globex", "Globex", "gold", False)
    (owner,) = await database.seen_by_owner(
        "SELECT m.*, r.key FROM member m JOIN member_role mr ON mr.member_id = m.id"
        " JOIN role r ON r.id = mr.role_id WHERE m.tenant_id = $1",
        tenant.id,
    )
    assert (owner["email"], owner["key"], owner["is_owner"]) == ("hank@globex.example", "owner", True)
    assert (owner["status"], owner["user_id"]) == (MemberStatus.ACTIVE, None)


@pytest.mark.requirement("003-02", "003-03", "003-04", "003-05", "003-27")
async def test_a_new_tenant_has_its_blueprints_roles(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    rows = await database.seen_by_owner(
        "SELECT key, name, jsonb_array_length(permissions) AS count, effective, is_locked, is_owner, scope"
        " FROM role WHERE tenant_id = $1 ORDER BY position",
        tenant.id,
    )
    assert [(row["key"], row["name"], row["count"]) for row in rows] == [
        ("owner", "Owner", 30),
        ("admin", "Admin", 29),
        ("manager", "Manager", 14),
        ("agent", "Agent", 7),
    ]
    assert all(row["is_locked"] and row["scope"] == "TENANT" for row in rows)
    assert [row["is_owner"] for row in rows] == [True, False, False, False]
    for row in rows:
        assert ({"member:own", "tenant:plan"} <= set(row["effective"])) is (row["key"] == "owner")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"slug": "A"}, "slug"),
        ({"slug": "a"}, "slug"),
        ({"slug": "two--hyphens"}, "slug"),
        ({"slug": "-edge"}, "slug"),
        ({"slug": "x" * 64}, "slug"),
        ({"slug": "line\n"}, "slug"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"plan": ""}, "plan"),
        ({"owner_email": "hank"}, "ownerEmail"),
        ({"blueprint": "no-such"}, "blueprint"),
        ({"blueprint": "platform"}, "blueprint"),
    ],
)
async def test_what_cannot_be_a_tenant(
    database: TemporaryDatabase, changes: dict[str, str], field: str
) -> None:
    staff = await system_authority(database)
    arguments = {"blueprint": PHONE_SYSTEM, "slug": "initech", "name": "Initech", **changes}
    async with expect_refusal(database, BadUserInput) as caught, database.writing(staff) as work:
        await create_tenant(work, **arguments)
    assert list(caught.value.extensions()["fields"]) == [field]


async def test_a_slug_is_taken_once(database: TemporaryDatabase) -> None:
    taken, other = await make_tenant(database), await make_tenant(database)
    async with expect_refusal(database, Conflict):
        await make_tenant(database, slug=taken.slug)
    owner = await signed_in(database, other, "owner")
    async with expect_refusal(database, Conflict), database.writing(owner) as work:
        await update_tenant(work, slug=taken.slug)


async def test_an_admin_renames_their_tenant_and_no_token_ends(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    async with database.writing(admin) as work:
        await update_tenant(work, name=" New ", slug=f"new-{tenant.slug}")
        assert [(action.name, action.targets) for action in work.actions] == [
            ("tenant.update", (tenant.node_id,))
        ]
    async with database.writing(admin) as work:
        await update_tenant(work, tenant_id=tenant.node_id)
    row = await row_of(database, tenant)
    assert (row["name"], row["slug"], row["version"]) == ("New", f"new-{tenant.slug}", 1)


async def test_a_plan_is_set_and_taken_away(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner, staff = await signed_in(database, tenant, "owner"), await system_authority(database)
    async with database.writing(staff) as work:
        await set_plan(work, "gold", tenant.node_id)
        assert [action.name for action in work.actions] == ["tenant.plan_set"]
    assert (await row_of(database, tenant))["plan"] == "gold"
    async with database.writing(owner) as work:
        await set_plan(work, None)
    assert (await row_of(database, tenant))["plan"] is None


async def test_a_suspended_tenant_stands_still(database: TemporaryDatabase) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    agent, bystander = await signed_in(database, tenant), await signed_in(database, other)
    staff = await system_authority(database)
    for verb, version in ((reactivate_tenant, 1), (suspend_tenant, 2), (suspend_tenant, 2)):
        async with database.writing(staff) as work:
            assert (await verb(work, tenant.node_id)).version == version
    with pytest.raises(Unauthenticated):
        async with database.writing(agent):
            pass
    async with database.writing(bystander) as work:
        assert work.tenant == other.id
    async with database.writing(staff) as work:
        assert (await reactivate_tenant(work, tenant.node_id)).version == 3
        assert [action.name for action in work.actions] == ["tenant.reactivate"]
    with pytest.raises(Unauthenticated):
        async with database.writing(agent):
            pass


@pytest.mark.requirement("001-31")
@pytest.mark.parametrize("verb", ["suspend", "reactivate"])
async def test_no_tenant_suspends(database: TemporaryDatabase, verb: str) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    async with expect_refusal(database, ScopeMismatch), database.writing(owner) as work:
        await BY_NODE_ID[verb](work, tenant.node_id)


async def test_no_tenant_makes_another(database: TemporaryDatabase) -> None:
    owner = await signed_in(database, await make_tenant(database), "owner")
    async with expect_refusal(database, ScopeMismatch), database.writing(owner) as work:
        await create_tenant(work, blueprint=PHONE_SYSTEM, slug="branch", name="Branch")


@pytest.mark.requirement("000-12", "001-23")
@pytest.mark.parametrize("verb", ["set_plan", "update"])
async def test_another_tenant_is_not_to_be_found(database: TemporaryDatabase, verb: str) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    for tenant_id in (other.node_id, "T_nothing", (await platform(database)).node_id):
        async with expect_refusal(database, NotFound), database.writing(owner) as work:
            await BY_NODE_ID[verb](work, tenant_id)


@pytest.mark.parametrize("verb", BY_NODE_ID)
async def test_the_platform_names_a_tenant_that_is_there_and_never_itself(
    database: TemporaryDatabase, verb: str
) -> None:
    staff = await system_authority(database)
    for tenant_id in ("T_nothing", (await platform(database)).node_id):
        async with expect_refusal(database, NotFound), database.writing(staff) as work:
            await BY_NODE_ID[verb](work, tenant_id)


async def test_the_platform_names_a_tenant_or_has_entered_one(database: TemporaryDatabase) -> None:
    tenant, staff = await make_tenant(database), await system_authority(database)
    for change in (lambda work: update_tenant(work, name="Any"), lambda work: set_plan(work, "gold")):
        async with expect_refusal(database, TenantRequired), database.writing(staff) as work:
            await change(work)
    async with database.writing(staff) as work:
        await work.enter(tenant.id)
        await update_tenant(work, name="Entered")
    assert (await row_of(database, tenant))["name"] == "Entered"
