"""The platform's panel and a client company's, each locked from the other's people: document 001."""

from secrets import token_hex

import pytest

from tenantry.directory.tenants.models import Tenant
from tests.support.api import Product
from tests.support.factories import make_member, make_tenant, signed_in, system_authority
from tests.support.logins import address
from tests.support.paths import Visitor, error_of, records, refused

CRM = "messaging-crm"
USERS, TENANTS, BILLING = "/system/users", "/system/tenants", "/system/billing"
CONTACTS, INBOX, AUTOMATIONS = "/crm/contacts", "/crm/inbox", "/crm/automations"

SYSTEM_REQUESTS = (
    ("GET", USERS, None),
    ("GET", TENANTS, None),
    ("GET", BILLING, None),
    ("GET", f"{TENANTS}/<tenant>", None),
    ("POST", TENANTS, {"blueprint": CRM, "slug": "made-by-nobody", "name": "Made"}),
    ("PUT", f"{BILLING}/<tenant>", {"plan": "ENTERPRISE"}),
)
CRM_REQUESTS = tuple(
    (method, path, body)
    for path in (CONTACTS, INBOX, AUTOMATIONS)
    for method, body in (("GET", None), ("POST", {"name": "Made by nobody"}))
)


async def company(product: Product) -> Tenant:
    """A client company of the messaging CRM."""
    return await make_tenant(product.database, CRM)


async def as_(product: Product, tenant: Tenant, role: str) -> Visitor:
    return Visitor(product, product.as_(await signed_in(product.database, tenant, role)))


async def staff(product: Product, role: str) -> Visitor:
    return Visitor(product, product.as_(await system_authority(product.database, role)))


async def count(product: Product, table: str) -> object:
    return await product.database.value(f"SELECT count(*) FROM {table}")  # noqa: S608 - named in this file


# --- /system --------------------------------------------------------------------------------------


@pytest.mark.requirement("001-24")
async def test_staff_find_people_tenants_and_plans(product: Product) -> None:
    tenant = await company(product)
    member = await make_member(product.database, tenant, "ADMIN", email=address())
    support, boss = await staff(product, "support"), await staff(product, "super_admin")
    people = (await support.get(USERS, search=member.email)).json()
    assert ([each["email"] for each in people["nodes"]], people["totalCount"]) == ([member.email], 1)
    found = (await support.get(TENANTS, search=tenant.slug)).json()["nodes"]
    assert [(each["id"], each["blueprint"]["key"]) for each in found] == [(tenant.node_id, CRM)]
    bill = (await support.get(BILLING, search=tenant.slug)).json()["nodes"]
    assert bill == [
        {"id": tenant.node_id, "slug": tenant.slug, "name": "Acme", "plan": None, "suspended": False}
    ]
    changed = await boss.send("PUT", f"{BILLING}/{tenant.node_id}", {"plan": "ENTERPRISE"})
    assert (changed.status_code, changed.json()["plan"]) == (200, "ENTERPRISE")
    assert (await boss.send("PUT", f"{BILLING}/{tenant.node_id}", {"plan": None})).json()["plan"] is None
    assert refused(await boss.send("PUT", f"{BILLING}/T_none", {"plan": None})) == (404, "NOT_FOUND")


@pytest.mark.requirement("001-24")
async def test_a_look_into_a_tenant_is_in_its_own_trail(product: Product) -> None:
    tenant = await company(product)
    answer = await (await staff(product, "support")).get(f"{TENANTS}/{tenant.node_id}")
    assert (answer.status_code, answer.json()["slug"]) == (200, tenant.slug)
    inside = [record for record in await records(product, answer) if record["tenant_id"] == tenant.id]
    assert [(each["action"], each["path"]) for each in inside] == [
        ("read.crossing", f"{TENANTS}/{tenant.node_id}")
    ]
    assert refused(await (await staff(product, "support")).get(f"{TENANTS}/T_none")) == (404, "NOT_FOUND")


@pytest.mark.requirement("001-24")
async def test_staff_make_a_tenant(product: Product) -> None:
    slug, email = f"s-{token_hex(6)}", address()
    body = {"blueprint": CRM, "slug": slug, "name": "New", "ownerEmail": email, "plan": "STANDARD"}
    answer = await (await staff(product, "super_admin")).send("POST", TENANTS, body)
    assert (answer.status_code, answer.json()["plan"]) == (201, "STANDARD")
    again = await (await staff(product, "super_admin")).send("POST", TENANTS, body)
    assert refused(again) == (409, "CONFLICT")
    assert await product.database.value("SELECT count(*) FROM tenant WHERE slug = $1", slug) == 1


@pytest.mark.requirement("001-15", "001-26", "001-30", "001-31")
@pytest.mark.parametrize(("method", "path", "body"), SYSTEM_REQUESTS)
async def test_the_platforms_panel_is_locked_from_tenants_people(
    product: Product, method: str, path: str, body: object
) -> None:
    tenant = await company(product)
    path = path.replace("<tenant>", tenant.node_id)
    admin, tenants = await as_(product, tenant, "ADMIN"), await count(product, "tenant")
    answer = await admin.send(method, path, body)
    assert refused(answer) == (403, "SCOPE_MISMATCH")
    assert error_of(answer)["extensions"]["required"] == "SYSTEM"
    # Refused as a whole, before the document was looked at: no root field, and nothing read.
    (record,) = await records(product, answer)
    assert (record["action"], record["code"]) == ("operation.refused", "SCOPE_MISMATCH")
    assert (record["root_field"], record["method"], record["path"]) == (None, method, path)
    assert record["tenant"] == tenant.node_id
    assert refused(await Visitor(product, product.anonymous).send(method, path, body)) == (
        401, "UNAUTHENTICATED",
    )  # fmt: skip
    assert await count(product, "tenant") == tenants
    assert await product.database.value("SELECT plan FROM tenant WHERE id = $1", tenant.id) is None


@pytest.mark.requirement("001-30")
@pytest.mark.parametrize(
    ("method", "path", "body"), [request for request in SYSTEM_REQUESTS if request[0] != "GET"]
)
async def test_the_platforms_panel_asks_its_own_people_too(
    product: Product, method: str, path: str, body: object
) -> None:
    tenant = await company(product)
    tenants = await count(product, "tenant")
    answer = await (await staff(product, "support")).send(
        method, path.replace("<tenant>", tenant.node_id), body
    )
    assert refused(answer) == (403, "FORBIDDEN")
    assert await count(product, "tenant") == tenants


# --- /crm -----------------------------------------------------------------------------------------


@pytest.mark.requirement("001-25")
@pytest.mark.parametrize(
    ("path", "type_name", "attributes"),
    [
        (CONTACTS, "contact", {"phone": "+49 30 1", "company": "Acme"}),
        (INBOX, "conversation", {"channel": "sms"}),
        (AUTOMATIONS, "automation", {}),
    ],
)
async def test_a_company_lists_and_makes_its_own(
    product: Product, path: str, type_name: str, attributes: dict[str, str]
) -> None:
    tenant, other = await company(product), await company(product)
    admin = await as_(product, tenant, "ADMIN")
    for name in ("One", "Two", "Three"):
        made = await admin.send("POST", path, {"name": name, "attributes": attributes})
        assert made.status_code == 201
        assert (made.json()["type"], made.json()["attributes"]) == (type_name, attributes)
    page = (await admin.get(path, first="2")).json()
    assert ([each["name"] for each in page["nodes"]], page["totalCount"]) == (["Three", "Two"], 3)
    rest = (await admin.get(path, after=page["pageInfo"]["endCursor"])).json()
    assert [each["name"] for each in rest["nodes"]] == ["One"]
    guest = await as_(product, tenant, "GUEST")
    assert (await guest.get(path)).json()["totalCount"] == 3
    assert (await (await as_(product, other, "ADMIN")).get(path)).json()["totalCount"] == 0


@pytest.mark.requirement("001-25", "001-30")
async def test_a_guest_looks_and_makes_nothing(product: Product) -> None:
    tenant = await company(product)
    guest = await as_(product, tenant, "GUEST")
    for path in (CONTACTS, INBOX, AUTOMATIONS):
        assert refused(await guest.send("POST", path, {"name": "Mine"})) == (403, "FORBIDDEN")
        assert (await guest.get(path)).json()["totalCount"] == 0
        assert refused(await Visitor(product, product.anonymous).get(path)) == (401, "UNAUTHENTICATED")


async def test_what_a_contact_cannot_be(product: Product) -> None:
    admin = await as_(product, await company(product), "ADMIN")
    for body in (
        {},
        {"name": ""},
        {"name": "A", "attributes": {"phone": 5}},
        {"name": "A", "attributes": "x"},
    ):
        assert refused(await admin.send("POST", CONTACTS, body)) == (400, "BAD_USER_INPUT")
    assert (await admin.get(CONTACTS)).json()["totalCount"] == 0


@pytest.mark.requirement("001-15", "001-26", "001-30", "001-31")
@pytest.mark.parametrize(("method", "path", "body"), CRM_REQUESTS)
async def test_a_companys_panel_is_locked_from_the_platforms_people(
    product: Product, method: str, path: str, body: object
) -> None:
    objects = await count(product, "resource")
    answer = await (await staff(product, "super_admin")).send(method, path, body)
    assert refused(answer) == (403, "SCOPE_MISMATCH")
    assert error_of(answer)["extensions"]["required"] == "TENANT"
    (record,) = await records(product, answer)
    assert (record["action"], record["root_field"]) == ("operation.refused", None)
    assert (record["method"], record["path"]) == (method, path)
    assert await count(product, "resource") == objects


async def test_a_product_without_contacts_has_none_there(product: Product) -> None:
    tenant = await make_tenant(product.database)
    owner = await as_(product, tenant, "owner")
    for answer in (await owner.get(CONTACTS), await owner.send("POST", CONTACTS, {"name": "A"})):
        assert refused(answer) == (400, "BAD_USER_INPUT")
        assert list(error_of(answer)["extensions"]["fields"]) == ["type"]


@pytest.mark.requirement("001-21")
async def test_a_company_that_is_named_must_be_the_tokens(product: Product) -> None:
    tenant, other = await company(product), await company(product)
    admin = await as_(product, tenant, "ADMIN")
    assert (await admin.get(CONTACTS, tenantId=tenant.node_id)).status_code == 200
    assert refused(await admin.get(CONTACTS, tenantId=other.node_id)) == (404, "NOT_FOUND")
    body = {"name": "Theirs", "tenantId": other.node_id}
    assert refused(await admin.send("POST", CONTACTS, body)) == (404, "NOT_FOUND")
    assert await product.database.value("SELECT count(*) FROM resource WHERE tenant_id = $1", other.id) == 0
