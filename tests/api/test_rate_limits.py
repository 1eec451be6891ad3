"""What is rationed over the wire: logins by neighbourhood, keys by key, questions by who asks."""

import hashlib
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.support.api import LOGIN, PLENTY, Product, Reply, Speaker, running_product
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_api_key
from tests.support.logins import address
from tests.support.refusals import snapshot
from tests.support.world import World

FEW = 4
SECRET = "s3cret" * 8
LIMITS = PLENTY.model_copy(
    update={"logins_per_minute": FEW, "key_operations_per_minute": FEW, "token_questions_per_minute": FEW}
)
RENAME = 'mutation { tenantUpdate(input: {name: "X"}) { __typename } }'
WAYS = [
    'mutation { mfaVerify(input: {challenge: "x", code: "1"}) { __typename } }',
    'mutation { tenantSwitch(input: {tenantId: "T_x", ticket: "x"}) { __typename } }',
]
REFRESH = "mutation { sessionRefresh { __typename } }"


@pytest_asyncio.fixture(scope="module")
async def product(
    database: TemporaryDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Product]:
    """The product with narrow limits, and one registered service."""
    services = [{"client_id": "billing", "secret_sha256": hashlib.sha256(SECRET.encode()).hexdigest()}]
    folder = tmp_path_factory.mktemp("product")
    async with running_product(database, folder, services=services, limits=LIMITS) as made:
        yield made


async def sent(product: Product, ip: str, document: str, **variables: object) -> Reply:
    """One operation from an address."""
    transport = httpx.ASGITransport(product.wire, client=(ip, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=product.settings.issuer) as http:
        return await Speaker(http).ask(document, variables)


def refused(reply: Reply) -> bool:
    """Whether it was one too many."""
    if reply.codes != ["RATE_LIMITED"]:
        return False
    return 0 < reply.errors[0]["extensions"]["retryAfter"] <= 60


async def test_logins_are_counted_by_address_and_by_the_neighbourhood_of_ipv6(product: Product) -> None:
    login = {"input": product.login_input(address())}
    for number in range(FEW):
        assert not refused(await sent(product, f"2001:db8:1:1::{number + 1}", LOGIN, **login))
    before = await snapshot(product.database)
    assert refused(await sent(product, "2001:db8:1:1:ffff::9", LOGIN, **login))
    for document in WAYS:
        assert refused(await sent(product, "2001:db8:1:1::1", document))
    assert await snapshot(product.database) == before
    for _ in range(FEW):
        assert not refused(await sent(product, "2001:db8:1:1::1", REFRESH))
    assert refused(await sent(product, "2001:db8:1:1::1", REFRESH))
    for elsewhere in ("2001:db8:1:2::1", "192.0.2.1", "::ffff:192.0.2.2"):
        assert not refused(await sent(product, elsewhere, LOGIN, **login))


async def test_a_key_is_rationed_and_its_neighbour_is_not(product: Product) -> None:
    world = await World.make(product)
    first, second = [await make_api_key(product.database, world.owner, "org:update") for _ in range(2)]
    machine = product.with_token(first.text)
    for _ in range(FEW):
        assert (await machine.ask(RENAME)).errors == []
    before = await snapshot(product.database)
    reply = await machine.ask(RENAME)
    assert refused(reply)
    assert reply.status == 429
    assert int(reply.headers["retry-after"]) == reply.errors[0]["extensions"]["retryAfter"]
    (record,) = await product.trail(reply)
    assert (record["actor_kind"], record["code"]) == ("API_KEY", "RATE_LIMITED")
    assert await snapshot(product.database) == before
    assert (await product.with_token(second.text).ask(RENAME)).errors == []
    assert (await product.as_(world.owner).ask(RENAME)).errors == []


async def test_a_service_that_asks_too_much_is_told_when_to_come_again(product: Product) -> None:
    for name, status in (("billing", 200), ("stranger", 401)):
        for _ in range(FEW):
            answer = await product.http.post("/oauth/introspect", data={"token": "x"}, auth=(name, SECRET))
            assert answer.status_code == status
        answer = await product.http.post("/oauth/introspect", data={"token": "x"}, auth=(name, SECRET))
        assert (answer.status_code, answer.json()) == (429, {"error": "slow_down"})
        assert 0 < int(answer.headers["retry-after"]) <= 60
