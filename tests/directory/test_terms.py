"""Ends of memberships and roles, decided by services and held by the database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tenantry.directory.members.errors import LastOwner
from tenantry.directory.members.service import set_roles, transfer_ownership, update_member
from tenantry.directory.roles.errors import RoleInUse
from tenantry.directory.roles.service import create_role, delete_role
from tenantry.kernel.errors import Forbidden, Unauthenticated
from tests.directory.test_member_roles import held, role_id, without_limit
from tests.support.database import TemporaryDatabase
from tests.support.factories import authority_of, make_member, make_tenant, sign_in, signed_in
from tests.support.refusals import expect_refusal

END = "UPDATE member_role SET expires_at = $2 WHERE member_id = $1"


def days(number: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=number)


async def ends(database: TemporaryDatabase, member: object) -> dict[str, datetime | None]:
    rows = await database.seen_by_owner(
        "SELECT r.key, mr.expires_at FROM member_role mr JOIN role r ON r.id = mr.role_id"
        " WHERE mr.member_id = $1",
        member,
    )
    return {row["key"]: row["expires_at"] for row in rows}


async def test_an_end_is_that_of_new_roles_and_of_those_held_for_a_time(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    await without_limit(database, tenant)
    owner = await signed_in(database, tenant, "owner")
    gina = await make_member(database, tenant, "agent")
    agent, manager, admin = [await role_id(database, tenant, key) for key in ("agent", "manager", "admin")]
    first, second = days(1), days(2)
    async with database.writing(owner) as work:
        await set_roles(work, gina.node_id, [agent, manager], expires_at=first)
    assert await ends(database, gina.id) == {"agent": None, "manager": first}
    async with database.writing(owner) as work:
        await set_roles(work, gina.node_id, [agent, manager, admin])
    assert await ends(database, gina.id) == {"agent": None, "manager": first, "admin": None}
    async with database.writing(owner) as work:
        await set_roles(work, gina.node_id, [agent, manager, admin], expires_at=second)
    assert await ends(database, gina.id) == {"agent": None, "manager": second, "admin": None}
    async with database.writing(owner) as work:
        await set_roles(work, gina.node_id, [agent, manager], expires_at=None)
    assert await ends(database, gina.id) == {"agent": None, "manager": None}


async def test_the_version_never_comes_back_to_one_that_a_token_may_name(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    await without_limit(database, tenant)
    owner = await signed_in(database, tenant, "owner")
    gina = await make_member(database, tenant, ["agent", "manager"])
    manager, admin = [await role_id(database, tenant, key) for key in ("manager", "admin")]
    session = await sign_in(database, gina)
    seen = [session.member_version]
    await database.seen_by_owner(END, gina.id, days(-1))
    ended = await authority_of(database, session.session_id)
    assert (ended.roles, ended.permissions) == ((), frozenset())
    seen.append(ended.member_version)
    for wanted, end in (([manager], None), ([manager, admin], days(1)), ([admin], None), ([], None)):
        async with database.writing(owner) as work:
            await set_roles(work, gina.node_id, wanted, expires_at=end)
        seen.append((await authority_of(database, session.session_id)).member_version)
    assert seen == sorted(set(seen))
    for version in seen[:-1]:
        with pytest.raises(Unauthenticated):
            async with database.writing(replace(ended, member_version=version)):
                pass


async def test_a_role_that_has_ended_with_all_its_holders_may_be_deleted(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    await without_limit(database, tenant)
    owner = await signed_in(database, tenant, "owner")
    gina = await make_member(database, tenant, "agent")
    agent = await role_id(database, tenant, "agent")
    async with database.writing(owner) as work:
        role = await create_role(work, name="Auditor", permissions=["call:read"])
        await set_roles(work, gina.node_id, [agent, role.node_id], expires_at=days(1))
    async with expect_refusal(database, RoleInUse), database.writing(owner) as work:
        await delete_role(work, role.node_id)
    await database.seen_by_owner(f"{END} AND expires_at IS NOT NULL", gina.id, days(-1))
    session = await sign_in(database, gina)
    async with database.writing(owner) as work:
        await delete_role(work, role.node_id)
    assert (await held(database, gina))[0] == ["agent"]
    assert (await authority_of(database, session.session_id)).member_version == session.member_version


async def test_whoever_has_a_role_no_more_is_no_longer_above_anyone(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    manager = await signed_in(database, tenant, "admin")
    boss = await make_member(database, tenant, "owner")
    await make_member(database, tenant, "owner")
    reach = replace(manager, permissions=manager.permissions - {"org:update"})
    other = await make_member(database, tenant, "admin")
    async with expect_refusal(database, Forbidden), database.writing(reach) as work:
        await update_member(work, other.node_id, expires_at=days(1))
    await database.seen_by_owner(END, other.id, days(-1))
    async with database.writing(reach) as work:
        assert (await update_member(work, other.node_id, expires_at=None)).expires_at is None
    async with expect_refusal(database, Forbidden), database.writing(manager) as work:
        await update_member(work, boss.node_id, expires_at=days(1))


async def test_an_end_asks_for_the_permission_to_suspend(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant, "agent")
    weaker = replace(admin, permissions=admin.permissions - {"member:suspend"})
    async with expect_refusal(database, Forbidden), database.writing(weaker) as work:
        await update_member(work, gina.node_id, name="Gina", expires_at=days(1))
    async with database.writing(weaker) as work:
        assert (await update_member(work, gina.node_id, name="Gina")).name == "Gina"


async def test_the_database_lets_no_owner_have_an_end(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await make_member(database, tenant, "owner")
    with pytest.raises(asyncpg.CheckViolationError):
        await database.seen_by_owner("UPDATE member SET expires_at = now() WHERE id = $1", owner.id)
    agent = await make_member(database, tenant, "agent")
    await database.seen_by_owner("UPDATE member SET expires_at = now() WHERE id = $1", agent.id)
    with pytest.raises(asyncpg.CheckViolationError):
        await database.seen_by_owner("UPDATE member SET is_owner = true WHERE id = $1", agent.id)


async def test_who_owns_for_a_time_only_is_not_counted_among_owners(database: TemporaryDatabase) -> None:
    """As after a blueprint has made an owner's role of one that was held for a time."""
    tenant = await make_tenant(database)
    await without_limit(database, tenant)
    owner = await signed_in(database, tenant, "owner")
    gina = await make_member(database, tenant, ["admin", "agent"])
    admin, agent = [await role_id(database, tenant, key) for key in ("admin", "agent")]
    await database.seen_by_owner(END, gina.id, days(1))
    await database.seen_by_owner("UPDATE role SET is_owner = true WHERE node_id = $1", admin)
    async with database.writing(owner) as work:
        await set_roles(work, gina.node_id, [admin])
    assert (await held(database, gina))[2] is False
    async with expect_refusal(database, LastOwner), database.writing(owner) as work:
        await set_roles(work, owner.member, [])
    async with database.writing(owner) as work:
        await set_roles(work, gina.node_id, [admin, agent], expires_at=None)
    assert (await held(database, gina))[2] is True
    async with database.writing(owner) as work:
        assert (await transfer_ownership(work, gina.node_id)).is_owner
