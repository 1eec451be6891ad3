"""The roles of a member: set by those who hold as much, counted by the blueprint."""

import asyncio

import pytest

from tenantry.directory.members.errors import TooManyRoles
from tenantry.directory.members.models import Member, MemberStatus
from tenantry.directory.members.service import set_roles
from tenantry.directory.roles.errors import RoleNotGrantable
from tenantry.directory.roles.service import create_role, update_role
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.errors import Conflict, Forbidden, NotFound, Unauthenticated
from tests.support.database import TemporaryDatabase
from tests.support.factories import authority_of, make_member, make_tenant, platform, sign_in, signed_in
from tests.support.refusals import expect_refusal


async def role_id(database: TemporaryDatabase, tenant: Tenant, key: str) -> str:
    return str(
        await database.value("SELECT node_id FROM role WHERE tenant_id = $1 AND key = $2", tenant.id, key)
    )


async def held(database: TemporaryDatabase, member: Member) -> tuple[list[str], int, bool]:
    """Keys of the roles held, the version, and whether an owner."""
    rows = await database.seen_by_owner(
        "SELECT r.key FROM member_role mr JOIN role r ON r.id = mr.role_id"
        " WHERE mr.member_id = $1 ORDER BY 1",
        member.id,
    )
    (row,) = await database.seen_by_owner("SELECT version, is_owner FROM member WHERE id = $1", member.id)
    return [found["key"] for found in rows], row["version"], row["is_owner"]


async def without_limit(database: TemporaryDatabase, tenant: Tenant) -> None:
    """Give the tenant a blueprint of its own, equal but for the number of roles."""
    await database.seen_by_owner(
        "INSERT INTO blueprint SELECT key || '-many', title, body || '{\"max_roles\": null}', digest, now()"
        " FROM blueprint WHERE key = 'phone-system' ON CONFLICT DO NOTHING"
    )
    await database.seen_by_owner("UPDATE tenant SET blueprint = 'phone-system-many' WHERE id = $1", tenant.id)


@pytest.mark.requirement("003-25")
async def test_an_admin_makes_an_agent_a_manager_and_the_agents_token_ends(
    database: TemporaryDatabase,
) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant, "agent")
    session = await sign_in(database, gina)
    manager = await role_id(database, tenant, "manager")
    async with database.writing(admin) as work:
        await set_roles(work, gina.node_id, [manager])
        assert [(action.name, action.targets) for action in work.actions] == [
            ("member.roles_set", (gina.node_id, manager))
        ]
    assert await held(database, gina) == (["manager"], 2, False)
    with pytest.raises(Unauthenticated):
        async with database.writing(session):
            pass
    assert "member:read" in (await authority_of(database, session.session_id)).permissions


async def test_the_same_roles_again_end_no_token(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant, "agent")
    agent = await role_id(database, tenant, "agent")
    async with database.writing(admin) as work:
        await set_roles(work, gina.node_id, [agent, agent])
    assert await held(database, gina) == (["agent"], 1, False)


@pytest.mark.requirement("004-10", "004-11")
async def test_without_any_role_nothing_is_allowed(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant, "agent")
    async with database.writing(admin) as work:
        await set_roles(work, gina.node_id, [])
    assert await held(database, gina) == ([], 2, False)
    assert (await sign_in(database, gina)).permissions == frozenset()


@pytest.mark.requirement("004-04", "004-13")
async def test_several_roles_add_up_where_the_blueprint_allows_them(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    await without_limit(database, tenant)
    owner = await signed_in(database, tenant, "owner")
    gina = await make_member(database, tenant, "agent")
    async with database.writing(owner) as work:
        deleting = await create_role(work, name="Deletes tickets", permissions=["ticket:delete"])
    agent = await role_id(database, tenant, "agent")
    async with database.writing(owner) as work:
        await set_roles(work, gina.node_id, [agent, deleting.node_id])
    assert await held(database, gina) == (["agent", "deletes_tickets"], 2, False)
    assert {"ticket:delete", "ticket:read"} <= (await sign_in(database, gina)).permissions


async def test_more_roles_than_the_blueprint_allows(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant, "agent")
    roles = [await role_id(database, tenant, key) for key in ("agent", "manager")]
    async with expect_refusal(database, TooManyRoles) as caught, database.writing(admin) as work:
        await set_roles(work, gina.node_id, roles)
    assert caught.value.message == "A member holds at most 1 role here."


async def test_no_one_grants_what_they_do_not_hold(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant, "agent")
    owner = await role_id(database, tenant, "owner")
    for member_id in (gina.node_id, admin.member):
        async with expect_refusal(database, RoleNotGrantable) as caught, database.writing(admin) as work:
            await set_roles(work, member_id, [owner])
        assert "apikey" not in caught.value.message
        assert caught.value.role == owner


async def test_an_owner_is_not_demoted_by_an_admin(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    await make_member(database, tenant, "owner")
    owner = await make_member(database, tenant, "owner")
    agent = await role_id(database, tenant, "agent")
    async with expect_refusal(database, Forbidden), database.writing(admin) as work:
        await set_roles(work, owner.node_id, [agent])


@pytest.mark.requirement("000-12", "001-23")
async def test_ids_of_elsewhere(database: TemporaryDatabase) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    gina, stranger = await make_member(database, tenant), await make_member(database, other)
    agent = await role_id(database, tenant, "agent")
    foreign = await role_id(database, other, "agent")
    system = await role_id(database, await platform(database), "support")
    for member_id, role_ids in (
        (stranger.node_id, [agent]),
        (gina.node_id, [foreign]),
        (gina.node_id, [system]),
        (gina.node_id, ["R_nothing"]),
        (agent, [gina.node_id]),
    ):
        async with expect_refusal(database, NotFound), database.writing(owner) as work:
            await set_roles(work, member_id, role_ids)


async def test_who_is_invited_keeps_what_the_invitation_says(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    invited = await make_member(database, tenant, status=MemberStatus.INVITED)
    async with expect_refusal(database, Conflict), database.writing(owner) as work:
        await set_roles(work, invited.node_id, [])


@pytest.mark.requirement("004-15")
async def test_the_owners_mark_follows_the_role(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    gina = await make_member(database, tenant, "agent")
    assert await held(database, gina) == (["agent"], 1, False)
    for key, version in (("owner", 2), ("agent", 3)):
        role = await role_id(database, tenant, key)
        async with database.writing(owner) as work:
            await set_roles(work, gina.node_id, [role])
        assert await held(database, gina) == ([key], version, key == "owner")


async def test_who_loses_a_role_while_granting_it_has_granted_before_or_not_at_all(
    database: TemporaryDatabase,
) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    admin, agent = [await role_id(database, tenant, key) for key in ("admin", "agent")]
    for _ in range(10):
        adam = await make_member(database, tenant, "admin")
        gina = await make_member(database, tenant, "agent")
        session = await sign_in(database, adam)

        async def grant() -> None:
            async with database.writing(session) as work:  # noqa: B023
                await set_roles(work, gina.node_id, [admin])  # noqa: B023

        async def demote() -> None:
            async with database.writing(owner) as work:
                await set_roles(work, adam.node_id, [agent])  # noqa: B023

        granted, demoted = await asyncio.gather(grant(), demote(), return_exceptions=True)
        assert demoted is None
        assert granted is None or isinstance(granted, Unauthenticated | Conflict)
        assert (await held(database, gina))[0] == (["admin"] if granted is None else ["agent"])
        assert (await held(database, adam))[0] == ["agent"]


async def test_a_role_does_not_grow_while_it_is_granted(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    admin = await signed_in(database, tenant, "admin")
    gina = await make_member(database, tenant, "agent")
    async with database.writing(owner) as work:
        role = await create_role(work, name="Small", permissions=["ticket:read"])
    growing, may_commit = asyncio.Event(), asyncio.Event()

    async def grow() -> None:
        async with database.writing(owner) as work:
            await update_role(work, role.node_id, permissions=["apikey:manage"])
            growing.set()
            await may_commit.wait()

    async def grant() -> None:
        await growing.wait()
        # It waits from its very beginning on: a role that is being changed stops the tenant's mutations.
        asyncio.get_running_loop().call_later(0.1, may_commit.set)
        async with database.writing(admin) as work:
            await set_roles(work, gina.node_id, [role.node_id])

    _, granted = await asyncio.gather(grow(), grant(), return_exceptions=True)
    assert isinstance(granted, RoleNotGrantable)
    assert (await held(database, gina))[0] == ["agent"]
