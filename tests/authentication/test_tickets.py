"""A person of several tenants: the ticket, its one use, and changing over later."""

import asyncio
import base64
from dataclasses import replace
from datetime import timedelta

import pytest

from tenantry.authentication.login.errors import MemberSuspended, NotInvited, TenantChoiceRequired
from tenantry.authentication.login.service import SignedIn, redeem_ticket, switch_tenant
from tenantry.authentication.login.terms import Terms
from tenantry.kernel.errors import Unauthenticated
from tenantry.kernel.principal import Authority
from tenantry.tokens.identity import VerifiedIdentity
from tenantry.tokens.opaque import digest
from tests.support.clocks import MovableClock
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, make_user, platform, sign_in, signed_in
from tests.support.logins import CLIENT, TERMS, address, identity, invite, login, session_of


async def choose(database: TemporaryDatabase, ticket: str, tenant: str, *, terms: Terms = TERMS) -> SignedIn:
    async with database.writing(None) as work:
        return await redeem_ticket(work, ticket, tenant, client=CLIENT, terms=terms)


async def change_over(database: TemporaryDatabase, authority: Authority, tenant: str) -> SignedIn:
    async with database.writing(authority) as work:
        return await switch_tenant(work, tenant, client=CLIENT, terms=TERMS)


async def asked_to_choose(
    database: TemporaryDatabase, who: VerifiedIdentity, *, terms: Terms = TERMS
) -> TenantChoiceRequired:
    outcome = await login(database, who, terms=terms)
    assert isinstance(outcome, TenantChoiceRequired)
    return outcome


@pytest.mark.requirement("003-28")
async def test_a_person_of_several_tenants_chooses_with_a_ticket(database: TemporaryDatabase) -> None:
    acme, bolt = await make_tenant(database, name="Acme"), await make_tenant(database, name="Bolt")
    email = address()
    await make_member(database, acme, email=email)
    admin = await signed_in(database, bolt, "admin")
    await invite(database, admin, email)
    choice = await asked_to_choose(database, identity(email))
    assert [(each.tenant, each.name) for each in choice.choices] == [
        (acme.node_id, "Acme"),
        (bolt.node_id, "Bolt"),
    ]
    assert len(choice.ticket.partition(".")[0]) == 43
    assert choice.ticket not in f"{choice!r}{choice.message}{choice.extensions()}"
    assert await database.value(
        "SELECT count(*) FROM login_ticket WHERE ticket_hash = $1", digest(choice.ticket)
    )
    assert await database.value("SELECT status FROM invitation WHERE email = $1", email) == "PENDING"
    waiting = "SELECT user_id FROM member WHERE email = $1 AND tenant_id = $2"
    assert await database.value(waiting, email, bolt.id) is None

    signed = await choose(database, choice.ticket, bolt.node_id)
    assert signed.authority.tenant == bolt.node_id
    assert await database.value("SELECT status FROM invitation WHERE email = $1", email) == "ACCEPTED"
    with pytest.raises(Unauthenticated) as refused:
        await choose(database, choice.ticket, acme.node_id)
    assert refused.value.reason == "TICKET_INVALID"


async def test_a_named_tenant_needs_no_choice(database: TemporaryDatabase) -> None:
    acme, bolt = await make_tenant(database), await make_tenant(database)
    email = address()
    for tenant in (acme, bolt):
        await make_member(database, tenant, email=email)
    signed = await session_of(database, identity(email), tenant=bolt.node_id)
    assert signed.authority.tenant == bolt.node_id


async def test_a_ticket_lives_five_minutes(database: TemporaryDatabase) -> None:
    acme, bolt = await make_tenant(database), await make_tenant(database)
    email, clock = address(), MovableClock()
    terms = replace(TERMS, clock=clock, ticket=timedelta(minutes=5))
    for tenant in (acme, bolt):
        await make_member(database, tenant, email=email)
    choice = await asked_to_choose(database, identity(email), terms=terms)
    clock.forward(301)
    with pytest.raises(Unauthenticated):
        await choose(database, choice.ticket, acme.node_id, terms=terms)
    clock.forward(-2)
    assert isinstance(await choose(database, choice.ticket, acme.node_id, terms=terms), SignedIn)
    for text in ("no such ticket", "", "\ud800", f"{choice.ticket}A"):
        with pytest.raises(Unauthenticated):
            await choose(database, text, acme.node_id)


async def test_a_ticket_cannot_be_rewritten_to_another_address(database: TemporaryDatabase) -> None:
    acme, bolt, third = await make_tenant(database), await make_tenant(database), await make_tenant(database)
    email, victim = address(), address()
    for tenant in (acme, bolt):
        await make_member(database, tenant, email=email)
    await invite(database, await signed_in(database, third, "admin"), victim)
    choice = await asked_to_choose(database, identity(email))
    secret, _, _ = choice.ticket.partition(".")
    with pytest.raises(Unauthenticated):
        await choose(
            database, f"{secret}.{base64.urlsafe_b64encode(victim.encode()).decode()}", third.node_id
        )
    assert await database.value("SELECT status FROM invitation WHERE email = $1", victim) == "PENDING"


async def test_a_ticket_does_not_open_an_address_that_became_somebody_elses(
    database: TemporaryDatabase,
) -> None:
    acme, bolt = await make_tenant(database), await make_tenant(database)
    member, email = await make_member(database, acme), address()
    who = identity(member.email)
    await session_of(database, who)
    await invite(database, await signed_in(database, bolt, "admin"), email)
    choice = await asked_to_choose(database, replace(who, email=email))
    await make_user(database, email)
    with pytest.raises(NotInvited):
        await choose(database, choice.ticket, bolt.node_id)


async def test_a_ticket_opens_only_the_persons_own_tenants(database: TemporaryDatabase) -> None:
    acme, bolt = await make_tenant(database), await make_tenant(database)
    foreign, closed = await make_tenant(database), await make_tenant(database)
    email = address()
    for tenant in (acme, bolt, closed):
        await make_member(database, tenant, email=email)
    await database.seen_by_owner("UPDATE tenant SET suspended = true WHERE id = $1", closed.id)
    choice = await asked_to_choose(database, identity(email))
    assert {each.tenant for each in choice.choices} == {acme.node_id, bolt.node_id}
    for tenant in (foreign.node_id, (await platform(database)).node_id, "T_nothing"):
        with pytest.raises(NotInvited):
            await choose(database, choice.ticket, tenant)
    with pytest.raises(MemberSuspended):
        await choose(database, choice.ticket, closed.node_id)
    assert isinstance(await choose(database, choice.ticket, bolt.node_id), SignedIn)


async def test_an_invitation_to_a_former_address_is_not_opened_by_a_ticket(
    database: TemporaryDatabase,
) -> None:
    """The address went to someone else at the issuer; the account it once proved does not follow it."""
    acme, bolt, third = await make_tenant(database), await make_tenant(database), await make_tenant(database)
    former = address()
    for tenant in (acme, bolt):
        await make_member(database, tenant, email=former)
    who = identity(former)
    await asked_to_choose(database, who)
    await invite(database, await signed_in(database, third, "admin"), former)
    choice = await asked_to_choose(database, replace(who, email=address()))
    assert third.node_id not in {each.tenant for each in choice.choices}
    with pytest.raises(NotInvited):
        await choose(database, choice.ticket, third.node_id)


async def test_twenty_use_a_ticket_at_once_and_one_wins(database: TemporaryDatabase) -> None:
    acme, bolt = await make_tenant(database), await make_tenant(database)
    email = address()
    for tenant in (acme, bolt):
        await make_member(database, tenant, email=email)
    choice = await asked_to_choose(database, identity(email))
    outcomes = await asyncio.gather(
        *(choose(database, choice.ticket, acme.node_id) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, SignedIn) for outcome in outcomes) == 1
    assert {type(outcome) for outcome in outcomes} == {SignedIn, Unauthenticated}
    sessions = 'SELECT count(*) FROM session s JOIN "user" u ON u.id = s.user_id WHERE u.email = $1'
    assert await database.value(sessions, email) == 1


async def test_changing_over_leaves_the_old_session_alone(database: TemporaryDatabase) -> None:
    acme, bolt = await make_tenant(database), await make_tenant(database)
    email = address()
    member = await make_member(database, acme, email=email)
    await make_member(database, bolt, "manager", email=email)
    before = await sign_in(database, member)
    signed = await change_over(database, before, bolt.node_id)
    assert (signed.authority.tenant, signed.authority.roles) == (bolt.node_id, ("manager",))
    assert signed.authority.user == before.user
    assert (await change_over(database, before, acme.node_id)).authority.tenant == acme.node_id
    assert (await change_over(database, signed.authority, acme.node_id)).authority.member == member.node_id


async def test_nobody_changes_over_to_where_they_do_not_belong(database: TemporaryDatabase) -> None:
    acme, bolt, home = await make_tenant(database), await make_tenant(database), await platform(database)
    member = await make_member(database, acme, "owner")
    await make_member(database, home, "support", email=member.email)
    before = await sign_in(database, member)
    for tenant in (bolt.node_id, home.node_id, "T_nothing"):
        with pytest.raises(NotInvited):
            await change_over(database, before, tenant)
    sessions = "SELECT count(*) FROM session WHERE user_id = $1"
    assert await database.value(sessions, before.user_id) == 1
    await database.seen_by_owner("UPDATE session SET revoked = true WHERE id = $1", before.session_id)
    with pytest.raises(Unauthenticated):
        await change_over(database, before, acme.node_id)
