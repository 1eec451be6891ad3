"""Blueprints applied to whole tenants, the platform made once, the demo made once."""

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from tenantry.access.permissions import OWNER_BUILT_INS
from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.blueprints.service import body_of, catalogue
from tenantry.directory.provisioning.blueprints import apply_blueprint
from tenantry.directory.provisioning.demo import ensure_demo
from tenantry.directory.provisioning.platform import bootstrap_platform
from tenantry.directory.provisioning.tenants import create_tenant
from tenantry.directory.roles.service import create_role
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.errors import BadUserInput, Unauthenticated
from tests.support.database import DatabaseServer, TemporaryDatabase, documents
from tests.support.factories import make_member, make_tenant, sign_in, signed_in, system_authority
from tests.support.refusals import expect_refusal, snapshot

PHONE = documents()["phone-system"]
Change = Callable[[dict[str, Any]], object]


@pytest_asyncio.fixture
async def fresh(database_server: DatabaseServer) -> Any:
    """A database for one test, which changes what all tenants share."""
    temporary = await database_server.create()
    yield temporary
    await database_server.drop(temporary)


def changed(change: Change) -> BlueprintDocument:
    data = PHONE.model_dump()
    change(data)
    return BlueprintDocument.model_validate(data)


async def apply(database: TemporaryDatabase, document: BlueprintDocument) -> bool:
    async with database.writing(None) as work:
        return await apply_blueprint(work, document)


async def role(database: TemporaryDatabase, tenant: Tenant, key: str) -> dict[str, Any]:
    rows = await database.seen_by_owner(
        "SELECT * FROM role WHERE tenant_id = $1 AND key = $2", tenant.id, key
    )
    return dict(rows[0]) if rows else {}


async def version(database: TemporaryDatabase, tenant: Tenant, email: str) -> object:
    return await database.value(
        "SELECT version FROM member WHERE tenant_id = $1 AND email = $2", tenant.id, email
    )


async def test_the_same_blueprint_again_changes_nothing(fresh: TemporaryDatabase) -> None:
    tenant = await make_tenant(fresh)
    await make_member(fresh, tenant, "owner")
    before = await snapshot(fresh)
    assert not await apply(fresh, documents()["phone-system"])
    assert await snapshot(fresh) == before


async def test_a_changed_role_changes_in_every_tenant_and_ends_its_holders_tokens(
    fresh: TemporaryDatabase,
) -> None:
    tenants = [await make_tenant(fresh), await make_tenant(fresh)]
    for tenant in tenants:
        await make_member(fresh, tenant, "manager", email="mia@phone.example")
        await make_member(fresh, tenant, "agent", email="gina@phone.example")
    session = await sign_in(fresh, await make_member(fresh, tenants[0], "manager"))
    document = changed(lambda data: data["roles"]["manager"].update(grants=["call:read", "org:read"]))
    assert await apply(fresh, document)
    for tenant in tenants:
        manager = await role(fresh, tenant, "manager")
        assert manager["effective"] == sorted(document.effective_grants("manager"))
        assert await version(fresh, tenant, "mia@phone.example") == 2
        assert await version(fresh, tenant, "gina@phone.example") == 1
    with pytest.raises(Unauthenticated):
        async with fresh.writing(session):
            pass


async def test_a_new_title_ends_no_token(fresh: TemporaryDatabase) -> None:
    tenant = await make_tenant(fresh)
    await make_member(fresh, tenant, "agent", email="gina@phone.example")
    assert await apply(fresh, changed(lambda data: data["roles"]["agent"].update(title="Operator")))
    assert (await role(fresh, tenant, "agent"))["name"] == "Operator"
    assert await version(fresh, tenant, "gina@phone.example") == 1


async def test_a_role_comes_and_goes_with_the_blueprint(fresh: TemporaryDatabase) -> None:
    tenant = await make_tenant(fresh)
    guest = {"guest": {"title": "Guest", "grants": ["ticket:read"]}}
    assert await apply(fresh, changed(lambda data: data["roles"].update(guest)))
    made = await role(fresh, tenant, "guest")
    assert (made["is_locked"], made["position"], made["effective"]) == (True, 4, ["ticket:read"])
    assert await apply(fresh, PHONE)
    assert await role(fresh, tenant, "guest") == {}


async def test_a_role_that_somebody_holds_stays_as_a_custom_one(fresh: TemporaryDatabase) -> None:
    tenant = await make_tenant(fresh)
    guest = {"guest": {"title": "Guest", "grants": ["ticket:read"]}}
    await apply(fresh, changed(lambda data: data["roles"].update(guest)))
    await make_member(fresh, tenant, "guest", email="guest@phone.example")
    await apply(fresh, PHONE)
    kept = await role(fresh, tenant, "guest")
    assert (kept["is_locked"], kept["effective"]) == (False, ["ticket:read"])
    assert await version(fresh, tenant, "guest@phone.example") == 1


async def test_a_custom_role_loses_what_the_blueprint_no_longer_has(fresh: TemporaryDatabase) -> None:
    tenant = await make_tenant(fresh)
    owner = await signed_in(fresh, tenant, "owner")
    async with fresh.writing(owner) as work:
        await create_role(work, name="Archivist", permissions=["ticket:archive", "ticket:read"])
    await make_member(fresh, tenant, "archivist", email="arno@phone.example")

    def without_archive(data: dict[str, Any]) -> None:
        del data["permissions"]["Users & Tickets"]["ticket:archive"]
        data["roles"]["admin"]["grants"] = ["org:update"]

    await apply(fresh, changed(without_archive))
    assert (await role(fresh, tenant, "archivist"))["effective"] == ["ticket:read"]
    assert await version(fresh, tenant, "arno@phone.example") == 2


async def test_who_owns_follows_the_blueprint(fresh: TemporaryDatabase) -> None:
    tenant = await make_tenant(fresh)
    await make_member(fresh, tenant, "owner")
    await make_member(fresh, tenant, "admin", email="adam@phone.example")
    await apply(fresh, changed(lambda data: data["roles"]["admin"].update(owner=True)))
    assert set((await role(fresh, tenant, "admin"))["effective"]) >= OWNER_BUILT_INS
    owns = "SELECT is_owner FROM member WHERE email = 'adam@phone.example'"
    assert await fresh.value(owns) is True


async def test_the_body_keeps_the_order_of_the_file(database: TemporaryDatabase) -> None:
    kept = await database.value("SELECT body::text FROM blueprint WHERE key = 'phone-system'")
    body = body_of(PHONE)
    assert kept is not None
    assert list(catalogue(body)) == list(PHONE.catalogue)
    assert catalogue(body)["apikey:manage"] == PHONE.catalogue["apikey:manage"]
    assert "olivia" not in str(kept)
    assert [entry["key"] for entry in body["roles"]] == ["owner", "admin", "manager", "agent"]
    assert [entry["type"] for entry in body["resources"]] == ["call", "recording", "ticket", "extension"]


async def test_the_platform_is_made_once(fresh: TemporaryDatabase) -> None:
    before = await snapshot(fresh)
    async with fresh.writing(None) as work:
        await bootstrap_platform(work, documents()["platform"])
    assert await snapshot(fresh) == before
    people = await fresh.seen_by_owner(
        "SELECT m.email, r.key, r.scope FROM member m JOIN member_role mr ON mr.member_id = m.id"
        " JOIN role r ON r.id = mr.role_id"
    )
    assert [tuple(row) for row in people] == [("petra@tenantry.example", "super_admin", "SYSTEM")]


async def test_the_platforms_roles_follow_its_file(fresh: TemporaryDatabase) -> None:
    support = await system_authority(fresh, "support")
    data = documents()["platform"].model_dump()
    data["system_roles"]["support"]["grants"] = ["tenant:read"]
    async with fresh.writing(None) as work:
        await bootstrap_platform(work, BlueprintDocument.model_validate(data))
    with pytest.raises(Unauthenticated):
        async with fresh.writing(support):
            pass
    assert (await system_authority(fresh, "support")).permissions == {"tenant:read"}


async def test_the_demo_is_made_once_from_nothing(database_server: DatabaseServer) -> None:
    empty = await database_server.create(seeded=False)
    await ensure_demo(empty, documents().values())
    before = await snapshot(empty)
    await ensure_demo(empty, documents().values())
    assert await snapshot(empty) == before
    rows = await empty.seen_by_owner(
        "SELECT t.slug, t.name, m.email, m.status, m.user_id, m.is_owner FROM member m"
        " JOIN tenant t ON t.id = m.tenant_id WHERE t.slug IN ('platform', 'phone-system') ORDER BY 1, 3"
    )
    await database_server.drop(empty)
    assert {(row["slug"], row["name"]) for row in rows} == {
        ("platform", "Platform"),
        ("phone-system", "Phone system demo"),
    }
    assert {row["email"] for row in rows} >= {"petra@tenantry.example", "olivia@phone.example"}
    assert {(row["status"], row["user_id"]) for row in rows} == {("ACTIVE", None)}
    assert [row["email"] for row in rows if row["is_owner"]] == ["olivia@phone.example"]


async def test_a_blueprint_without_an_owner_takes_none(fresh: TemporaryDatabase) -> None:
    def ownerless(data: dict[str, Any]) -> None:
        data.update(blueprint="ownerless", people=())
        data["roles"]["owner"]["owner"] = False

    await apply(fresh, changed(ownerless))
    async with expect_refusal(fresh, BadUserInput), fresh.writing(None) as work:
        await create_tenant(
            work, blueprint="ownerless", slug="ownerless", name="Any", owner_email="a@b.example"
        )


async def test_who_holds_a_role_for_a_time_is_no_owner_when_it_becomes_an_owners(
    fresh: TemporaryDatabase,
) -> None:
    tenant = await make_tenant(fresh)
    await make_member(fresh, tenant, "owner")
    lasting, timed, guest = [await make_member(fresh, tenant, "admin") for _ in range(3)]
    later = "SET expires_at = now() + interval '7 days'"
    await fresh.seen_by_owner("UPDATE member_role " + later + " WHERE member_id = $1", timed.id)
    await fresh.seen_by_owner("UPDATE member " + later + " WHERE id = $1", guest.id)
    assert await apply(fresh, changed(lambda data: data["roles"]["admin"].update(owner=True)))
    owners = [
        await fresh.value("SELECT is_owner FROM member WHERE id = $1", each.id)
        for each in (lasting, timed, guest)
    ]
    assert owners == [True, False, False]
