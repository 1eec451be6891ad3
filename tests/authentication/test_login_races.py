"""The same person, many times at once."""

import asyncio
from dataclasses import replace

from tenantry.authentication.login.errors import NotInvited, TenantChoiceRequired
from tenantry.authentication.login.service import SignedIn
from tenantry.kernel.errors import Conflict
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, signed_in
from tests.support.logins import address, identity, invite, login, role_id


async def test_twenty_first_logins_make_one_person(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    admin = await signed_in(database, tenant, "admin")
    email = address()
    await invite(database, admin, email, await role_id(database, tenant, "agent"))
    who = identity(email)
    outcomes = await asyncio.gather(*(login(database, who) for _ in range(20)))
    assert all(isinstance(outcome, SignedIn) for outcome in outcomes)
    assert await database.value('SELECT count(*) FROM "user" WHERE email = $1', email) == 1
    assert await database.value("SELECT count(*) FROM identity WHERE subject = $1", who.subject) == 1
    assert await database.value("SELECT version FROM member WHERE email = $1", email) == 2


async def test_first_logins_into_several_tenants_at_once(database: TemporaryDatabase) -> None:
    tenants = [await make_tenant(database) for _ in range(3)]
    email = address()
    for tenant in tenants:
        await invite(database, await signed_in(database, tenant, "admin"), email)
    who = identity(email)
    outcomes = await asyncio.gather(
        *(login(database, who, tenant=tenant.node_id) for tenant in tenants * 3),
        *(login(database, who) for _ in range(6)),
    )
    assert all(isinstance(outcome, SignedIn) for outcome in outcomes[:9])
    assert all(isinstance(outcome, TenantChoiceRequired) for outcome in outcomes[9:])
    rows = await database.seen_by_owner("SELECT status, version, user_id FROM member WHERE email = $1", email)
    assert {(row["status"], row["version"]) for row in rows} == {("ACTIVE", 2)}
    assert len({row["user_id"] for row in rows}) == 1


async def test_two_identities_with_one_address_at_once_bind_one(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    for _ in range(5):
        member = await make_member(database, tenant)
        one = identity(member.email)
        other = replace(one, issuer="https://elsewhere.example")
        outcomes = await asyncio.gather(login(database, one), login(database, other), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {SignedIn, NotInvited}
        bound = 'SELECT count(*) FROM identity i JOIN "user" u ON u.id = i.user_id WHERE u.email = $1'
        assert await database.value(bound, member.email) == 1


async def test_one_identity_with_two_addresses_at_once_binds_one(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    for _ in range(5):
        first, second = await make_member(database, tenant), await make_member(database, tenant)
        one = identity(first.email)
        outcomes = await asyncio.gather(
            login(database, one), login(database, replace(one, email=second.email)), return_exceptions=True
        )
        winners = [outcome for outcome in outcomes if isinstance(outcome, SignedIn)]
        assert winners
        assert {type(outcome) for outcome in outcomes} <= {SignedIn, Conflict}
        assert len({winner.authority.user for winner in winners}) == 1
