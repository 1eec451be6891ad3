"""The second wall as PostgreSQL itself reports it, and the one gate in it."""

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import Authority
from tests.support.rows import Rows

WALLED = """
SELECT c.relname, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND (c.relname IN ('tenant', 'user', 'recovery_code', 'totp_factor')
  OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'))
"""
OWNED = """
SELECT relname FROM pg_class WHERE relowner = 'tenantry_app'::regrole
UNION ALL SELECT proname FROM pg_proc WHERE proowner = 'tenantry_app'::regrole
UNION ALL SELECT nspname FROM pg_namespace WHERE nspowner = 'tenantry_app'::regrole
"""
FOREIGN_ONLY = ("blueprint", "identity", "login_ticket", "logout_token")
REQUEST = "SELECT tenant_id, member_id, user_id, session_id FROM begin_request($1, $2, $3, $4)"
MUTATION = REQUEST.replace("begin_request", "begin_mutation")
CROSSING = "SELECT tenant_id, member_id FROM begin_crossing($1, $2, $3, $4, $5)"


def claims(authority: Authority) -> tuple[object, ...]:
    return (
        authority.tenant_id,
        authority.session_id,
        authority.member_version,
        authority.tenant_version,
    )


async def test_row_security_is_enabled_and_forced_on_everything_a_tenant_owns(rows: Rows):
    found = await rows.database.seen_by_owner(WALLED)
    names = {row["relname"] for row in found}
    assert {
        "api_key",
        "audit_record",
        "invitation",
        "member",
        "member_role",
        "recovery_code",
        "role",
        "session",
        "tenant",
        "totp_factor",
        "user",
    } <= names
    assert [row["relname"] for row in found if not (row["enabled"] and row["forced"])] == []


async def test_what_has_no_wall_is_listed_here_with_its_reason(rows: Rows):
    # blueprint is shared by design; identity and the tickets are reached by secrets that are looked up, and
    # logout_token holds hashes.
    walled = {row["relname"] for row in await rows.database.seen_by_owner(WALLED)}
    every = await rows.database.seen_by_owner("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {row["tablename"] for row in every} - walled == {*FOREIGN_ONLY, "alembic_version"}


async def test_the_role_that_serves_has_no_power_and_owns_nothing(rows: Rows):
    (role,) = await rows.database.seen_by_owner(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication"
        " FROM pg_roles WHERE rolname = 'tenantry_app'"
    )
    assert not any(role.values())
    assert await rows.database.seen_by_owner(OWNED) == []
    memberships = await rows.database.value(
        "SELECT count(*) FROM pg_auth_members WHERE member = 'tenantry_app'::regrole"
    )
    assert memberships == 0


async def test_the_guard_can_neither_sign_in_nor_bypass(rows: Rows):
    (role,) = await rows.database.seen_by_owner(
        "SELECT rolcanlogin, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'tenantry_guard'"
    )
    assert not any(role.values())


async def test_nobody_who_serves_makes_a_super_admin(rows: Rows):
    sql = "SELECT has_column_privilege('tenantry_app', '\"user\"', 'is_super_admin', 'UPDATE')"
    assert await rows.database.value(sql) is False
    insert = (
        'INSERT INTO "user" (id, node_id, email, is_super_admin, created_at)'
        " VALUES (gen_random_uuid(), 'U_x', 'x@people.example', true, now())"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await rows.database.fetch(insert, ())


@pytest.mark.parametrize("privilege", ["UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"])
async def test_the_trail_may_only_be_read_and_appended_to(rows: Rows, privilege: str):
    sql = "SELECT has_table_privilege('tenantry_app', 'audit_record', $1)"
    assert await rows.database.value(sql, privilege) is False
    assert await rows.database.value(sql, "INSERT") is True


async def test_every_function_that_looks_across_tenants_has_a_fixed_search_path(rows: Rows):
    found = await rows.database.seen_by_owner(
        "SELECT proname, proconfig, pg_get_userbyid(proowner) AS owner, proacl::text AS acl"
        " FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
    )
    assert "begin_request" in {row["proname"] for row in found}
    for row in found:
        assert row["proconfig"] == ["search_path=pg_catalog, pg_temp"]
        assert row["owner"] == "tenantry_guard"
        granted_to_everyone = ("{=X", ",=X")
        assert not any(sign in row["acl"] for sign in granted_to_everyone)


async def test_without_the_gate_a_select_sees_nothing(rows: Rows):
    await rows.signed_in(await rows.tenant(), owner=True)
    for row in await rows.database.seen_by_owner(WALLED):
        assert await rows.database.fetch(f'TABLE "{row["relname"]}"', ()) is None


async def test_the_gate_opens_for_a_live_session_and_for_its_own_statement_alone(rows: Rows):
    authority = await rows.signed_in(await rows.tenant())
    row = await rows.database.fetch(REQUEST, claims(authority))
    assert row is not None
    assert tuple(row) == (
        authority.tenant_id,
        authority.member_id,
        authority.user_id,
        authority.session_id,
    )
    assert await rows.database.fetch("SELECT * FROM member", ()) is None


SPOILERS = {
    "a revoked session": "UPDATE session SET revoked = true WHERE id = $1",
    "an expired session": "UPDATE session SET expires_at = now() - interval '1 s' WHERE id = $1",
    "a deleted session": "DELETE FROM session WHERE id = $1",
    "a suspended member": "UPDATE member SET status = 'SUSPENDED' FROM session s WHERE s.id = $1"
    " AND member.id = s.member_id",
    "a stale version of the member": "UPDATE member SET version = member.version + 1 FROM session s"
    " WHERE s.id = $1 AND member.id = s.member_id",
    "a suspended tenant": "UPDATE tenant SET suspended = true FROM session s WHERE s.id = $1"
    " AND tenant.id = s.tenant_id",
    "a stale version of the tenant": "UPDATE tenant SET version = tenant.version + 1 FROM session s"
    " WHERE s.id = $1 AND tenant.id = s.tenant_id",
}


@pytest.mark.parametrize(
    "gate", [REQUEST, REQUEST.replace("request", "mutation")], ids=["request", "mutation"]
)
@pytest.mark.parametrize("spoiler", SPOILERS.values(), ids=SPOILERS)
async def test_the_gate_stays_shut(rows: Rows, gate: str, spoiler: str):
    authority = await rows.signed_in(await rows.tenant())
    assert await rows.database.fetch(gate, claims(authority)) is not None
    await rows.execute(spoiler, authority.session_id)
    assert await rows.database.fetch(gate, claims(authority)) is None


async def test_the_gate_stays_shut_for_another_tenants_name(rows: Rows):
    authority = await rows.signed_in(await rows.tenant())
    _, *others = claims(authority)
    assert await rows.database.fetch(REQUEST, (await rows.tenant(), *others)) is None


async def test_a_session_ends_at_its_time(rows: Rows):
    member = await rows.member(await rows.tenant())
    authority = await rows.session(member, lifetime=timedelta(milliseconds=300))
    assert await rows.database.fetch(REQUEST, claims(authority)) is not None
    await asyncio.sleep(0.35)
    assert await rows.database.fetch(REQUEST, claims(authority)) is None


CHANGES = {
    "revoking the session": "UPDATE session SET revoked = true WHERE tenant_id = $1",
    "suspending the member": "UPDATE member SET status = 'SUSPENDED', version = version + 1"
    " WHERE tenant_id = $1",
    "suspending the tenant": "UPDATE tenant SET suspended = true, version = version + 1 WHERE id = $1",
}


async def change_in(rows: Rows, tenant: UUID, change: str) -> str:
    """Make ``change`` as a service would that has entered the tenant."""
    async with rows.database.writing(None) as work:
        await work.enter(tenant)
        return await (await work.driver()).execute(change, tenant)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_what_ends_a_session_waits_for_its_running_mutation(rows: Rows, change: str):
    authority = await rows.signed_in(tenant := await rows.tenant())
    async with rows.database.writing(authority) as work:
        ending = asyncio.create_task(change_in(rows, tenant, change))
        await asyncio.sleep(0.1)
        assert not ending.done()
        await rows.rename(work, tenant, "Still allowed")
    assert await ending == "UPDATE 1"
    assert await rows.database.value("SELECT name FROM tenant WHERE id = $1", tenant) == "Still allowed"
    assert await rows.database.fetch(REQUEST, claims(authority)) is None


async def test_two_mutations_of_one_tenant_do_not_wait_for_each_other(rows: Rows):
    tenant = await rows.tenant()
    one, other = await rows.signed_in(tenant), await rows.signed_in(tenant)
    async with rows.database.writing(one), asyncio.timeout(1), rows.database.writing(other) as work:
        assert work.tenant == tenant


async def test_the_platform_crosses_into_a_named_tenant_and_nobody_else_does(rows: Rows):
    await rows.tenant(key=PLATFORM_TENANT_KEY)
    staff = await rows.signed_in(PLATFORM_TENANT_KEY)
    outsider = await rows.signed_in(target := await rows.tenant())
    name = await rows.database.value("SELECT node_id FROM tenant WHERE id = $1", target)
    crossed = await rows.database.fetch(CROSSING, (*claims(staff), name))
    assert crossed is not None
    assert (crossed["tenant_id"], crossed["member_id"]) == (target, staff.member_id)
    nowhere = await rows.database.fetch(CROSSING, (*claims(staff), "T_nowhere"))
    assert nowhere is not None
    assert nowhere["tenant_id"] is None
    assert await rows.database.fetch(CROSSING, (*claims(outsider), name)) is None
    await rows.execute("UPDATE session SET revoked = true WHERE id = $1", staff.session_id)
    assert await rows.database.fetch(CROSSING, (*claims(staff), name)) is None


MEMBER = """
INSERT INTO member (tenant_id, id, node_id, email, status)
VALUES ($1, gen_random_uuid(), $2, $2, 'ACTIVE')
"""


async def test_raw_sql_meets_row_security_alone(rows: Rows):
    authority = await rows.signed_in(here := await rows.tenant())
    there = await rows.signed_in(foreign := await rows.tenant())
    async with rows.database.writing(authority) as work:
        connection = await work.driver()
        assert {row["tenant_id"] for row in await connection.fetch("SELECT tenant_id FROM member")} == {here}
        assert [row["id"] for row in await connection.fetch('SELECT id FROM "user"')] == [authority.user_id]
        assert (
            await connection.execute("UPDATE member SET name = 'x' WHERE id = $1", there.member_id)
            == "UPDATE 0"
        )
        assert await connection.execute("DELETE FROM session WHERE id = $1", there.session_id) == "DELETE 0"
        assert await connection.execute(MEMBER, here, "here@people.example") == "INSERT 0 1"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await write_raw(rows, authority, foreign)
    found = await rows.database.value("SELECT count(*) FROM member WHERE tenant_id = $1", foreign)
    assert found == 1


async def write_raw(rows: Rows, authority: Authority, tenant: UUID) -> None:
    """Write into ``tenant`` past the session."""
    async with rows.database.writing(authority) as work:
        connection = await work.driver()
        await connection.execute(MEMBER, tenant, "there@people.example")


async def test_no_row_can_point_into_another_tenant(rows: Rows):
    here, there = await rows.tenant(), await rows.tenant()
    member, role = await rows.member(here), await rows.role(there)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await rows.execute(
            "INSERT INTO member_role (tenant_id, id, member_id, role_id) VALUES ($1, $2, $2, $3)",
            here,
            member,
            role,
        )
    assert await rows.database.value("SELECT count(*) FROM member_role WHERE role_id = $1", role) == 0


async def through(rows: Rows, authority: Authority, door: str) -> set[UUID]:
    """What ``authority`` sees through a door, by key."""
    async with rows.database.writing(authority) as work:
        found = await (await work.driver()).fetch(f'TABLE "{door}"')
    return {row["id"] for row in found}


async def test_the_own_doors_show_a_persons_memberships_elsewhere_and_nobody_elses(rows: Rows):
    authority = await rows.signed_in(here := await rows.tenant())
    await rows.signed_in(there := await rows.tenant())
    elsewhere = await rows.member(there)
    await rows.execute("UPDATE member SET user_id = $1 WHERE id = $2", authority.user_id, elsewhere)
    role = await rows.role(there)
    await rows.role(there, "another")
    await rows.execute(
        "INSERT INTO member_role (tenant_id, id, member_id, role_id) VALUES ($1, $2, $3, $2)",
        there,
        role,
        elsewhere,
    )
    assert await through(rows, authority, "own_member") == {authority.member_id, elsewhere}
    assert await through(rows, authority, "own_tenant") == {here, there}
    assert await through(rows, authority, "own_role") == {role}
    assert await through(rows, authority, "own_member_role") == {role}
    assert await through(rows, authority, "member") == {authority.member_id}


async def test_the_platforms_doors_are_shut_to_a_tenant(rows: Rows):
    authority = await rows.signed_in(await rows.tenant())
    for door in ("platform_tenant", "platform_user"):
        assert await through(rows, authority, door) == set()
        assert await rows.database.fetch(f'TABLE "{door}"', ()) is None
