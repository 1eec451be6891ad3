"""Making and changing tenants through the wire: by the platform, and by a tenant's own people."""

from secrets import token_hex

import pytest

from tests.support.api import Product, Speaker
from tests.support.logins import address
from tests.support.world import World

CREATE = """mutation($input: TenantCreateInput!) { tenantCreate(input: $input) {
    tenant { id slug name plan suspended blueprint { key roles { key permissions } } } } }"""
UPDATE = "mutation($input: TenantUpdateInput!) { tenantUpdate(input: $input) { tenant { name slug } } }"
SUSPEND = """mutation($tenant: ID!) { tenantSuspend(input: {tenantId: $tenant}) {
    tenant { id suspended } } }"""
REACTIVATE = """mutation($tenant: ID!) { tenantReactivate(input: {tenantId: $tenant}) {
    tenant { id suspended } } }"""
PLAN = "mutation($input: TenantPlanSetInput!) { tenantPlanSet(input: $input) { tenant { plan } } }"
WHO = "{ viewer { scope } }"


async def platform(product: Product) -> Speaker:
    """One of the platform's staff."""
    return await (await World.make(product)).enter("platform")


@pytest.mark.requirement("003-01", "J-01")
async def test_a_tenant_is_made_and_its_owner_signs_in(product: Product) -> None:
    staff = await platform(product)
    slug, email = f"t-{token_hex(5)}", address()
    given = {"blueprint": "phone-system", "slug": slug, "name": "Acme", "ownerEmail": email, "plan": "gold"}
    reply = await staff.ask(CREATE, {"input": given})
    made = reply.data["tenantCreate"]["tenant"]
    assert (made["slug"], made["name"], made["plan"], made["suspended"]) == (slug, "Acme", "gold", False)
    counts = {role["key"]: len(role["permissions"]) for role in made["blueprint"]["roles"]}
    assert counts == {"owner": 30, "admin": 29, "manager": 14, "agent": 7}
    login = await product.login(email)
    assert login["viewer"]["tenant"]["id"] == made["id"]
    mine = await product.with_token(login["accessToken"]).query(
        "{ tenant { members(first: 2) { nodes { email isOwner } } } }"
    )
    assert mine["tenant"]["members"]["nodes"] == [{"email": email, "isOwner": True}]
    assert (await staff.ask(CREATE, {"input": given})).codes == ["CONFLICT"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"slug": "No Slug"}, "slug"),
        ({"name": " "}, "name"),
        ({"blueprint": "none"}, "blueprint"),
        ({"blueprint": "platform"}, "blueprint"),
        ({"ownerEmail": "nobody"}, "ownerEmail"),
    ],
)
async def test_what_makes_no_tenant(product: Product, changes: dict[str, str], field: str) -> None:
    staff = await platform(product)
    slug = f"t-{token_hex(5)}"
    given = {"blueprint": "phone-system", "slug": slug, "name": "Acme"} | changes
    reply = await staff.ask(CREATE, {"input": given})
    assert reply.codes == ["BAD_USER_INPUT"]
    assert list(reply.errors[0]["extensions"]["fields"]) == [field]
    assert await product.database.value("SELECT count(*) FROM tenant WHERE slug = $1", slug) == 0


@pytest.mark.requirement("003-06")
async def test_a_tenant_changes_its_own_name_and_the_platform_any(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    slug = f"n-{token_hex(5)}"
    data = await admin.query(UPDATE, input={"name": "Ours", "slug": slug})
    assert data["tenantUpdate"]["tenant"] == {"name": "Ours", "slug": slug}
    staff = await platform(product)
    reply = await staff.ask(UPDATE, {"input": {"tenantId": world.tenant.node_id, "name": "Theirs"}})
    assert reply.data["tenantUpdate"]["tenant"] == {"name": "Theirs", "slug": slug}
    (record,) = await product.trail(reply)
    assert (record["tenant_id"], record["tenant"]) == (world.tenant.id, world.tenant.node_id)
    assert record["actor_role"] == "super_admin"
    assert record["actor_tenant"] is None
    assert (await staff.ask(UPDATE, {"input": {"name": "X"}})).codes == ["TENANT_REQUIRED"]


async def test_a_plan_is_set_and_taken_away(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    for plan in ("gold", None):
        data = await owner.query(PLAN, input={"plan": plan})
        assert data["tenantPlanSet"]["tenant"]["plan"] == plan


async def test_in_a_suspended_tenant_nobody_acts(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    assert (await owner.ask(WHO)).status == 200
    staff = await platform(product)
    data = await staff.query(SUSPEND, tenant=world.tenant.node_id)
    assert data["tenantSuspend"]["tenant"] == {"id": world.tenant.node_id, "suspended": True}
    refused = await owner.ask(WHO)
    assert (refused.status, refused.errors[0]["extensions"]["reason"]) == (401, "TENANT_SUSPENDED")
    email = await product.database.value("SELECT email FROM member WHERE id = $1", world.owner.member_id)
    assert (await product.login(str(email)))["__typename"] == "MemberSuspended"
    data = await staff.query(REACTIVATE, tenant=world.tenant.node_id)
    assert data["tenantReactivate"]["tenant"]["suspended"] is False
    assert (await product.login(str(email)))["__typename"] == "LoginSuccess"


async def test_the_platform_finds_tenants_and_people_and_sees_inside_one_by_name(product: Product) -> None:
    world = await World.make(product)
    staff = await platform(product)
    data = await staff.query(
        """query($slug: String!, $id: ID!) { system {
            tenants(first: 5, search: $slug) { totalCount nodes { id } }
            users(first: 5, search: "people.example") { nodes { email } }
            blueprints { key }
            tenant(id: $id) { name members(first: 5) { nodes { id email } } } } }""",
        slug=world.tenant.slug,
        id=world.tenant.node_id,
    )
    seen = data["system"]
    assert seen["tenants"] == {"totalCount": 1, "nodes": [{"id": world.tenant.node_id}]}
    assert [each["key"] for each in seen["blueprints"]] == [
        "abac-suite",
        "contact-center",
        "messaging-crm",
        "phone-system",
        "platform",
        "research-workspace",
    ]
    assert [each["id"] for each in seen["tenant"]["members"]["nodes"]] == [world.owner.member]
    assert seen["users"]["nodes"]
    refused = await staff.ask(
        "{ system { tenants(first: 1) { nodes { members(first: 1) { totalCount } } } } }"
    )
    assert refused.codes == ["TENANT_REQUIRED"]
