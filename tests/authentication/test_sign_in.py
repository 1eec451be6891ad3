"""Signing in: who comes in, who does not, and every known way around."""

from dataclasses import replace

import pytest

from tenantry.authentication.login.errors import MemberSuspended, NotInvited, TenantChoiceRequired
from tenantry.directory.members.models import MemberStatus
from tenantry.kernel.principal import Scope
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, make_user, platform, signed_in
from tests.support.logins import address, identity, invite, login, role_id, session_of


async def traces(database: TemporaryDatabase, email: str, subject: str) -> tuple[object, ...]:
    """What a login of this person may leave behind: users, identities, sessions."""
    users = await database.value('SELECT count(*) FROM "user" WHERE email = $1', email)
    identities = await database.value("SELECT count(*) FROM identity WHERE subject = $1", subject)
    sessions = await database.value(
        'SELECT count(*) FROM session s JOIN "user" u ON u.id = s.user_id WHERE u.email = $1', email
    )
    return users, identities, sessions


@pytest.mark.requirement("003-28", "J-03")
async def test_a_member_signs_in_by_the_verified_address_and_then_by_the_subject(
    database: TemporaryDatabase,
) -> None:
    tenant = await make_tenant(database)
    member = await make_member(database, tenant, "manager")
    who = identity(member.email)
    first = await session_of(database, who)
    assert (first.authority.member, first.authority.tenant) == (member.node_id, tenant.node_id)
    assert first.authority.roles == ("manager",)
    assert first.authority.scope is Scope.TENANT
    assert len(first.permissions) == 14
    assert await database.value("SELECT ip FROM session WHERE id = $1", first.session_id) == "192.0.2.7"
    assert (await session_of(database, who)).session_id != first.session_id

    elsewhere = replace(who, email=address(), email_verified=False)
    assert (await session_of(database, elsewhere)).authority.user == first.authority.user
    assert await traces(database, member.email, who.subject) == (1, 1, 3)


@pytest.mark.requirement("003-32")
async def test_an_invited_person_becomes_active_at_the_first_verified_login(
    database: TemporaryDatabase,
) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email = address()
    await invite(database, admin, email, await role_id(database, tenant, "agent"))
    signed = await session_of(database, identity(email))
    assert signed.authority.roles == ("agent",)
    (row,) = await database.seen_by_owner(
        "SELECT m.status, m.version, i.status AS invitation FROM member m"
        " JOIN invitation i ON i.member_id = m.id WHERE m.email = $1",
        email,
    )
    assert tuple(row) == ("ACTIVE", 2, "ACCEPTED")


async def test_an_active_member_without_a_person_waits_for_the_address(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    email = address()
    await make_member(database, tenant, email=email)
    await database.seen_by_owner("UPDATE member SET user_id = NULL, joined_at = NULL WHERE email = $1", email)
    await database.seen_by_owner('DELETE FROM "user" WHERE email = $1', email)
    signed = await session_of(database, identity(email))
    assert signed.authority.member_version == 1
    (row,) = await database.seen_by_owner("SELECT user_id, joined_at FROM member WHERE email = $1", email)
    assert row["user_id"] == signed.authority.user_id
    assert row["joined_at"] is not None


async def test_a_stranger_leaves_no_trace(database: TemporaryDatabase) -> None:
    who = identity(address())
    with pytest.raises(NotInvited):
        await login(database, who)
    assert await traces(database, who.email or "", who.subject) == (0, 0, 0)


@pytest.mark.requirement("003-28")
async def test_an_unverified_address_opens_nothing(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin, member = await signed_in(database, tenant, "admin"), await make_member(database, tenant)
    invited = address()
    await invite(database, admin, invited)
    for email in (member.email, invited):
        who = identity(email, verified=False)
        with pytest.raises(NotInvited):
            await login(database, who)
        assert (await traces(database, email, who.subject))[1:] == (0, 0)
    assert await database.value("SELECT status FROM member WHERE email = $1", invited) == "INVITED"


@pytest.mark.requirement("003-28")
async def test_another_issuer_or_subject_with_the_same_address_opens_nothing(
    database: TemporaryDatabase,
) -> None:
    tenant = await make_tenant(database)
    member = await make_member(database, tenant, "owner")
    who = identity(member.email)
    await session_of(database, who)
    before = await traces(database, member.email, who.subject)
    for other in (
        replace(who, issuer="https://elsewhere.example"),
        replace(who, subject=f"new {who.subject}"),
        replace(who, issuer="https://elsewhere.example", subject="third"),
    ):
        with pytest.raises(NotInvited):
            await login(database, other)
        assert (
            await database.value(
                "SELECT count(*) FROM identity WHERE issuer = $1 AND subject = $2",
                other.issuer,
                other.subject,
            )
            == 0
        )
    assert await traces(database, member.email, who.subject) == before


async def test_an_address_taken_over_does_not_bring_its_former_owners_account(
    database: TemporaryDatabase,
) -> None:
    """The issuer gave an old address to someone new: bound accounts stay with their subjects."""
    tenant = await make_tenant(database)
    victim, attacker = await make_member(database, tenant, "owner"), await make_member(database, tenant)
    await session_of(database, identity(victim.email))
    own = identity(attacker.email)
    await session_of(database, own)
    renamed = await session_of(database, replace(own, email=victim.email))
    assert renamed.authority.member == attacker.node_id


async def test_an_address_of_an_unbound_person_is_not_taken_by_a_bound_one(
    database: TemporaryDatabase,
) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    member = await make_member(database, tenant)
    await session_of(database, identity(member.email))
    waiting = await make_member(database, other, "owner")
    signed = await session_of(database, replace(identity(member.email), email=waiting.email))
    assert signed.authority.member == member.node_id


async def test_a_changed_address_finds_what_waits_for_it_if_it_is_free(database: TemporaryDatabase) -> None:
    tenant, other = await make_tenant(database), await make_tenant(database)
    member, email = await make_member(database, tenant), address()
    who = identity(member.email)
    await session_of(database, who)
    await invite(database, await signed_in(database, other, "admin"), email)
    signed = await session_of(database, replace(who, email=email), tenant=other.node_id)
    assert signed.authority.tenant == other.node_id
    assert await database.value('SELECT count(*) FROM "user" WHERE email = $1', email) == 0


@pytest.mark.requirement("003-32")
async def test_who_is_suspended_does_not_come_in(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    member = await make_member(database, tenant, status=MemberStatus.SUSPENDED)
    with pytest.raises(MemberSuspended):
        await login(database, identity(member.email))
    assert (await traces(database, member.email, identity(member.email).subject))[2] == 0


async def test_a_suspended_member_does_not_come_back_by_an_invitation_to_another_address(
    database: TemporaryDatabase,
) -> None:
    tenant = await make_tenant(database)
    member, email = await make_member(database, tenant), address()
    who = identity(member.email)
    await session_of(database, who)
    await database.seen_by_owner("UPDATE member SET status = 'SUSPENDED' WHERE id = $1", member.id)
    await invite(database, await signed_in(database, tenant, "admin"), email)
    with pytest.raises(MemberSuspended):
        await login(database, replace(who, email=email))
    assert await database.value("SELECT status FROM member WHERE email = $1", email) == "INVITED"


async def test_a_suspended_tenant_is_no_choice(database: TemporaryDatabase) -> None:
    open_, closed = await make_tenant(database), await make_tenant(database)
    email = address()
    await make_member(database, open_, email=email)
    await make_member(database, closed, email=email)
    await database.seen_by_owner("UPDATE tenant SET suspended = true WHERE id = $1", closed.id)
    assert (await session_of(database, identity(email))).authority.tenant == open_.node_id
    with pytest.raises(MemberSuspended):
        await login(database, identity(email), tenant=closed.node_id)


@pytest.mark.requirement("001-05")
async def test_scope_decides_between_the_platform_and_tenants(database: TemporaryDatabase) -> None:
    tenant, home = await make_tenant(database), await platform(database)
    email = address()
    await make_member(database, tenant, email=email)
    await make_member(database, home, "support", email=email)
    who = identity(email)
    assert (await session_of(database, who)).authority.tenant == tenant.node_id
    staff = await session_of(database, who, scope=Scope.SYSTEM)
    assert staff.authority.scope is Scope.SYSTEM
    with pytest.raises(NotInvited):
        await login(database, who, tenant=tenant.node_id, scope=Scope.SYSTEM)
    only_staff = await make_member(database, home, "support")
    assert (await session_of(database, identity(only_staff.email))).authority.scope is Scope.SYSTEM
    with pytest.raises(NotInvited):
        await login(database, identity(only_staff.email), scope=Scope.TENANT)


async def test_a_super_admin_may_do_everything_on_the_platform(database: TemporaryDatabase) -> None:
    home, email = await platform(database), address()
    await make_user(database, email, is_super_admin=True)
    await make_member(database, home, "support", email=email)
    await database.seen_by_owner('UPDATE "user" SET is_super_admin = true WHERE email = $1', email)
    assert (await session_of(database, identity(email))).authority.permissions == {"*"}


async def test_a_refusal_says_nothing_of_the_person(database: TemporaryDatabase) -> None:
    who = identity(address())
    with pytest.raises(NotInvited) as refused:
        await login(database, who)
    assert who.email not in f"{refused.value!r} {refused.value.message} {refused.value.extensions()}"
    assert not isinstance(refused.value, TenantChoiceRequired)
