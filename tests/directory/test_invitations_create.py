"""Inviting: one answer an address, and what each refusal leaves as it was."""

import asyncio
import io
from datetime import UTC, datetime, timedelta

import pytest
from asyncpg.connection import LoggedQuery

from tenantry.authentication.login.terms import Terms
from tenantry.directory.invitations.drafts import InvitationRequest, normalised
from tenantry.directory.invitations.errors import AlreadyMember, InvalidEmail, InvitationPending
from tenantry.directory.invitations.service import Invited, create_invitations
from tenantry.directory.members.errors import TooManyRoles
from tenantry.directory.members.models import MemberStatus
from tenantry.directory.roles.errors import RoleNotGrantable
from tenantry.kernel.errors import BadUserInput, NotFound, Problem
from tenantry.mail.mailbox import Mailbox
from tenantry.mail.port import MailMessage, MailUnavailable
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.opaque import digest
from tests.support.clocks import MovableClock
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, signed_in, system_authority
from tests.support.logins import (
    TERMS,
    WEEK,
    address,
    invite,
    invite_all,
    link,
    role_id,
    token_in,
)


class BrokenMailer:
    """A mail server that takes nothing."""

    async def send(self, message: MailMessage) -> None:
        assert message.to
        raise MailUnavailable


def at(clock: MovableClock) -> Terms:
    return Terms(clock, session=WEEK, ticket=TERMS.ticket)


async def invitations(database: TemporaryDatabase, email: str) -> list[str]:
    rows = await database.seen_by_owner(
        "SELECT status FROM invitation WHERE email = $1 ORDER BY created_at, id", email
    )
    return [row["status"] for row in rows]


@pytest.mark.requirement("004-16", "003-22")
async def test_an_invited_person_waits_with_their_roles(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    agent, email, mailer = await role_id(database, tenant, "agent"), address(), Mailbox()
    requests = [InvitationRequest(email.upper(), (agent, agent), "Ann")]
    (invited,) = await invite_all(database, admin, requests, mailer=mailer)

    assert isinstance(invited, Invited)
    (row,) = await database.seen_by_owner(
        "SELECT i.*, m.status AS standing, m.user_id, m.name AS called, r.key FROM invitation i"
        " JOIN member m ON m.id = i.member_id JOIN member_role mr ON mr.member_id = m.id"
        " JOIN invitation_role ir ON ir.invitation_id = i.id AND ir.role_id = mr.role_id"
        " JOIN role r ON r.id = mr.role_id WHERE i.email = $1",
        email,
    )
    assert (row["status"], row["standing"], row["user_id"]) == ("PENDING", "INVITED", None)
    assert (row["key"], row["called"], row["inviter_id"]) == ("agent", "Ann", admin.member_id)
    assert row["token_hash"] == digest(token_in(invited))
    assert row["expires_at"] - row["created_at"] == timedelta(days=7)
    (mail,) = mailer.messages()
    assert mail.to == email
    assert invited.link in mail.text
    assert invited.link not in repr(invited)


@pytest.mark.requirement("004-16")
async def test_one_answer_an_address_in_their_order(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    agent, owner = await role_id(database, tenant, "agent"), await role_id(database, tenant, "owner")
    manager = await role_id(database, tenant, "manager")
    there, suspended = await make_member(database, tenant), address()
    await make_member(database, tenant, email=suspended, status=MemberStatus.SUSPENDED)
    pending, fine, twice, above, many = (address() for _ in range(5))
    await invite(database, admin, pending, agent)
    mailer = Mailbox()
    answers = await invite_all(
        database,
        admin,
        [
            InvitationRequest(there.email, (agent,)),
            InvitationRequest(suspended, (agent,)),
            InvitationRequest("no address", (agent,)),
            InvitationRequest(pending, (agent,)),
            InvitationRequest(fine, (agent,)),
            InvitationRequest(above, (owner,)),
            InvitationRequest(many, (agent, manager)),
            InvitationRequest(twice),
            InvitationRequest(twice.upper(), (agent,)),
        ],
        mailer=mailer,
    )
    assert [type(answer) for answer in answers] == [
        AlreadyMember,
        AlreadyMember,
        InvalidEmail,
        InvitationPending,
        Invited,
        RoleNotGrantable,
        TooManyRoles,
        Invited,
        InvitationPending,
    ]
    assert {mail.to for mail in mailer.messages()} == {fine, twice}
    for refused in (there.email, suspended, above, many):
        assert await invitations(database, refused) == []
        assert await database.value("SELECT count(*) FROM member WHERE email = $1", refused) == int(
            refused in {there.email, suspended}
        )


async def test_a_foreign_role_is_no_role_and_nobody_is_invited(database: TemporaryDatabase) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    foreign, email, mailer = await role_id(database, other, "agent"), address(), Mailbox()
    requests = [InvitationRequest(email), InvitationRequest(address(), (foreign,))]
    with pytest.raises(NotFound):
        await invite_all(database, admin, requests, mailer=mailer)
    assert await invitations(database, email) == []
    assert mailer.messages() == ()


async def test_a_rollback_sends_nothing(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email, mailer = address(), Mailbox()
    with pytest.raises(BadUserInput):
        await invite_all(
            database,
            admin,
            [InvitationRequest(email), InvitationRequest(address(), (), "two\nlines")],
            mailer=mailer,
        )
    assert await invitations(database, email) == []
    assert mailer.messages() == ()


async def statements_of(work: UnitOfWork, requests: list[InvitationRequest]) -> int:
    """How many statements it takes to invite so many."""
    seen: list[LoggedQuery] = []
    with (await work.driver()).query_logger(seen.append):
        answers = await create_invitations(
            work, requests, clock=TERMS.clock, lifetime=WEEK, mailer=Mailbox(), link=link
        )
        await work.driver()
        await asyncio.sleep(0)  # asyncpg tells a moment later
    assert all(isinstance(answer, Invited) for answer in answers)
    return len(seen)


async def test_a_hundred_addresses_cost_two_statements_as_one_does(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    agent = await role_id(database, tenant, "agent")
    async with database.writing(admin) as work:
        # The first time on a connection, asyncpg asks for types, too.
        _, one, hundred = [
            await statements_of(work, [InvitationRequest(address(), (agent,)) for _ in range(count)])
            for count in (1, 1, 100)
        ]
    assert (one, hundred) == (2, 2)
    with pytest.raises(BadUserInput):
        await invite_all(database, admin, [InvitationRequest(address()) for _ in range(101)])


async def test_mail_that_fails_is_logged_without_the_address(
    database: TemporaryDatabase, log: io.StringIO
) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email = address()
    (answer,) = await invite_all(database, admin, [InvitationRequest(email)], mailer=BrokenMailer())
    assert isinstance(answer, Invited)
    assert await invitations(database, email) == ["PENDING"]
    written = log.getvalue()
    assert written.count("invitation.mail_failed") == 1
    assert email not in written
    assert answer.link not in written


async def test_an_expired_invitation_is_replaced(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email, clock = address(), MovableClock(datetime.now(UTC) - timedelta(days=8))
    agent, manager = await role_id(database, tenant, "agent"), await role_id(database, tenant, "manager")
    await invite(database, admin, email, manager, terms=at(clock))
    await invite(database, admin, email, agent)
    assert await invitations(database, email) == ["EXPIRED", "PENDING"]
    rows = await database.seen_by_owner(
        "SELECT r.key FROM member m JOIN member_role mr ON mr.member_id = m.id"
        " JOIN role r ON r.id = mr.role_id WHERE m.email = $1",
        email,
    )
    assert [row["key"] for row in rows] == ["agent"]


async def test_an_invitation_whose_member_was_removed_is_replaced(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email = address()
    await invite(database, admin, email)
    await database.seen_by_owner("DELETE FROM member WHERE email = $1", email)
    await invite(database, admin, email)
    assert await invitations(database, email) == ["REVOKED", "PENDING"]


async def test_the_platform_invites_into_a_tenant_it_has_entered(database: TemporaryDatabase) -> None:
    tenant, staff, email = await make_tenant(database), await system_authority(database), address()
    owner = await role_id(database, tenant, "owner")
    async with database.writing(staff) as work:
        await work.enter(tenant.id)
        (answer,) = await create_invitations(
            work,
            [InvitationRequest(email, (owner,))],
            clock=TERMS.clock,
            lifetime=WEEK,
            mailer=Mailbox(),
            link=link,
        )
    assert isinstance(answer, Invited)
    (row,) = await database.seen_by_owner("SELECT * FROM invitation WHERE email = $1", email)
    assert (row["tenant_id"], row["inviter_id"]) == (tenant.id, None)
    assert await database.value("SELECT is_owner FROM member WHERE email = $1", email) is True


async def test_the_same_address_invited_twice_at_once_waits_once(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    inviters = [await signed_in(database, tenant, "admin") for _ in range(8)]
    first, second = address(), address()
    orders = [[first, second], [second, first]] * 4
    answers = await asyncio.gather(
        *(
            invite_all(database, inviter, [InvitationRequest(email) for email in order])
            for inviter, order in zip(inviters, orders, strict=True)
        )
    )
    flat: list[Invited | Problem] = [answer for some in answers for answer in some]
    assert sum(isinstance(answer, Invited) for answer in flat) == 2
    assert {type(answer) for answer in flat} == {Invited, InvitationPending}
    assert await invitations(database, first) == await invitations(database, second) == ["PENDING"]
    assert await database.value("SELECT count(*) FROM member WHERE email = $1", first) == 1


@pytest.mark.parametrize(
    ("text", "address_"),
    [
        ("Ann@Example.ORG", "ann@example.org"),
        ("ann+tag@example.org", "ann+tag@example.org"),
        ("ann@example", None),
        ("ann@example.org, bob@example.org", None),
        ("Ann <ann@example.org>", None),
        ("ann@example.org\nBcc: bob@example.org", None),
        ("", None),
        ("\x00@example.org", None),
        (f"{'a' * 300}@example.org", None),
    ],
)
def test_what_counts_as_an_address(*, text: str, address_: str | None) -> None:
    assert normalised(text) == address_
