"""A tenant keeps an active owner, whoever leaves and however many leave at once."""

import asyncio

import pytest

from tenantry.directory.members.errors import LastOwner
from tenantry.directory.members.models import Member, MemberStatus
from tenantry.directory.members.service import (
    reactivate_member,
    remove_member,
    set_roles,
    suspend_member,
    transfer_ownership,
)
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.errors import BadUserInput, Conflict, Forbidden, NotFound, Unauthenticated
from tenantry.storage.unit_of_work import UnitOfWork
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in, signed_in, system_authority
from tests.support.refusals import expect_refusal


async def demote(work: UnitOfWork, member_id: str) -> Member:
    return await set_roles(work, member_id, [])


LEAVING = {"demote": demote, "suspend": suspend_member, "remove": remove_member}


async def owners(database: TemporaryDatabase, tenant: Tenant) -> int:
    found = await database.value(
        "SELECT count(*)::int FROM member WHERE tenant_id = $1 AND is_owner AND status = 'ACTIVE'", tenant.id
    )
    return int(str(found))


async def standing(database: TemporaryDatabase, member: Member) -> tuple[list[str], bool, int]:
    rows = await database.seen_by_owner(
        "SELECT r.key FROM member_role mr JOIN role r ON r.id = mr.role_id"
        " WHERE mr.member_id = $1 ORDER BY 1",
        member.id,
    )
    (row,) = await database.seen_by_owner("SELECT is_owner, version FROM member WHERE id = $1", member.id)
    return [found["key"] for found in rows], row["is_owner"], row["version"]


@pytest.mark.requirement("004-09", "004-15")
@pytest.mark.parametrize("verb", LEAVING)
async def test_the_last_owner_does_not_leave(database: TemporaryDatabase, verb: str) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    await make_member(database, tenant, "owner", status=MemberStatus.SUSPENDED)
    await make_member(database, tenant, "admin")
    async with expect_refusal(database, LastOwner), database.writing(owner) as work:
        await LEAVING[verb](work, owner.member)


@pytest.mark.parametrize("verb", LEAVING)
async def test_nor_does_the_platform_take_them_out(database: TemporaryDatabase, verb: str) -> None:
    tenant = await make_tenant(database)
    owner = await make_member(database, tenant, "owner")
    staff = await system_authority(database)
    async with expect_refusal(database, LastOwner), database.writing(staff) as work:
        await work.enter(tenant.id)
        await LEAVING[verb](work, owner.node_id)


@pytest.mark.parametrize("verb", LEAVING)
async def test_one_of_two_owners_leaves(database: TemporaryDatabase, verb: str) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    await make_member(database, tenant, "owner")
    async with database.writing(owner) as work:
        await LEAVING[verb](work, owner.member)
    assert await owners(database, tenant) == 1


@pytest.mark.requirement("004-09")
@pytest.mark.parametrize("verb", LEAVING)
async def test_two_owners_who_put_each_other_out_leave_one(database: TemporaryDatabase, verb: str) -> None:
    for _ in range(25):
        tenant = await make_tenant(database)
        one, two = [await signed_in(database, tenant, "owner") for _ in range(2)]
        outcomes = await asyncio.gather(
            *(_leave(database, verb, by=by, who=who) for by, who in ((one, two.member), (two, one.member))),
            return_exceptions=True,
        )
        assert await owners(database, tenant) == 1
        (refused,) = [outcome for outcome in outcomes if outcome is not None]
        assert isinstance(refused, LastOwner | Conflict | Unauthenticated)


@pytest.mark.parametrize("verb", LEAVING)
async def test_two_owners_who_leave_at_once_leave_one(database: TemporaryDatabase, verb: str) -> None:
    for _ in range(25):
        tenant = await make_tenant(database)
        both = [await signed_in(database, tenant, "owner") for _ in range(2)]
        outcomes = await asyncio.gather(
            *(_leave(database, verb, by=owner, who=owner.member) for owner in both), return_exceptions=True
        )
        assert await owners(database, tenant) == 1
        (refused,) = [outcome for outcome in outcomes if outcome is not None]
        assert isinstance(refused, LastOwner | Conflict)


async def _leave(database: TemporaryDatabase, verb: str, *, by: object, who: str) -> None:
    async with database.writing(by) as work:
        await LEAVING[verb](work, who)


async def test_a_suspended_owner_comes_back(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    other = await make_member(database, tenant, "owner", status=MemberStatus.SUSPENDED)
    async with database.writing(owner) as work:
        await reactivate_member(work, other.node_id)
    assert await owners(database, tenant) == 2


async def test_ownership_passes_to_an_agent(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    olivia, gina = await make_member(database, tenant, "owner"), await make_member(database, tenant, "agent")
    session, others = await sign_in(database, olivia), await sign_in(database, gina)
    async with database.writing(session) as work:
        assert (await transfer_ownership(work, gina.node_id)).node_id == gina.node_id
        assert [(action.name, action.targets) for action in work.actions] == [
            ("member.transfer_ownership", (gina.node_id, olivia.node_id))
        ]
    assert await standing(database, gina) == (["owner"], True, 2)
    assert await standing(database, olivia) == ([], False, 2)
    for ended in (session, others):
        with pytest.raises(Unauthenticated):
            async with database.writing(ended):
                pass


async def test_ownership_is_shared(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    olivia, gina = await make_member(database, tenant, "owner"), await make_member(database, tenant, "agent")
    session = await sign_in(database, olivia)
    for _ in range(2):
        async with database.writing(session) as work:
            await transfer_ownership(work, gina.node_id, keep=True)
    assert await standing(database, gina) == (["owner"], True, 2)
    assert await standing(database, olivia) == (["owner"], True, 1)


async def test_only_an_owner_hands_ownership_on(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    await make_member(database, tenant, "owner")
    gina = await make_member(database, tenant)
    staff = await system_authority(database)
    for authority in (await signed_in(database, tenant, "admin"), staff):
        async with expect_refusal(database, Forbidden), database.writing(authority) as work:
            if authority is staff:
                await work.enter(tenant.id)
            await transfer_ownership(work, gina.node_id)


async def test_to_whom_ownership_does_not_pass(database: TemporaryDatabase) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    suspended = await make_member(database, tenant, status=MemberStatus.SUSPENDED)
    invited = await make_member(database, tenant, status=MemberStatus.INVITED)
    stranger = await make_member(database, other)
    for member_id, refusal in (
        (owner.member, BadUserInput),
        (suspended.node_id, Conflict),
        (invited.node_id, Conflict),
        (stranger.node_id, NotFound),
        ("M_nobody", NotFound),
    ):
        async with expect_refusal(database, refusal), database.writing(owner) as work:
            await transfer_ownership(work, member_id)
