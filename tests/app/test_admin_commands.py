"""`tenantry admin`: the one way to make a super-admin, and what one is."""

from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex

import pytest
import pytest_asyncio

from tests.support.api import Product, running_product
from tests.support.command_line import CommandLine
from tests.support.database import DatabaseServer, TemporaryDatabase
from tests.support.factories import make_member, make_tenant, platform, signed_in
from tests.support.logins import address
from tests.support.refusals import snapshot

FLAG = 'SELECT is_super_admin FROM "user" WHERE email = $1'
RECORDS = """SELECT action, path, method, actor_kind, targets FROM audit_record
  WHERE action LIKE 'admin.%' AND tenant_id = '00000000-0000-0000-0000-000000000000' ORDER BY seq"""
LOOK = "query($id: ID!) { system { tenant(id: $id) { name members(first: 9) { totalCount } } } }"
ME = "{ viewer { scope permissions roles { key } } system { tenants(first: 9) { totalCount } } }"
TENANT = "{ tenant { name } }"


@pytest_asyncio.fixture
async def product(
    database_server: DatabaseServer, tmp_path: Path, tenantry: CommandLine
) -> AsyncIterator[Product]:
    """A product over a database of the test's own, which the command line knows."""
    database = await database_server.create()
    tenantry.set(database_url=database.app_dsn, owner_database_url=database.owner_dsn)
    async with running_product(database, tmp_path) as made:
        yield made
    await database_server.drop(database)


async def token_of(product: Product, email: str) -> str:
    return (await product.login(email, scope="SYSTEM"))["accessToken"]


@pytest.mark.requirement("004-07", "004-08", "004-14")
async def test_a_super_admin_looks_into_every_tenant_and_both_trails_say_so(
    product: Product, tenantry: CommandLine
) -> None:
    email, tenant = address(), await make_tenant(product.database)
    await signed_in(product.database, tenant, "owner")
    assert (await product.login(email))["code"] == "NOT_INVITED"
    assert await tenantry.run("admin", "grant", email.upper()) == (0, f"{email} is a super-admin.\n")
    assert await tenantry.run("admin", "grant", email) == (0, f"{email} is a super-admin already.\n")
    speaker = product.with_token(await token_of(product, email))
    viewer = (await speaker.query(ME.split(" system", maxsplit=1)[0] + " }"))["viewer"]
    assert (viewer["scope"], viewer["roles"]) == ("SYSTEM", [])
    reply = await speaker.ask(LOOK, {"id": tenant.node_id})
    assert reply.data["system"]["tenant"] == {"name": "Acme", "members": {"totalCount": 1}}
    records = await product.trail(reply)
    assert tenant.id in {record["tenant_id"] for record in records if record["action"] == "read.crossing"}
    assert len({record["tenant_id"] for record in records}) == 2
    assert (await speaker.ask(TENANT)).codes == ["SCOPE_MISMATCH"]
    person = await product.database.value('SELECT node_id FROM "user" WHERE email = $1', email)
    (record,) = await product.database.seen_by_owner(RECORDS)
    assert dict(record) == {
        "action": "admin.grant",
        "path": "tenantry admin grant",
        "method": "CLI",
        "actor_kind": "SYSTEM",
        "targets": [person],
    }


@pytest.mark.requirement("004-07")
async def test_what_was_given_is_taken_away_at_once(product: Product, tenantry: CommandLine) -> None:
    email = address()
    member = await make_member(product.database, await platform(product.database), "support", email=email)
    before = product.with_token(await token_of(product, email))
    await tenantry.run("admin", "grant", email)
    assert (await before.ask(ME)).codes == ["UNAUTHENTICATED"]
    speaker = product.with_token(await token_of(product, email))
    create = f'mutation {{ tenantCreate(input: {{blueprint: "phone-system", slug: "s-{member.id.hex[:9]}",'
    create += ' name: "New"}) { tenant { id } } }'
    assert (await before.ask(create)).codes == ["UNAUTHENTICATED"]
    assert (await speaker.ask(create)).errors == []
    assert await tenantry.run("admin", "revoke", email) == (0, f"{email} is no super-admin.\n")
    assert (await speaker.ask(ME)).codes == ["UNAUTHENTICATED"]
    assert (await product.with_token(await token_of(product, email)).ask(create)).codes == ["FORBIDDEN"]
    assert await product.database.value(FLAG, email) is False
    assert await tenantry.run("admin", "revoke", email) == (0, f"{email} is no super-admin already.\n")
    found = await product.database.seen_by_owner(RECORDS)
    assert [row["action"] for row in found] == ["admin.grant", "admin.revoke"]


@pytest.mark.requirement("004-14")
async def test_only_who_owns_the_database_makes_one(product: Product, tenantry: CommandLine) -> None:
    email = address()
    await make_member(product.database, await platform(product.database), "support", email=email)
    before = await snapshot(product.database)
    tenantry.set(owner_database_url=product.database.app_dsn)
    for command in ("grant", "revoke"):
        status, said = await tenantry.run("admin", command, email)
        assert (status, "permission denied" in said) == (1, True)
    tenantry.set(owner_database_url="")
    status, said = await tenantry.run("admin", "grant", "nobody")
    assert (status, "Some input cannot be taken" in said) == (1, True)
    assert await snapshot(product.database) == before
    assert await product.database.value(FLAG, email) is False


async def test_the_owner_needs_no_superuser(product: Product, tenantry: CommandLine) -> None:
    """Row security is forced for who owns the tables in production, too."""
    database, email, role = product.database, address(), f"owner_{token_hex(4)}"
    await database.seen_by_owner(f"CREATE ROLE {role} LOGIN")
    await database.seen_by_owner(f"GRANT tenantry_guard TO {role}")
    await database.seen_by_owner(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    tenantry.set(owner_database_url=database.owner_dsn.replace("postgres@", f"{role}@"))
    try:
        assert await tenantry.run("admin", "grant", email) == (0, f"{email} is a super-admin.\n")
        assert await database.value(FLAG, email) is True
        assert await tenantry.run("admin", "revoke", email) == (0, f"{email} is no super-admin.\n")
        assert await database.value(FLAG, email) is False
    finally:
        await database.seen_by_owner(f"DROP OWNED BY {role}")
        await database.seen_by_owner(f"DROP ROLE {role}")


async def test_without_the_owners_database_nothing_is_tried(
    tenantry: CommandLine, database: TemporaryDatabase
) -> None:
    tenantry.set(database_url=database.app_dsn)
    status, said = await tenantry.run("admin", "grant", address())
    assert (status, "TENANTRY_OWNER_DATABASE_URL" in said) == (1, True)


async def test_before_there_is_a_platform_nobody_is_made_one(
    database_server: DatabaseServer, tenantry: CommandLine
) -> None:
    empty = await database_server.create(seeded=False)
    tenantry.set(owner_database_url=empty.owner_dsn)
    status, said = await tenantry.run("admin", "grant", address())
    assert (status, "no platform yet" in said) == (1, True)
    assert await empty.value('SELECT count(*) FROM "user"') == 0
    await database_server.drop(empty)
