"""Sessions: one's own to end, and dead from then on."""

import asyncio
from datetime import timedelta
from secrets import token_hex

import pytest

from tenantry.authentication.sessions.service import (
    Client,
    end_session,
    load_authority,
    open_session,
    revoke_other_sessions,
    revoke_session,
)
from tenantry.directory.members.models import MemberStatus
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.errors import Conflict, NotFound, Unauthenticated
from tenantry.kernel.ids import new_key
from tenantry.kernel.principal import Authority
from tests.support.clocks import MovableClock
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in, signed_in
from tests.support.logins import identity, session_of


async def node_id(database: TemporaryDatabase, authority: Authority) -> str:
    return str(await database.value("SELECT node_id FROM session WHERE id = $1", authority.session_id))


async def revoked(database: TemporaryDatabase, authority: Authority) -> object:
    return await database.value("SELECT revoked FROM session WHERE id = $1", authority.session_id)


async def reason(database: TemporaryDatabase, authority: Authority, clock: MovableClock | None = None) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await load_authority(database, authority.session_id, clock=clock or MovableClock())
    return refused.value.reason


async def test_a_live_session_gives_its_authority(database: TemporaryDatabase) -> None:
    authority = await signed_in(database, await make_tenant(database), "manager")
    assert await load_authority(database, authority.session_id) == authority
    assert authority.roles == ("manager",)


@pytest.mark.requirement("003-32")
async def test_why_a_session_does_not_hold(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    authority = await signed_in(database, tenant)
    clock = MovableClock()
    clock.forward(604_900)
    assert await reason(database, authority, clock) == "EXPIRED"
    await database.seen_by_owner("UPDATE member SET status = 'SUSPENDED' WHERE id = $1", authority.member_id)
    assert await reason(database, authority) == "MEMBER_SUSPENDED"
    await database.seen_by_owner("UPDATE tenant SET suspended = true WHERE id = $1", tenant.id)
    assert await reason(database, authority) == "TENANT_SUSPENDED"
    await database.seen_by_owner("UPDATE session SET revoked = true WHERE id = $1", authority.session_id)
    assert await reason(database, authority) == "REVOKED"
    with pytest.raises(Unauthenticated) as refused:
        await load_authority(database, new_key())
    assert refused.value.reason == "UNKNOWN_SESSION"


async def test_revoking_one_session_ends_that_one(database: TemporaryDatabase) -> None:
    member = await make_member(database, await make_tenant(database))
    here, there = await sign_in(database, member), await sign_in(database, member)
    name = await node_id(database, there)
    for _ in range(2):
        async with database.writing(here) as work:
            assert (await revoke_session(work, name)).revoked
    assert (await revoked(database, here), await revoked(database, there)) == (False, True)
    with pytest.raises(Unauthenticated):
        async with database.writing(there):
            pass


async def test_nobody_revokes_another_persons_session(database: TemporaryDatabase) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    for victim in (await signed_in(database, tenant), await signed_in(database, other)):
        name = await node_id(database, victim)
        with pytest.raises(NotFound):
            async with database.writing(owner) as work:
                await revoke_session(work, name)
        assert await revoked(database, victim) is False
    with pytest.raises(NotFound):
        async with database.writing(owner) as work:
            await revoke_session(work, "S_nothing")


async def test_revoking_the_others_counts_the_live_ones(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    member, stranger = await make_member(database, tenant), await signed_in(database, tenant)
    here, *others = [await sign_in(database, member) for _ in range(4)]
    for expected in (3, 0):
        async with database.writing(here) as work:
            assert await revoke_other_sessions(work) == expected
    assert [await revoked(database, other) for other in others] == [True, True, True]
    assert (await revoked(database, here), await revoked(database, stranger)) == (False, False)


async def test_signing_out_ends_the_session(database: TemporaryDatabase) -> None:
    authority = await signed_in(database, await make_tenant(database))
    async with database.writing(authority) as work:
        await end_session(work)
    assert await reason(database, authority) == "REVOKED"


async def test_signing_out_twice_at_once_ends_it_and_blocks_nobody(database: TemporaryDatabase) -> None:
    authority = await signed_in(database, await make_tenant(database))

    async def sign_out() -> None:
        async with database.writing(authority) as work:
            await end_session(work)

    outcomes = await asyncio.gather(*(sign_out() for _ in range(5)), return_exceptions=True)
    assert None in outcomes
    assert {type(outcome) for outcome in outcomes if outcome} <= {Conflict, Unauthenticated}
    assert await revoked(database, authority) is True


async def test_a_long_user_agent_is_cut(database: TemporaryDatabase) -> None:
    member = await make_member(database, await make_tenant(database))
    async with database.writing(None) as work:
        await work.enter(member.tenant_id, user_id=member.user_id)
        session = await open_session(
            work,
            member,
            client=Client(None, "x" * 9_999),
            clock=MovableClock(),
            lifetime=timedelta(hours=1),
        )
    assert len(session.user_agent or "") == 512


async def test_only_an_active_member_gets_a_session(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    for status in (MemberStatus.INVITED, MemberStatus.SUSPENDED):
        member = await make_member(database, tenant, status=status)
        async with database.writing(None) as work:
            await work.enter(tenant.id)
            with pytest.raises(ValueError, match="active member"):
                await open_session(
                    work, member, client=Client(), clock=MovableClock(), lifetime=timedelta(hours=1)
                )


async def limited(database: TemporaryDatabase, most: int) -> Tenant:
    """A tenant whose blueprint lets a person have so many sessions."""
    tenant = await make_tenant(database)
    key = f"limited-{token_hex(4)}"
    await database.seen_by_owner(
        "INSERT INTO blueprint"
        " SELECT $1, title, body || jsonb_build_object('max_sessions', $2::int), digest, now()"
        " FROM blueprint WHERE key = (SELECT blueprint FROM tenant WHERE id = $3)",
        key,
        most,
        tenant.id,
    )
    await database.seen_by_owner("UPDATE tenant SET blueprint = $1 WHERE id = $2", key, tenant.id)
    return tenant


LIVE = "SELECT count(*) FROM session WHERE tenant_id = $1 AND user_id = $2 AND NOT revoked"


@pytest.mark.requirement("001-28")
async def test_a_login_beyond_the_limit_ends_the_oldest_session_of_this_person_alone(
    database: TemporaryDatabase,
) -> None:
    tenant = await limited(database, 2)
    member, other = await make_member(database, tenant), await make_member(database, tenant)
    bystander = await session_of(database, identity(other.email))
    sessions = [await session_of(database, identity(member.email)) for _ in range(4)]
    ended = [await revoked(database, each.authority) for each in sessions]
    assert ended == [True, True, False, False]
    assert await database.value("SELECT revoked FROM session WHERE id = $1", bystander.session_id) is False
    with pytest.raises(Unauthenticated):
        async with database.writing(sessions[0].authority):
            pass
    async with database.writing(sessions[3].authority) as work:
        assert work.tenant == tenant.id


async def test_logins_at_the_same_moment_do_not_pass_the_limit(database: TemporaryDatabase) -> None:
    tenant = await limited(database, 3)
    member = await make_member(database, tenant)
    first = await session_of(database, identity(member.email))
    for _ in range(5):
        await asyncio.gather(*(session_of(database, identity(member.email)) for _ in range(8)))
        assert await database.value(LIVE, tenant.id, first.authority.user_id) == 3


async def test_a_session_that_has_ended_takes_no_place(database: TemporaryDatabase) -> None:
    tenant = await limited(database, 2)
    member = await make_member(database, tenant)
    kept = await session_of(database, identity(member.email))
    gone = await session_of(database, identity(member.email))
    await database.seen_by_owner("UPDATE session SET revoked = true WHERE id = $1", gone.session_id)
    await session_of(database, identity(member.email))
    assert await database.value("SELECT revoked FROM session WHERE id = $1", kept.session_id) is False
