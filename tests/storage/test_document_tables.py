"""The tables that the documents name: columns, types, defaults and cascades, as written there."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tenantry.directory.members.models import Member, MemberStatus
from tests.support.database import TemporaryDatabase
from tests.support.factories import authority_of, make_api_key, make_member, make_tenant, sign_in, signed_in

COLUMNS = """SELECT column_name, data_type, udt_name, character_maximum_length AS most, is_nullable,
    column_default
  FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1
  ORDER BY ordinal_position"""
# Not from information_schema: there constraints are told apart by name alone, and ours share theirs.
CASCADES = """SELECT a.attname, c.confrelid::regclass::text AS target, c.confdeltype = 'c' AS cascades
  FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
  WHERE c.contype = 'f' AND c.conrelid = $1::text::regclass"""
LABELS = """SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e
  JOIN pg_type t ON t.oid = e.enumtypid WHERE t.typname = $1"""
ORG_USERS = "SELECT * FROM org_users ORDER BY email"


async def columns(database: TemporaryDatabase, table: str) -> dict[str, dict[str, Any]]:
    return {row["column_name"]: dict(row) for row in await database.seen_by_owner(COLUMNS, table)}


async def cascades(database: TemporaryDatabase, table: str) -> set[tuple[str, str, bool]]:
    found = await database.seen_by_owner(CASCADES, table)
    return {(row["attname"], row["target"], row["cascades"]) for row in found}


async def seen_by(database: TemporaryDatabase, tenant: UUID, sql: str) -> list[dict[str, Any]]:
    """As the role that serves sees it from inside of one tenant."""
    async with database.writing(None) as work:
        await work.enter(tenant)
        return [dict(row) for row in await work.fetch(sql)]


@pytest.mark.requirement("003-31")
async def test_org_users_has_the_documents_columns_and_types(database: TemporaryDatabase) -> None:
    found = await columns(database, "org_users")
    assert {name: (each["data_type"], each["most"]) for name, each in found.items()} == {
        "id": ("character", 36),
        "org_id": ("character", 36),
        "email": ("character varying", 255),
        "name": ("character varying", 255),
        "role": ("USER-DEFINED", None),
        "status": ("USER-DEFINED", None),
        "firebase_uid": ("character varying", 128),
        "extension": ("character varying", 10),
    }
    assert (found["role"]["udt_name"], found["status"]["udt_name"]) == ("org_user_role", "org_user_status")
    assert await database.value(LABELS, "org_user_role") == ["owner", "admin", "manager", "agent"]
    assert await database.value(LABELS, "org_user_status") == ["active", "suspended", "invited"]


@pytest.mark.requirement("003-31", "003-33")
async def test_org_users_shows_the_members_of_the_tenant_entered_and_nobody_else(
    database: TemporaryDatabase,
) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    boss = await make_member(database, tenant, "owner", email="a@views.example", name="Ann")
    idle = await make_member(database, tenant, (), email="b@views.example", status=MemberStatus.SUSPENDED)
    await make_member(database, tenant, "manager", email="c@views.example", status=MemberStatus.INVITED)
    await make_member(database, other, "admin", email="a@views.example")
    await database.seen_by_owner("UPDATE member SET extension = '4711' WHERE id = $1", boss.id)
    await database.seen_by_owner(
        "INSERT INTO identity VALUES ('https://securetoken.google.com/demo', 'fire', $1, now()),"
        " ('https://issuer.example', 'other', $2, now())",
        boss.user_id,
        idle.user_id,
    )
    first, second, third = await seen_by(database, tenant.id, ORG_USERS)
    assert first == {
        "id": str(boss.id),
        "org_id": str(tenant.id),
        "email": "a@views.example",
        "name": "Ann",
        "role": "owner",
        "status": "active",
        "firebase_uid": "fire",
        "extension": "4711",
    }
    assert (second["name"], second["role"], second["status"], second["firebase_uid"]) == (
        "b@views.example",
        "agent",
        "suspended",
        None,
    )
    assert (third["role"], third["status"], third["extension"]) == ("manager", "invited", None)
    assert [row["role"] for row in await seen_by(database, other.id, ORG_USERS)] == ["admin"]
    assert await database.fetch(ORG_USERS, ()) is None


@pytest.mark.requirement("003-31")
async def test_an_address_is_in_an_organisation_once(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    member = await make_member(database, tenant)
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.seen_by_owner(
            "INSERT INTO member (tenant_id, id, node_id, email, status)"
            " VALUES ($1, gen_random_uuid(), 'M_twice', $2, 'INVITED')",
            tenant.id,
            member.email,
        )


@pytest.mark.requirement("001-27")
async def test_sessions_has_the_documents_columns_and_no_keys(database: TemporaryDatabase) -> None:
    found = await columns(database, "sessions")
    assert {name: each["data_type"] for name, each in found.items()} == {
        "id": "uuid",
        "tenant_id": "uuid",
        "user_id": "uuid",
        "ip": "character varying",
        "user_agent": "character varying",
        "logged_at": "timestamp with time zone",
        "revoked": "boolean",
    }
    tenant, other = await make_tenant(database), await make_tenant(database)
    authority = await signed_in(database, tenant, "owner")
    await make_api_key(database, authority, "org:read")
    await signed_in(database, other, "owner")
    (row,) = await seen_by(database, tenant.id, "SELECT * FROM sessions")
    assert (row["id"], row["user_id"], row["tenant_id"]) == (
        authority.session_id,
        authority.user_id,
        tenant.id,
    )
    assert (row["ip"], row["user_agent"], row["revoked"]) == ("192.0.2.1", "tests", False)
    await database.seen_by_owner("UPDATE session SET revoked = true WHERE id = $1", authority.session_id)
    (row,) = await seen_by(database, tenant.id, "SELECT * FROM sessions")
    assert row["revoked"] is True
    assert await database.fetch("SELECT * FROM sessions", ()) is None


@pytest.mark.requirement("003-31", "001-27")
@pytest.mark.parametrize("view", ["org_users", "sessions"])
async def test_the_views_are_the_invokers_and_read_only(database: TemporaryDatabase, view: str) -> None:
    options = await database.value("SELECT reloptions FROM pg_class WHERE relname = $1", view)
    assert options in (["security_invoker=true"], ["security_invoker=on"])
    for privilege in ("INSERT", "UPDATE", "DELETE"):
        held = await database.value("SELECT has_table_privilege('tenantry_app', $1, $2)", view, privilege)
        assert held is False
    assert await database.value("SELECT has_table_privilege('tenantry_app', $1, 'SELECT')", view) is True


@pytest.mark.requirement("004-12", "004-13")
async def test_roles_and_their_holders_go_with_what_they_hang_on(database: TemporaryDatabase) -> None:
    assert ("tenant_id", "tenant", True) in await cascades(database, "role")
    assert await cascades(database, "member_role") == {
        ("tenant_id", "tenant", True),
        ("tenant_id", "member", True),
        ("member_id", "member", True),
        ("tenant_id", "role", True),
        ("role_id", "role", True),
    }
    found = await columns(database, "member_role")
    for name in ("id", "member_id", "role_id"):
        assert (found[name]["data_type"], found[name]["is_nullable"]) == ("uuid", "NO")


@pytest.mark.requirement("004-13")
async def test_a_role_is_held_once_and_only_inside_its_own_organisation(database: TemporaryDatabase) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    member = await make_member(database, tenant, "agent")
    insert = (
        "INSERT INTO member_role (tenant_id, id, member_id, role_id)"
        " SELECT $1, gen_random_uuid(), $2, id FROM role WHERE tenant_id = $3 AND key = 'agent'"
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.seen_by_owner(insert, tenant.id, member.id, tenant.id)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await database.seen_by_owner(insert, tenant.id, member.id, other.id)
    await database.seen_by_owner("DELETE FROM member WHERE id = $1", member.id)
    assert await database.value("SELECT count(*) FROM member_role WHERE member_id = $1", member.id) == 0


@pytest.mark.requirement("004-14", "004-15")
@pytest.mark.parametrize(("table", "column"), [("user", "is_super_admin"), ("member", "is_owner")])
async def test_flags_are_never_null_and_false_at_first(
    database: TemporaryDatabase, table: str, column: str
) -> None:
    found = (await columns(database, table))[column]
    assert (found["data_type"], found["is_nullable"], found["column_default"]) == ("boolean", "NO", "false")


@pytest.mark.requirement("003-33")
async def test_an_extension_has_ten_characters_and_may_be_missing(database: TemporaryDatabase) -> None:
    found = (await columns(database, "member"))["extension"]
    assert (found["data_type"], found["most"], found["is_nullable"]) == ("character varying", 10, "YES")


@pytest.mark.requirement("002-09")
async def test_a_role_sticks_to_its_team_whatever_the_person_does(database: TemporaryDatabase) -> None:
    first, second = [await make_tenant(database, "research-workspace") for _ in range(2)]
    here = await make_member(database, first, "ADMIN", email="sticky@views.example")
    there = await make_member(database, second, "VIEWER", email="sticky@views.example")
    assert here.user_id == there.user_id

    async def roles(member: Member) -> tuple[str, ...]:
        session = (await sign_in(database, member)).session_id
        return (await authority_of(database, session)).roles

    for _ in range(2):
        assert (await roles(here), await roles(there)) == (("ADMIN",), ("VIEWER",))
