"""A session goes on by its refresh token: once for each, and not for thieves."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tenantry.authentication.login.service import SignedIn, renew_session
from tenantry.authentication.login.terms import Terms
from tenantry.kernel.errors import Unauthenticated
from tenantry.tokens.opaque import digest
from tests.support.clocks import MovableClock
from tests.support.database import DatabaseServer, TemporaryDatabase
from tests.support.factories import make_member, make_tenant
from tests.support.logins import TERMS, WEEK, identity, login

GRACE = replace(TERMS, grace=timedelta(seconds=10))


async def signed_in(database: TemporaryDatabase, *, terms: Terms = TERMS) -> SignedIn:
    member = await make_member(database, await make_tenant(database))
    outcome = await login(database, identity(member.email), terms=terms)
    assert isinstance(outcome, SignedIn)
    return outcome


async def renewed(
    database: TemporaryDatabase, token: str, *, terms: Terms = TERMS
) -> SignedIn | Unauthenticated:
    async with database.writing(None) as work:
        return await renew_session(work, token, terms=terms)


async def session(database: TemporaryDatabase, key: UUID) -> dict[str, Any]:
    (row,) = await database.seen_by_owner("SELECT * FROM session WHERE id = $1", key)
    return dict(row)


def reason(outcome: object) -> str:
    assert isinstance(outcome, Unauthenticated)
    return outcome.reason


@pytest.mark.requirement("000-02", "000-08", "001-07")
async def test_a_token_is_used_once_and_leaves_another(database: TemporaryDatabase) -> None:
    first = await signed_in(database)
    tokens = [first.refresh.token]
    for _ in range(3):
        following = await renewed(database, tokens[-1])
        assert isinstance(following, SignedIn)
        assert following.session_id == first.session_id
        assert following.authority == first.authority
        assert following.permissions == first.permissions
        tokens.append(following.refresh.token)
    assert len(set(tokens)) == 4
    assert {len(token) for token in tokens} == {43}


@pytest.mark.requirement("000-06")
async def test_a_family_ends_with_its_session_however_often_it_is_renewed(
    database: TemporaryDatabase,
) -> None:
    clock = MovableClock()
    terms = replace(TERMS, clock=clock)
    first = await signed_in(database, terms=terms)
    assert first.refresh.expires_at - clock.now == WEEK
    clock.now += timedelta(days=6)
    later = await renewed(database, first.refresh.token, terms=terms)
    assert isinstance(later, SignedIn)
    assert later.refresh.expires_at == first.refresh.expires_at
    clock.now += timedelta(days=1)
    assert reason(await renewed(database, later.refresh.token, terms=terms)) == "REFRESH_INVALID"


async def test_only_the_hash_of_a_token_is_kept_and_nothing_shows_it(database: TemporaryDatabase) -> None:
    first = await signed_in(database)
    token = first.refresh.token
    assert token not in repr(first)
    rows = await database.seen_by_owner(
        "SELECT token_hash, to_jsonb(r)::text AS whole FROM refresh_token r WHERE session_id = $1",
        first.session_id,
    )
    assert [row["token_hash"] for row in rows] == [digest(token)]
    assert token not in rows[0]["whole"]


@pytest.mark.parametrize("made_up", ["", "x", "A" * 43, "ä\udcff"])
async def test_a_token_that_is_none_ends_nothing(database: TemporaryDatabase, made_up: str) -> None:
    first = await signed_in(database)
    assert reason(await renewed(database, made_up)) == "REFRESH_INVALID"
    assert not (await session(database, first.session_id))["revoked"]


async def test_a_used_token_ends_its_session_and_no_other(
    database: TemporaryDatabase, database_server: DatabaseServer
) -> None:
    first, bystander = await signed_in(database), await signed_in(database)
    following = await renewed(database, first.refresh.token)
    assert isinstance(following, SignedIn)
    # Another worker, which remembers nothing of it.
    other = database_server.open(database.app_dsn.rsplit("/", 1)[1].split("?")[0])
    assert reason(await renewed(other, first.refresh.token)) == "REFRESH_REUSED"
    await other.close()
    assert (await session(database, first.session_id))["revoked"]
    assert not (await session(database, bystander.session_id))["revoked"]
    assert reason(await renewed(database, following.refresh.token)) == "REFRESH_INVALID"
    with pytest.raises(Unauthenticated):
        async with database.writing(following.authority):
            pass
    assert isinstance(await renewed(database, bystander.refresh.token), SignedIn)


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE session SET revoked = true WHERE id = $1",
        "UPDATE session SET expires_at = now() - interval '1 second' WHERE id = $1",
    ],
)
async def test_a_session_that_has_ended_is_not_renewed(database: TemporaryDatabase, ending: str) -> None:
    first = await signed_in(database)
    await database.seen_by_owner(ending, first.session_id)
    assert reason(await renewed(database, first.refresh.token)) == "REFRESH_INVALID"
    unused = "SELECT count(*) FROM refresh_token WHERE session_id = $1 AND used_at IS NULL"
    assert await database.value(unused, first.session_id) == 1


@pytest.mark.requirement("003-32")
@pytest.mark.parametrize(
    "barred",
    [
        "UPDATE member SET status = 'SUSPENDED', version = version + 1 WHERE node_id = $1",
        "UPDATE tenant SET suspended = true FROM member m WHERE m.tenant_id = tenant.id AND m.node_id = $1",
    ],
)
async def test_who_may_not_act_is_not_renewed_and_keeps_the_token(
    database: TemporaryDatabase, barred: str
) -> None:
    first = await signed_in(database)
    await database.seen_by_owner(barred, first.authority.member)
    with pytest.raises(Unauthenticated):
        await renewed(database, first.refresh.token)
    await database.seen_by_owner(
        "UPDATE member SET status = 'ACTIVE' WHERE node_id = $1", first.authority.member
    )
    await database.seen_by_owner(
        "UPDATE tenant SET suspended = false WHERE id = $1", first.authority.tenant_id
    )
    assert isinstance(await renewed(database, first.refresh.token), SignedIn)


async def test_a_change_of_roles_is_in_the_next_token(database: TemporaryDatabase) -> None:
    first = await signed_in(database)
    await database.seen_by_owner(
        "UPDATE member SET version = version + 1 WHERE node_id = $1", first.authority.member
    )
    following = await renewed(database, first.refresh.token)
    assert isinstance(following, SignedIn)
    assert following.authority.member_version == first.authority.member_version + 1


async def test_a_lost_answer_is_told_again_within_the_grace_and_only_then(
    database: TemporaryDatabase,
) -> None:
    clock = MovableClock()
    terms = replace(GRACE, clock=clock)
    first = await signed_in(database, terms=terms)
    following = await renewed(database, first.refresh.token, terms=terms)
    assert isinstance(following, SignedIn)
    clock.now += timedelta(seconds=9)
    again = await renewed(database, first.refresh.token, terms=terms)
    assert isinstance(again, SignedIn)
    assert again.refresh == following.refresh
    count = "SELECT count(*) FROM refresh_token WHERE session_id = $1"
    assert await database.value(count, first.session_id) == 2
    clock.now += timedelta(seconds=2)
    assert reason(await renewed(database, first.refresh.token, terms=terms)) == "REFRESH_REUSED"


async def assert_one_wins(database: TemporaryDatabase, rounds: int) -> None:
    for _ in range(rounds):
        first = await signed_in(database)
        outcomes = await asyncio.gather(*(renewed(database, first.refresh.token) for _ in range(50)))
        kinds = Counter(type(each).__name__ for each in outcomes)
        assert kinds == {"SignedIn": 1, "Unauthenticated": 49}
        assert (await session(database, first.session_id))["revoked"]


async def test_of_fifty_uses_at_the_same_moment_one_succeeds(database: TemporaryDatabase) -> None:
    await assert_one_wins(database, 10)


@pytest.mark.long
async def test_of_fifty_uses_at_the_same_moment_one_succeeds_a_thousand_times(
    database: TemporaryDatabase,
) -> None:
    await assert_one_wins(database, 1_000)
