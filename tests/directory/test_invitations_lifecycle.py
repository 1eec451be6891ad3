"""An invitation sent again, revoked, accepted; and what each refusal leaves as it was."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tenantry.authentication.login.errors import MemberSuspended, NotInvited
from tenantry.authentication.login.service import SignedIn
from tenantry.authentication.login.terms import Terms
from tenantry.directory.invitations.errors import InvitationNotPending
from tenantry.directory.invitations.service import Invited, resend, revoke
from tenantry.directory.roles.errors import RoleNotGrantable
from tenantry.kernel.errors import Forbidden, NotFound
from tenantry.kernel.principal import Authority
from tenantry.mail.mailbox import Mailbox
from tests.support.clocks import MovableClock
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_tenant, signed_in, system_authority
from tests.support.logins import (
    TERMS,
    WEEK,
    accept,
    address,
    identity,
    invite,
    link,
    login,
    role_id,
    session_of,
    token_in,
)

LONG_AGO = Terms(MovableClock(datetime.now(UTC) - timedelta(days=8)), session=WEEK, ticket=TERMS.ticket)


async def send_again(
    database: TemporaryDatabase, caller: Authority, invited: Invited, *, mailer: Mailbox | None = None
) -> Invited:
    async with database.writing(caller) as work:
        return await resend(
            work,
            invited.invitation.node_id,
            clock=TERMS.clock,
            lifetime=WEEK,
            mailer=mailer or Mailbox(),
            link=link,
        )


async def take_back(database: TemporaryDatabase, caller: Authority, invited: Invited) -> None:
    async with database.writing(caller) as work:
        await revoke(work, invited.invitation.node_id)


async def standing(database: TemporaryDatabase, email: str) -> tuple[object, object]:
    """Status of the newest invitation and of the member, as the database has them."""
    return (
        await database.value("SELECT status FROM invitation WHERE email = $1 ORDER BY id DESC", email),
        await database.value("SELECT status FROM member WHERE email = $1", email),
    )


@pytest.mark.requirement("004-16")
async def test_resending_kills_the_old_link(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email, mailer = address(), Mailbox()
    first = await invite(database, admin, email, await role_id(database, tenant, "agent"))
    second = await send_again(database, admin, first, mailer=mailer)
    assert second.invitation.expires_at > first.invitation.expires_at
    assert [second.link in mail.text for mail in mailer.messages()] == [True]
    with pytest.raises(NotInvited):
        await accept(database, token_in(first), identity(email))
    assert await standing(database, email) == ("PENDING", "INVITED")
    await accept(database, token_in(second), identity(email))
    assert await standing(database, email) == ("ACCEPTED", "ACTIVE")


async def test_an_expired_invitation_lives_again_when_it_is_resent(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email = address()
    old = await invite(database, admin, email, terms=LONG_AGO)
    with pytest.raises(NotInvited):
        await accept(database, token_in(old), identity(email))
    with pytest.raises(NotInvited):
        await login(database, identity(email))
    new = await send_again(database, admin, old)
    assert isinstance(await accept(database, token_in(new), identity(email)), SignedIn)


async def test_who_holds_less_than_the_roles_neither_resends_nor_revokes(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner, admin = await signed_in(database, tenant, "owner"), await signed_in(database, tenant, "admin")
    email, mailer = address(), Mailbox()
    invited = await invite(database, owner, email, await role_id(database, tenant, "owner"))
    with pytest.raises(RoleNotGrantable):
        await send_again(database, admin, invited, mailer=mailer)
    with pytest.raises(Forbidden):
        await take_back(database, admin, invited)
    assert mailer.messages() == ()
    assert await standing(database, email) == ("PENDING", "INVITED")
    await accept(database, token_in(invited), identity(email))
    assert await database.value("SELECT is_owner FROM member WHERE email = $1", email) is True


async def test_a_revoked_invitation_lets_nobody_in(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email = address()
    invited = await invite(database, admin, email, await role_id(database, tenant, "agent"))
    await take_back(database, admin, invited)
    assert await standing(database, email) == ("REVOKED", None)
    with pytest.raises(NotInvited):
        await accept(database, token_in(invited), identity(email))
    with pytest.raises(NotInvited):
        await login(database, identity(email))
    assert await database.value('SELECT count(*) FROM "user" WHERE email = $1', email) == 0
    for again in (take_back, send_again):
        with pytest.raises(InvitationNotPending):
            await again(database, admin, invited)
    await invite(database, admin, email)
    assert await standing(database, email) == ("PENDING", "INVITED")


async def test_another_tenants_invitation_is_no_invitation(database: TemporaryDatabase) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    admin, stranger = await signed_in(database, tenant, "admin"), await signed_in(database, other, "owner")
    email = address()
    invited = await invite(database, admin, email)
    for change in (take_back, send_again):
        with pytest.raises(NotFound):
            await change(database, stranger, invited)
    assert await standing(database, email) == ("PENDING", "INVITED")


@pytest.mark.requirement("004-16", "003-32")
async def test_accepting_makes_an_active_member(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email = address()
    invited = await invite(database, admin, email, await role_id(database, tenant, "agent"))
    signed = await accept(database, token_in(invited), identity(email))
    assert signed.authority.tenant == tenant.node_id
    assert signed.authority.roles == ("agent",)
    assert signed.authority.member_version == 2
    (row,) = await database.seen_by_owner(
        "SELECT m.*, i.accepted_at, u.email AS person FROM member m JOIN invitation i ON i.member_id = m.id"
        ' JOIN "user" u ON u.id = m.user_id WHERE m.email = $1',
        email,
    )
    assert (row["status"], row["person"]) == ("ACTIVE", email)
    assert row["joined_at"] is not None
    assert row["accepted_at"] is not None
    with pytest.raises(NotInvited):
        await accept(database, token_in(invited), identity(email))


@pytest.mark.parametrize("verified", [True, False])
async def test_only_the_invited_address_accepts(database: TemporaryDatabase, *, verified: bool) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email = address()
    invited = await invite(database, admin, email)
    claimed = identity(address()) if verified else identity(email, verified=False)
    with pytest.raises(NotInvited):
        await accept(database, token_in(invited), claimed)
    with pytest.raises(NotInvited):
        await accept(database, "no such token", identity(email))
    assert await standing(database, email) == ("PENDING", "INVITED")
    assert await database.value("SELECT count(*) FROM identity WHERE subject = $1", claimed.subject) == 0


async def test_a_suspended_tenant_lets_nobody_accept(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email = address()
    invited = await invite(database, admin, email)
    await database.seen_by_owner("UPDATE tenant SET suspended = true WHERE id = $1", tenant.id)
    with pytest.raises(MemberSuspended):
        await accept(database, token_in(invited), identity(email))
    assert await standing(database, email) == ("PENDING", "INVITED")


async def test_twenty_accept_at_once_and_one_of_them_does(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email = address()
    invited = await invite(database, admin, email, await role_id(database, tenant, "agent"))
    who, token = identity(email), token_in(invited)
    outcomes = await asyncio.gather(
        *(accept(database, token, who) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, SignedIn) for outcome in outcomes) == 1
    assert {type(outcome) for outcome in outcomes} == {SignedIn, NotInvited}
    assert await database.value("SELECT count(*) FROM member WHERE email = $1", email) == 1
    assert await database.value("SELECT version FROM member WHERE email = $1", email) == 2
    assert await database.value("SELECT count(*) FROM identity WHERE subject = $1", who.subject) == 1


async def test_revoking_and_accepting_at_once_ends_one_way(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    for _ in range(5):
        email = address()
        invited = await invite(database, admin, email)
        accepted, revoked = await asyncio.gather(
            accept(database, token_in(invited), identity(email)),
            take_back(database, admin, invited),
            return_exceptions=True,
        )
        if isinstance(accepted, SignedIn):
            assert isinstance(revoked, InvitationNotPending)
            assert await standing(database, email) == ("ACCEPTED", "ACTIVE")
        else:
            assert isinstance(accepted, NotInvited)
            assert await standing(database, email) == ("REVOKED", None)


async def test_staff_are_invited_to_the_platform(database: TemporaryDatabase) -> None:
    staff, email = await system_authority(database), address()
    invited = await invite(database, staff, email)
    signed = await accept(database, token_in(invited), identity(email))
    assert signed.authority.scope == "SYSTEM"
    again = await session_of(database, identity(email))
    assert again.authority.user == signed.authority.user
