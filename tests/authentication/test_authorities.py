"""Authorities that are kept: bounded, by versions, never a refusal."""

from dataclasses import replace

import pytest

from tenantry.authentication.login.claims import principal_of
from tenantry.authentication.sessions.authorities import Authorities
from tenantry.kernel.errors import Unauthenticated
from tenantry.kernel.ids import new_key
from tenantry.kernel.principal import ANONYMOUS, Scope
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in, signed_in, system_authority


async def test_a_second_look_asks_nobody(database: TemporaryDatabase) -> None:
    authority = await signed_in(database, await make_tenant(database))
    authorities = Authorities(database)
    first = await authorities.get(principal_of(authority))
    assert first == authority
    assert await authorities.get(principal_of(authority)) is first
    assert len(authorities) == 1


async def test_what_was_forgotten_is_asked_again(database: TemporaryDatabase) -> None:
    authority = await signed_in(database, await make_tenant(database))
    authorities = Authorities(database)
    await authorities.get(principal_of(authority))
    await database.seen_by_owner("UPDATE session SET revoked = true WHERE id = $1", authority.session_id)
    authorities.forget(principal_of(authority))
    for _ in range(2):
        with pytest.raises(Unauthenticated) as refused:
            await authorities.get(principal_of(authority))
        assert refused.value.reason == "REVOKED"
    assert len(authorities) == 0


@pytest.mark.requirement("001-30")
async def test_versions_must_be_equal(database: TemporaryDatabase) -> None:
    authority = await signed_in(database, await make_tenant(database))
    authorities, said = Authorities(database), principal_of(authority)
    for changed in (
        replace(said, member_version=2),
        replace(said, tenant_version=2),
        replace(said, member_version=0),
    ):
        with pytest.raises(Unauthenticated) as refused:
            await authorities.get(changed)
        assert refused.value.reason == "AUTHORITY_CHANGED"


@pytest.mark.requirement("001-30", "000-14")
async def test_a_token_of_another_place_finds_no_session(database: TemporaryDatabase) -> None:
    authority, staff = (
        await signed_in(database, await make_tenant(database)),
        await system_authority(database),
    )
    authorities, said = Authorities(database), principal_of(authority)
    assert (await authorities.get(principal_of(staff))).scope is Scope.SYSTEM
    for changed in (
        ANONYMOUS,
        replace(said, session=new_key()),
        replace(said, subject=staff.user),
        replace(said, scope=Scope.SYSTEM, tenant=None),
        replace(said, tenant=staff.tenant),
        replace(principal_of(staff), scope=Scope.TENANT, tenant=staff.tenant),
    ):
        fresh = Authorities(database)
        with pytest.raises(Unauthenticated) as refused:
            await fresh.get(changed)
        assert refused.value.reason == "UNKNOWN_SESSION"


async def test_as_many_are_kept_as_was_said(database: TemporaryDatabase) -> None:
    member = await make_member(database, await make_tenant(database))
    authorities = Authorities(database, capacity=4)
    often = await sign_in(database, member)
    kept = await authorities.get(principal_of(often))
    for _ in range(8):
        await authorities.get(principal_of(await sign_in(database, member)))
        assert len(authorities) <= 4
        assert await authorities.get(principal_of(often)) is kept
