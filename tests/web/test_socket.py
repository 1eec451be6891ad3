"""GraphQL by WebSocket: who is let in, what is answered, what is bounded."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError

from tenantry.authentication.login.claims import principal_of
from tenantry.web.socket import MESSAGE_BYTES, OPERATIONS, SOCKETS
from tests.support.api import Product
from tests.support.factories import make_api_key
from tests.support.serving import serving
from tests.support.sockets import FOLLOW, socket_to
from tests.support.world import World


@pytest_asyncio.fixture(scope="module")
async def base(product: Product) -> AsyncIterator[str]:
    """Where the product listens."""
    async with serving(product.wire) as url:
        yield url


async def token(product: Product) -> tuple[World, str]:
    world = await World.make(product)
    return world, product.tokens.mint(principal_of(world.owner)).token


async def records(product: Product, action: str) -> list[dict[str, object]]:
    rows = await product.database.seen_by_owner(
        "SELECT * FROM audit_record WHERE method = 'WEBSOCKET' AND action = $1 ORDER BY seq", action
    )
    return [dict(row) for row in rows]


async def test_the_callers_authority_comes_at_once_and_is_on_record(product: Product, base: str) -> None:
    world, own = await token(product)
    before = len(await records(product, "read.authority"))
    async with socket_to(base) as socket:
        await socket.begin(own)
        await socket.ask(FOLLOW)
        answer = await socket.receive()
        assert answer["payload"]["data"]["authority"] == {"tenantId": world.tenant.node_id, "version": "1.1"}
        await socket.send("ping")
        assert (await socket.receive())["type"] == "pong"
        await socket.send("complete", id="1")
    (record,) = (await records(product, "read.authority"))[before:]
    assert (record["outcome"], record["actor_id"]) == ("OK", world.owner.user)


async def test_queries_and_mutations_come_through_the_same_door(product: Product, base: str) -> None:
    _, own = await token(product)
    async with socket_to(base) as socket:
        await socket.begin(own)
        await socket.ask("{ tenant { name } }")
        assert (await socket.receive())["payload"]["data"] == {"tenant": {"name": "Acme"}}
        assert (await socket.receive())["type"] == "complete"
        await socket.ask('mutation { tenantUpdate(input: {name: "By socket"}) { tenant { name } } }')
        changed = (await socket.receive())["payload"]["data"]["tenantUpdate"]
        assert changed == {"tenant": {"name": "By socket"}}
    (record,) = (await records(product, "tenant.update"))[-1:]
    assert record["outcome"] == "OK"


async def test_nobody_follows_anything_unless_signed_in(product: Product, base: str) -> None:
    async with socket_to(base) as socket:
        await socket.begin()
        await socket.ask("{ serverInfo { environment } }", "a")
        assert (await socket.receive())["payload"]["data"]["serverInfo"]["environment"] == "development"
        await socket.receive()
        await socket.ask(FOLLOW, "b")
        answer = await socket.receive()
        assert answer["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert (await socket.receive())["type"] == "complete"


@pytest.mark.parametrize("bad", ["garbage", "tntk_x", "eyJ.e.x", "\u00e4"])
async def test_a_bad_credential_is_never_nobody(product: Product, base: str, bad: str) -> None:
    async with socket_to(base) as socket:
        await socket.send("connection_init", payload={"authorization": f"Bearer {bad}"})
        assert await socket.closed() == (4403, "Forbidden")


async def test_a_key_follows_as_a_person_does(product: Product, base: str) -> None:
    world, _ = await token(product)
    made = await make_api_key(product.database, world.owner, "org:read")
    async with socket_to(base) as socket:
        await socket.begin(made.text)
        await socket.ask(FOLLOW)
        assert (await socket.receive())["payload"]["data"]["authority"]["tenantId"] == world.tenant.node_id


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
async def test_another_sites_page_is_not_let_in(base: str, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket_to(base, origin=origin):
            pytest.fail("it was let in")
    assert refused.value.response.status_code == 403


async def test_ones_own_page_is(product: Product, base: str) -> None:
    async with socket_to(base, origin=product.settings.issuer) as socket:
        await socket.begin()
        await socket.send("ping")
        assert (await socket.receive())["type"] == "pong"


async def test_the_legacy_protocol_is_not_spoken(base: str) -> None:
    with pytest.raises((NegotiationError, ConnectionClosed)):
        async with socket_to(base, protocol="graphql-ws") as socket:
            await socket.begin()


async def test_before_it_is_known_who_asks_nothing_is_answered(base: str) -> None:
    async with socket_to(base) as socket:
        await socket.ask(FOLLOW)
        assert (await socket.closed())[0] == 4401


async def test_a_message_too_large_closes_the_connection(product: Product, base: str) -> None:
    _, own = await token(product)
    async with socket_to(base) as socket:
        await socket.begin(own)
        await socket.ask("{ a" + " " * MESSAGE_BYTES + "}")
        assert (await socket.closed())[0] == 1009


async def test_operations_of_a_connection_and_connections_of_a_session_are_bounded(
    product: Product, base: str
) -> None:
    _, own = await token(product)
    async with socket_to(base) as socket:
        await socket.begin(own)
        for number in range(OPERATIONS):
            await socket.ask(FOLLOW, f"s{number}")
            assert (await socket.receive())["type"] == "next"
        await socket.ask(FOLLOW, "more")
        assert (await socket.receive())["type"] == "error"
    opened = [socket_to(base) for _ in range(SOCKETS)]
    sockets = [await each.__aenter__() for each in opened]
    for socket in sockets:
        await socket.begin(own)
    async with socket_to(base) as one_too_many:
        await one_too_many.send("connection_init", payload={"authorization": f"Bearer {own}"})
        assert (await one_too_many.closed())[0] == 4403
    for each in opened:
        await each.__aexit__(None, None, None)
    await asyncio.sleep(0.1)
    async with socket_to(base) as socket:
        await socket.begin(own)


async def test_a_subscription_is_not_taken_by_post(product: Product) -> None:
    world, _ = await token(product)
    reply = await product.as_(world.owner).ask(FOLLOW)
    assert reply.codes == ["BAD_USER_INPUT"]
    assert "WebSocket" in reply.errors[0]["message"]


async def test_a_socket_elsewhere_is_refused(base: str) -> None:
    with pytest.raises(InvalidStatus):
        async with socket_to(base + "/other"):
            pytest.fail("it was let in")
