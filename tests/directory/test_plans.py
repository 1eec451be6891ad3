"""Plans: what they gate, and seats that are never given twice."""

import asyncio
import json
from secrets import token_hex

import pytest
from sqlalchemy.exc import DBAPIError

from tenantry.authentication.login.service import SignedIn
from tenantry.directory.invitations.drafts import InvitationRequest
from tenantry.directory.invitations.service import Invited
from tenantry.directory.members.errors import SeatsExhausted
from tenantry.directory.members.models import MemberStatus
from tenantry.directory.members.service import set_roles, suspend_member
from tenantry.directory.provisioning.tenants import add_waiting_member, create_tenant
from tenantry.directory.roles.errors import PlanDoesNotAllow
from tenantry.directory.roles.service import create_role, delete_role, update_role
from tenantry.directory.tenants.models import Tenant
from tenantry.directory.tenants.plans import EVERYTHING, Plan, checked_plan, in_force
from tenantry.directory.tenants.service import set_plan
from tenantry.kernel.errors import BadUserInput, Conflict
from tenantry.storage.errors import NO_SEAT, UNIQUE_VIOLATION, sqlstate
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, signed_in, system_authority
from tests.support.logins import accept, address, identity, invite, invite_all, role_id, token_in
from tests.support.refusals import expect_refusal

ROUNDS = 20
RIVALS = 6
JOINED = "SELECT count(*) FROM member WHERE tenant_id = $1 AND status <> 'INVITED'"
PLANS = [
    {"key": "SMALL", "title": "Small", "custom_roles": False, "max_members": 3},
    {"key": "MIDDLE", "title": "Middle", "custom_roles": True, "max_members": 5},
    {"key": "LARGE", "title": "Large", "custom_roles": True, "max_members": None},
]


async def planned(database: TemporaryDatabase, plan: str | None) -> Tenant:
    """A tenant of the phone system with three plans, on one of them."""
    await database.seen_by_owner(
        "INSERT INTO blueprint SELECT 'planned', title, body || jsonb_build_object('plans', $1::jsonb),"
        " digest, now() FROM blueprint WHERE key = 'phone-system' ON CONFLICT DO NOTHING",
        json.dumps(PLANS),
    )
    async with database.writing(None) as work:
        return await create_tenant(
            work, blueprint="planned", slug=f"p-{token_hex(6)}", name="Planned", plan=plan
        )


async def add(database: TemporaryDatabase, tenant: Tenant, email: str) -> None:
    """Let somebody in as the platform and a tenant's provider do."""
    async with database.writing(None) as work:
        await work.enter(tenant.id)
        await add_waiting_member(work, email=email, name=None, roles=())


def test_without_a_known_plan_the_smallest_holds_and_without_plans_nothing_is_gated() -> None:
    small, large = (
        Plan("SMALL", custom_roles=False, max_members=3),
        Plan("LARGE", custom_roles=True, max_members=None),
    )
    assert [in_force([small, large], key) for key in ("LARGE", "SMALL", "gone", None)] == [
        large,
        small,
        small,
        small,
    ]
    assert in_force([], "any") is EVERYTHING
    assert (EVERYTHING.custom_roles, EVERYTHING.max_members) == (True, None)
    assert checked_plan([], "any") == "any"
    assert checked_plan([small], None) is None
    with pytest.raises(BadUserInput) as refused:
        checked_plan([small, large], "HUGE")
    assert refused.value.fields == {"plan": "this blueprint has no such plan; it has SMALL, LARGE"}


@pytest.mark.requirement("001-34", "002-11")
@pytest.mark.parametrize("blueprint", ["messaging-crm", "research-workspace"])
async def test_roles_of_their_own_come_with_the_enterprise_plan(
    database: TemporaryDatabase, blueprint: str
) -> None:
    tenant = await make_tenant(database, blueprint)
    admin = await signed_in(database, tenant, "ADMIN")
    async with expect_refusal(database, PlanDoesNotAllow) as refused, database.writing(admin) as work:
        await create_role(work, name="Night shift")
    assert refused.value.code == "PLAN_REQUIRED"
    assert isinstance(refused.value, PlanDoesNotAllow)
    assert refused.value.plans == ("ENTERPRISE",)
    staff = await system_authority(database)
    async with database.writing(staff) as work:
        await set_plan(work, "ENTERPRISE", tenant.node_id)
    async with database.writing(admin) as work:
        role = await create_role(work, name="Night shift")
        assert (role.key, role.is_locked) == ("night_shift", False)


async def test_on_a_smaller_plan_their_roles_stay_and_go_but_do_not_change(
    database: TemporaryDatabase,
) -> None:
    tenant = await planned(database, "LARGE")
    owner = await signed_in(database, tenant, "owner")
    gina = await make_member(database, tenant, "agent")
    async with database.writing(owner) as work:
        held, spare = [await create_role(work, name=name) for name in ("Held", "Spare")]
    async with database.writing(await system_authority(database)) as work:
        await set_plan(work, "SMALL", tenant.node_id)
    async with database.writing(owner) as work:
        await set_roles(work, gina.node_id, [held.node_id])
    for changes in ({"name": "New"}, {"permissions": ["call:read"]}):
        async with expect_refusal(database, PlanDoesNotAllow), database.writing(owner) as work:
            await update_role(work, held.node_id, **changes)
    async with database.writing(owner) as work:
        await delete_role(work, spare.node_id)
    assert await database.value("SELECT count(*) FROM role WHERE node_id = $1", spare.node_id) == 0


async def test_a_tenant_is_put_on_plans_of_its_blueprint_that_hold_its_people(
    database: TemporaryDatabase,
) -> None:
    tenant, staff = await planned(database, "MIDDLE"), await system_authority(database)
    for _ in range(4):
        await make_member(database, tenant)
    await make_member(database, tenant, status=MemberStatus.INVITED)
    for plan, refusal in (("HUGE", BadUserInput), ("SMALL", Conflict), (None, Conflict)):
        async with expect_refusal(database, refusal), database.writing(staff) as work:
            await set_plan(work, plan, tenant.node_id)
    async with database.writing(staff) as work:
        assert (await set_plan(work, "LARGE", tenant.node_id)).plan == "LARGE"
    async with expect_refusal(database, BadUserInput), database.writing(None) as work:
        await create_tenant(work, blueprint="planned", slug=f"p-{token_hex(6)}", name="P", plan="HUGE")
    free = await make_tenant(database)
    async with database.writing(staff) as work:
        assert (await set_plan(work, "any word", free.node_id)).plan == "any word"


async def test_a_full_tenant_asks_nobody_in_until_somebody_leaves(database: TemporaryDatabase) -> None:
    tenant = await planned(database, "SMALL")
    owner = await signed_in(database, tenant, "owner")
    agent = await role_id(database, tenant, "agent")
    second = await make_member(database, tenant)
    requests = [InvitationRequest(address(), (agent,)) for _ in range(2)]
    waiting = await invite(database, owner, address(), agent)
    third = await make_member(database, tenant)
    async with database.writing(owner) as work:
        await suspend_member(work, third.node_id)
    answers = await invite_all(database, owner, requests)
    assert [type(each) for each in answers] == [SeatsExhausted, SeatsExhausted]
    async with expect_refusal(database, SeatsExhausted) as refused:
        await accept(database, token_in(waiting), identity(waiting.invitation.email))
    assert refused.value.code == "SEATS_EXHAUSTED"
    await database.seen_by_owner("DELETE FROM member WHERE id = $1", second.id)
    assert isinstance(await accept(database, token_in(waiting), identity(waiting.invitation.email)), SignedIn)


async def test_seats_are_held_by_the_database_whoever_writes(database: TemporaryDatabase) -> None:
    tenant = await planned(database, None)
    members = [await make_member(database, tenant) for _ in range(3)]
    async with expect_refusal(database, SeatsExhausted):
        await add(database, tenant, address())
    invited = await make_member(database, tenant, status=MemberStatus.INVITED)
    with pytest.raises(Exception, match="no seat") as refused:
        await database.seen_by_owner("UPDATE member SET status = 'SUSPENDED' WHERE id = $1", invited.id)
    assert sqlstate(refused.value) == NO_SEAT
    with pytest.raises(DBAPIError):
        await make_member(database, tenant)
    # Who has joined is counted once, and nobody is put out.
    await database.seen_by_owner("UPDATE member SET status = 'SUSPENDED' WHERE id = $1", members[0].id)
    await database.seen_by_owner("UPDATE member SET status = 'ACTIVE' WHERE id = $1", members[0].id)
    assert await database.value(JOINED, tenant.id) == 3


async def test_what_else_speaks_against_somebody_is_no_matter_of_seats(database: TemporaryDatabase) -> None:
    tenant = await planned(database, "LARGE")
    member = await make_member(database, tenant)
    with pytest.raises(DBAPIError) as refused:
        await add(database, tenant, member.email)
    assert sqlstate(refused.value) == UNIQUE_VIOLATION


async def test_of_many_who_accept_at_once_one_has_the_last_seat(database: TemporaryDatabase) -> None:
    for _ in range(ROUNDS):
        tenant = await planned(database, "SMALL")
        owner = await signed_in(database, tenant, "owner")
        await make_member(database, tenant)
        agent = await role_id(database, tenant, "agent")
        requests = [InvitationRequest(address(), (agent,)) for _ in range(RIVALS)]
        waiting = await invite_all(database, owner, requests)
        outcomes = await asyncio.gather(
            *(
                accept(database, token_in(each), identity(each.invitation.email))
                for each in waiting
                if isinstance(each, Invited)
            ),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in outcomes) == ["SeatsExhausted"] * (RIVALS - 1) + [
            "SignedIn"
        ]
        assert await database.value(JOINED, tenant.id) == 3


async def test_a_smaller_plan_and_who_joins_meanwhile_never_both_have_their_way(
    database: TemporaryDatabase,
) -> None:
    staff = await system_authority(database)

    async def shrink(tenant: Tenant) -> object:
        async with database.writing(staff) as work:
            return await set_plan(work, "SMALL", tenant.node_id)

    for _ in range(ROUNDS):
        tenant = await planned(database, "LARGE")
        owner = await signed_in(database, tenant, "owner")
        agent = await role_id(database, tenant, "agent")
        for _ in range(2):
            await make_member(database, tenant)
        waiting = await invite(database, owner, address(), agent)
        outcomes = await asyncio.gather(
            shrink(tenant),
            accept(database, token_in(waiting), identity(waiting.invitation.email)),
            return_exceptions=True,
        )
        refused = [each for each in outcomes if isinstance(each, BaseException)]
        assert [type(each) for each in refused] in ([Conflict], [SeatsExhausted])
