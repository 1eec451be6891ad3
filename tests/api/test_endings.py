"""What ends in one worker closes the sockets of all: at once, and within seconds where the word was lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
import pytest_asyncio

from tenantry.app.application import SIGNING_KEYS
from tenantry.authentication.login.claims import principal_of
from tests.support.api import Product, running_product
from tests.support.authenticator import CONFIRM, draft
from tests.support.database import DatabaseServer, TemporaryDatabase
from tests.support.factories import make_api_key, make_member, sign_in
from tests.support.logins import role_id
from tests.support.serving import serving
from tests.support.sockets import FOLLOW, Socket, socket_to
from tests.support.world import World

PUSHED_SECONDS, LOST_SECONDS = 1.0, 5.0
REVOKE = "mutation { sessionRevokeOthers { count } }"
REVOKE_KEY = "mutation($id: ID!) { apiKeyRevoke(input: {apiKeyId: $id}) { apiKey { id } } }"
LISTENING = """SELECT pid FROM pg_stat_activity
  WHERE query ILIKE 'LISTEN%tenantry_endings%' AND datname = current_database()"""


@pytest_asyncio.fixture(scope="module")
async def workers(
    database: TemporaryDatabase, database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sequence[tuple[Product, str]]]:
    """Two of them over one database, with one key, and where each listens."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_product(database, tmp_path_factory.mktemp("first")))
        key = first.settings.data_dir / SIGNING_KEYS
        own = database_server.open(database.app_dsn.rsplit("/", 1)[1].split("?")[0])
        stack.push_async_callback(own.close)
        folder = tmp_path_factory.mktemp("other")
        second = await stack.enter_async_context(running_product(own, folder, signing_key_file=key))
        yield [(each, await stack.enter_async_context(serving(each.wire))) for each in (first, second)]


class Followed:
    """A member who follows their authority at one worker, and whoever ends it at the other."""

    def __init__(self, workers: Sequence[tuple[Product, str]]) -> None:
        (self.here, _), (_, self.there) = workers

    async def begin(self, socket: Socket, role: str = "admin") -> None:
        """Signed in, and following."""
        self.world = await World.make(self.here)
        self.member = await make_member(self.here.database, self.world.tenant, role)
        self.authority = await sign_in(self.here.database, self.member)
        await socket.begin(self.here.tokens.mint(principal_of(self.authority)).token)
        await socket.ask(FOLLOW)
        assert (await socket.receive())["type"] == "next"
        self.owner = self.here.as_(self.world.owner)


async def by_logout(stage: Followed) -> None:
    await stage.here.as_(stage.authority).query("mutation { logout { success } }")


async def by_another_session(stage: Followed) -> None:
    other = await stage.here.as_member(stage.member)
    await other.query(REVOKE)


async def by_suspension(stage: Followed) -> None:
    suspend = "mutation($id: ID!) { memberSuspend(input: {memberId: $id}) { __typename } }"
    await stage.owner.query(suspend, id=stage.member.node_id)


async def by_removal(stage: Followed) -> None:
    remove = "mutation($id: ID!) { memberRemove(input: {memberId: $id}) { __typename } }"
    await stage.owner.query(remove, id=stage.member.node_id)


async def by_roles(stage: Followed) -> None:
    agent = await role_id(stage.here.database, stage.world.tenant, "agent")
    await stage.owner.query(
        "mutation($id: ID!, $roles: [ID!]!) { memberRolesSet(input: {memberId: $id, roleIds: $roles}) {"
        " __typename } }",
        id=stage.member.node_id,
        roles=[agent],
    )


async def by_tenant(stage: Followed) -> None:
    staff = await stage.world.enter("platform")
    suspend = "mutation($id: ID!) { tenantSuspend(input: {tenantId: $id}) { __typename } }"
    await staff.query(suspend, id=stage.world.tenant.node_id)


async def by_factor(stage: Followed) -> None:
    other = await stage.here.as_member(stage.member)
    phone = await draft(stage.here, other)
    await other.query(CONFIRM, code=phone.shown())


ENDS: dict[Callable[[Followed], Awaitable[None]], str] = {
    by_logout: "REVOKED",
    by_another_session: "REVOKED",
    by_suspension: "MEMBER_SUSPENDED",
    by_removal: "UNKNOWN_SESSION",
    by_roles: "AUTHORITY_CHANGED",
    by_tenant: "TENANT_SUSPENDED",
    by_factor: "REVOKED",
}


async def ended(socket: Socket, seconds: float) -> tuple[str, float]:
    """The reason told, and when the socket was closed."""
    began = time.monotonic()
    told = await socket.receive(seconds + 5)
    reason = told["payload"]["errors"][0]["extensions"]["reason"]
    assert (await socket.closed(seconds + 5)) == (4401, reason)
    return reason, time.monotonic() - began


@pytest.mark.requirement("000-05")
@pytest.mark.parametrize("end", list(ENDS), ids=lambda end: end.__name__)
async def test_a_socket_at_another_worker_is_told_and_closed_within_a_second(
    workers: Sequence[tuple[Product, str]], end: Callable[[Followed], Awaitable[None]]
) -> None:
    stage = Followed(workers)
    async with socket_to(stage.there) as socket:
        await stage.begin(socket)
        await end(stage)
        reason, seconds = await ended(socket, PUSHED_SECONDS)
        assert reason == ENDS[end]
        assert seconds < PUSHED_SECONDS


async def test_where_the_word_is_lost_it_is_found_within_five_seconds(
    workers: Sequence[tuple[Product, str]],
) -> None:
    stage = Followed(workers)
    async with socket_to(stage.there) as socket:
        await stage.begin(socket)
        await stage.here.database.seen_by_owner("ALTER TABLE session DISABLE TRIGGER session_ended")
        try:
            await by_logout(stage)
            reason, seconds = await ended(socket, LOST_SECONDS)
        finally:
            await stage.here.database.seen_by_owner("ALTER TABLE session ENABLE TRIGGER session_ended")
        assert reason == "REVOKED"
        assert seconds < LOST_SECONDS


async def test_a_listener_whose_connection_is_ended_listens_again(
    workers: Sequence[tuple[Product, str]],
) -> None:
    stage = Followed(workers)
    async with socket_to(stage.there) as socket:
        await stage.begin(socket)
        killed = await stage.here.database.seen_by_owner(
            f"SELECT pid, pg_terminate_backend(pid) FROM ({LISTENING}) AS l"  # noqa: S608
        )
        assert len(killed) == 2
        gone = {row["pid"] for row in killed}
        async with asyncio.timeout(10):
            while True:
                now = {row["pid"] for row in await stage.here.database.seen_by_owner(LISTENING)}
                if len(now - gone) == 2:
                    break
                await asyncio.sleep(0.05)
        await by_logout(stage)
        assert (await ended(socket, PUSHED_SECONDS))[1] < PUSHED_SECONDS


async def test_a_change_that_leaves_a_right_as_it_was_leaves_the_socket_open(
    workers: Sequence[tuple[Product, str]],
) -> None:
    stage = Followed(workers)
    async with socket_to(stage.there) as socket:
        await stage.begin(socket)
        rename = 'mutation($id: ID!) { memberUpdate(input: {memberId: $id, name: "New"}) { __typename } }'
        await stage.owner.query(rename, id=stage.member.node_id)
        with pytest.raises(TimeoutError):
            await socket.receive(0.5)
        await socket.send("ping")
        assert (await socket.receive())["type"] == "pong"


async def test_a_socket_ends_with_its_token(workers: Sequence[tuple[Product, str]]) -> None:
    stage = Followed(workers)
    other = workers[1][0]
    async with socket_to(stage.there) as socket:
        world = await World.make(stage.here)
        stage.here.clock.now = other.clock.now - timedelta(seconds=7_199)
        short = stage.here.tokens.mint(principal_of(world.owner)).token
        stage.here.clock.now = other.clock.now
        await socket.begin(short)
        await socket.ask(FOLLOW)
        assert (await socket.receive())["type"] == "next"
        other.clock.forward(2)
        told = await socket.receive(5)
        assert told["payload"]["errors"][0]["extensions"]["reason"] == "EXPIRED"
        assert (await socket.closed())[0] == 4401
        other.clock.forward(-2)


async def test_a_key_that_is_revoked_closes_its_sockets(workers: Sequence[tuple[Product, str]]) -> None:
    stage = Followed(workers)
    world = await World.make(stage.here)
    made = await make_api_key(stage.here.database, world.owner, "org:read")
    async with socket_to(stage.there) as socket:
        await socket.begin(made.text)
        await socket.ask(FOLLOW)
        await socket.receive()
        await stage.here.as_(world.owner).query(REVOKE_KEY, id=made.key.node_id)
        reason, seconds = await ended(socket, PUSHED_SECONDS)
        assert reason == "KEY_INVALID"
        assert seconds < PUSHED_SECONDS
