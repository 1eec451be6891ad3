"""A tenant keeps an owner, whoever leaves and however many leave at once."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from tenantry.directory.members.models import Member
from tenantry.kernel.errors import Conflict, Unauthenticated
from tenantry.kernel.principal import Authority
from tenantry.storage.errors import LAST_OWNER, sqlstate
from tests.support.rows import Rows

ROUNDS = 50
OWNERS = "SELECT count(*) FROM member WHERE tenant_id = $1 AND is_owner AND status = 'ACTIVE'"
LEAVING = {
    "demoted": "UPDATE member SET is_owner = false WHERE id = $1",
    "suspended": "UPDATE member SET status = 'SUSPENDED' WHERE id = $1",
    "removed": "DELETE FROM member WHERE id = $1",
}


async def leave(rows: Rows, tenant: UUID, leaving: str, member: UUID) -> None:
    """Take ``member`` out of the owners, as a service would that has entered the tenant."""
    async with rows.database.writing(None) as work:
        await work.enter(tenant)
        await (await work.driver()).execute(leaving, member)


@pytest.mark.parametrize("leaving", LEAVING.values(), ids=LEAVING)
async def test_the_last_owner_cannot_be(rows: Rows, leaving: str):
    tenant = await rows.tenant()
    first, last = await rows.member(tenant, owner=True), await rows.member(tenant, owner=True)
    await rows.member(tenant)
    await leave(rows, tenant, leaving, first)
    with pytest.raises(Exception, match="at least one active owner") as refused:
        await leave(rows, tenant, leaving, last)
    assert sqlstate(refused.value) == LAST_OWNER
    assert await rows.database.value(OWNERS, tenant) == 1


async def test_a_suspended_owner_does_not_count(rows: Rows):
    tenant = await rows.tenant()
    first, last = await rows.member(tenant, owner=True), await rows.member(tenant, owner=True)
    await leave(rows, tenant, LEAVING["suspended"], first)
    with pytest.raises(Exception, match="at least one active owner"):
        await leave(rows, tenant, LEAVING["demoted"], last)
    assert await rows.database.value(OWNERS, tenant) == 1


async def test_another_tenants_owners_do_not_count_and_a_tenant_may_go_whole(rows: Rows):
    tenant, other = await rows.tenant(), await rows.tenant()
    owner = await rows.member(tenant, owner=True)
    await rows.member(other, owner=True)
    with pytest.raises(Exception, match="at least one active owner"):
        await leave(rows, tenant, LEAVING["removed"], owner)
    await rows.execute("DELETE FROM tenant WHERE id = $1", tenant)
    assert await rows.database.value(OWNERS, tenant) == 0


async def demote(rows: Rows, authority: Authority, other: UUID) -> None:
    """``authority`` demotes ``other``, as a signed-in owner may."""
    async with rows.database.writing(authority) as work:
        await work.session.exec(
            update(Member)
            .where(col(Member.id) == other)
            .values(is_owner=False, version=col(Member.version) + 1)
        )


async def test_two_owners_who_demote_each_other_leave_one_every_time(rows: Rows):
    tenant = await rows.tenant()
    ada, ben = await rows.signed_in(tenant, owner=True), await rows.signed_in(tenant, owner=True)
    for _ in range(ROUNDS):
        await rows.execute("UPDATE member SET is_owner = true, version = 1 WHERE tenant_id = $1", tenant)
        outcomes = await asyncio.gather(
            demote(rows, ada, ben.member_id), demote(rows, ben, ada.member_id), return_exceptions=True
        )
        assert await rows.database.value(OWNERS, tenant) == 1
        (refused,) = [outcome for outcome in outcomes if outcome is not None]
        assert isinstance(refused, (Conflict, Unauthenticated, DBAPIError))


async def test_two_owners_who_are_taken_out_by_others_leave_one_every_time(rows: Rows):
    tenant = await rows.tenant()
    owners = [await rows.member(tenant, owner=True), await rows.member(tenant, owner=True)]
    for round_number in range(ROUNDS):
        await rows.execute(
            "UPDATE member SET is_owner = true, status = 'ACTIVE' WHERE tenant_id = $1", tenant
        )
        leaving = list(LEAVING.values())[round_number % 2]
        attempts = [leave(rows, tenant, leaving, owner) for owner in owners]
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        assert await rows.database.value(OWNERS, tenant) == 1
        assert [sqlstate(outcome) for outcome in outcomes if outcome is not None] == [LAST_OWNER]
