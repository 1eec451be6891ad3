"""A product in which everyone belongs to one organisation: whichever way they come, however many at once."""

import asyncio

import pytest
from sqlalchemy.exc import DBAPIError

from tenantry.authentication.login.errors import TenantChoiceRequired
from tenantry.authentication.login.service import SignedIn, redeem_ticket
from tenantry.directory.invitations.service import Invited
from tenantry.directory.members.errors import SingleMembership
from tenantry.directory.members.models import MemberStatus
from tenantry.directory.provisioning.tenants import create_tenant
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.principal import Scope
from tenantry.storage.errors import ELSEWHERE, sqlstate
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, platform, signed_in
from tests.support.logins import CLIENT, TERMS, accept, address, identity, invite, login, session_of, token_in
from tests.support.refusals import expect_refusal

SUITE = "abac-suite"
ROUNDS, RIVALS = 15, 4
BOUND = """SELECT count(*) FROM member m JOIN "user" u ON u.id = m.user_id WHERE u.email = $1"""


async def invited(database: TemporaryDatabase, email: str, blueprint: str = SUITE) -> tuple[Tenant, Invited]:
    """A tenant of its own, whose owner has asked this address in."""
    tenant = await make_tenant(database, blueprint)
    owner_role = await database.value(
        "SELECT key FROM role WHERE tenant_id = $1 AND is_owner ORDER BY position LIMIT 1", tenant.id
    )
    return tenant, await invite(database, await signed_in(database, tenant, str(owner_role)), email)


@pytest.mark.requirement("004-02")
async def test_who_belongs_to_one_organisation_is_asked_into_another_and_cannot_come(
    database: TemporaryDatabase,
) -> None:
    email = address()
    first, here = await invited(database, email)
    assert isinstance(await accept(database, token_in(here), identity(email)), SignedIn)
    second, there = await invited(database, email)
    async with expect_refusal(database, SingleMembership) as refused:
        await accept(database, token_in(there), identity(email))
    assert refused.value.code == "SINGLE_MEMBERSHIP"
    assert first.name not in refused.value.message
    async with expect_refusal(database, SingleMembership):
        await login(database, identity(email), tenant=second.node_id)
    assert (await session_of(database, identity(email))).authority.tenant_id == first.id
    assert await database.value(BOUND, email) == 1


@pytest.mark.requirement("004-02")
async def test_whoever_has_left_the_one_may_come_to_the_other(database: TemporaryDatabase) -> None:
    email = address()
    tenant, here = await invited(database, email)
    await accept(database, token_in(here), identity(email))
    other, there = await invited(database, email)
    await database.seen_by_owner(
        "UPDATE member SET status = 'SUSPENDED' WHERE tenant_id = $1 AND NOT is_owner", tenant.id
    )
    async with expect_refusal(database, SingleMembership):
        await accept(database, token_in(there), identity(email))
    await database.seen_by_owner("DELETE FROM member WHERE tenant_id = $1 AND email = $2", tenant.id, email)
    assert (await accept(database, token_in(there), identity(email))).authority.tenant_id == other.id


@pytest.mark.requirement("002-01", "002-02")
async def test_where_a_person_may_belong_to_many_one_identity_has_them_all(
    database: TemporaryDatabase,
) -> None:
    email = address()
    tenants = [await invited(database, email, "research-workspace") for _ in range(3)]
    for _, each in tenants:
        assert isinstance(await accept(database, token_in(each), identity(email)), SignedIn)
    assert await database.value('SELECT count(*) FROM "user" WHERE email = $1', email) == 1
    assert await database.value(BOUND, email) == 3
    choice = await login(database, identity(email))
    assert isinstance(choice, TenantChoiceRequired)
    assert {each.tenant for each in choice.choices} == {tenant.node_id for tenant, _ in tenants}


async def test_another_product_and_the_platform_do_not_count(database: TemporaryDatabase) -> None:
    email = address()
    _, suite = await invited(database, email)
    _, phones = await invited(database, email, "phone-system")
    await make_member(database, await platform(database), "support", email=email)
    for each in (suite, phones):
        assert isinstance(await accept(database, token_in(each), identity(email)), SignedIn)
    assert (await session_of(database, identity(email), scope=Scope.SYSTEM)).authority.scope is Scope.SYSTEM
    assert await database.value(BOUND, email) == 3


async def test_of_two_that_wait_the_chosen_one_is_the_persons(database: TemporaryDatabase) -> None:
    """Made with their organisations, as the first owner is."""
    email = address()
    tenants: list[Tenant] = []
    for name in ("Aa", "Bb"):
        async with database.writing(None) as work:
            slug = f"{name.lower()}-{email.split('@')[0]}"
            tenants.append(
                await create_tenant(work, blueprint=SUITE, slug=slug, name=name, owner_email=email)
            )
    choice = await login(database, identity(email))
    assert isinstance(choice, TenantChoiceRequired)
    assert [each.name for each in choice.choices] == ["Aa", "Bb"]
    assert await database.value(BOUND, email) == 0
    async with database.writing(None) as work:
        chosen = await redeem_ticket(work, choice.ticket, tenants[1].node_id, client=CLIENT, terms=TERMS)
    assert isinstance(chosen, SignedIn)
    assert chosen.authority.tenant_id == tenants[1].id
    async with expect_refusal(database, SingleMembership):
        await login(database, identity(email), tenant=tenants[0].node_id)
    assert (await session_of(database, identity(email))).authority.tenant_id == tenants[1].id


@pytest.mark.requirement("004-02")
async def test_the_database_holds_it_whoever_writes(database: TemporaryDatabase) -> None:
    email = address()
    await make_member(database, await make_tenant(database, SUITE), (), email=email)
    with pytest.raises(DBAPIError) as refused:
        await make_member(database, await make_tenant(database, SUITE), (), email=email)
    assert sqlstate(refused.value) == ELSEWHERE
    waiting = await make_member(
        database, await make_tenant(database, SUITE), (), email=email, status=MemberStatus.INVITED
    )
    with pytest.raises(Exception, match="belongs to one tenant") as written:
        await database.seen_by_owner(
            'UPDATE member SET user_id = (SELECT id FROM "user" WHERE email = $1) WHERE id = $2',
            email,
            waiting.id,
        )
    assert sqlstate(written.value) == ELSEWHERE


@pytest.mark.requirement("004-02")
async def test_of_many_organisations_at_once_one_has_the_person(database: TemporaryDatabase) -> None:
    for _ in range(ROUNDS):
        email = address()
        waiting = [token_in((await invited(database, email))[1]) for _ in range(RIVALS)]
        outcomes = await asyncio.gather(
            *(accept(database, token, identity(email)) for token in waiting), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in outcomes) == ["SignedIn"] + ["SingleMembership"] * (
            RIVALS - 1
        )
        assert await database.value(BOUND, email) == 1


async def test_two_logins_at_once_bind_one_of_two_that_wait(database: TemporaryDatabase) -> None:
    for round_ in range(ROUNDS):
        email = address()
        tenants: list[Tenant] = []
        for name in ("aa", "bb"):
            async with database.writing(None) as work:
                slug = f"{name}-{round_}-{email.split('@')[0]}"
                tenants.append(
                    await create_tenant(work, blueprint=SUITE, slug=slug, name=name, owner_email=email)
                )
        outcomes = await asyncio.gather(
            *(login(database, identity(email), tenant=tenant.node_id) for tenant in tenants),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in outcomes) == ["SignedIn", "SingleMembership"]
        assert await database.value(BOUND, email) == 1
