"""An issuer's keys: fetched seldom, shared by all who wait, and never taken from garbage."""

import asyncio
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, SECP256R1, SECP384R1, SECP521R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from tenantry.tokens.errors import IdTokenRejected, IssuerUnavailable, Reason
from tenantry.tokens.fetching import Fetcher, issuer_client
from tenantry.tokens.issuer_keys import IssuerKeys, usable_keys
from tests.support.clocks import MovableClock
from tests.support.loopback import Answer, LoopbackServer, loopback_server
from tests.tokens.issuer import DISCOVERY, JWKS, document, publish, published


class Issuer:
    """A counting issuer with one key, ``one``, and the keys as our service holds them."""

    def __init__(self, server: LoopbackServer, fetcher: Fetcher) -> None:
        publish(server, published("one"))
        self.server, self.clock = server, MovableClock()
        self.keys = IssuerKeys(server.origin, fetcher=fetcher, clock=self.clock)

    @property
    def fetches(self) -> int:
        return self.server.hits[DISCOVERY]

    async def outcome(self, kid: str) -> str:
        try:
            await self.keys.find(kid)
        except IdTokenRejected as refused:
            return refused.reason
        except IssuerUnavailable:
            return "UNAVAILABLE"
        return "found"


@pytest.fixture
async def issuer():
    async with loopback_server() as server, issuer_client() as http:
        yield Issuer(server, Fetcher(http, allow_private=True))


async def test_a_flood_of_unknown_kids_costs_one_fetch_in_thirty_seconds(issuer: Issuer) -> None:
    assert await issuer.outcome("one") == "found"
    for second in range(1, 30):
        issuer.clock.forward(1)
        kids = (f"{second}-{number}" for number in range(20))
        assert set(await asyncio.gather(*map(issuer.outcome, kids))) == {Reason.UNKNOWN_KEY}
    assert (issuer.fetches, issuer.server.hits[JWKS]) == (1, 1)

    issuer.clock.forward(1)
    kids = (f"later-{number}" for number in range(50))
    assert set(await asyncio.gather(*map(issuer.outcome, kids))) == {Reason.UNKNOWN_KEY}
    assert (issuer.fetches, issuer.server.hits[JWKS]) == (2, 2)


async def test_those_who_wait_share_one_fetch_and_none_can_stop_it(issuer: Issuer) -> None:
    body = issuer.server.answers[JWKS]
    assert isinstance(body, Answer)
    issuer.server.answers[JWKS] = Answer(body.body, drip=0.0005)
    first = asyncio.create_task(issuer.outcome("one"))
    others = [asyncio.create_task(issuer.outcome("one")) for _ in range(10)]
    await asyncio.sleep(0.1)
    first.cancel()
    assert set(await asyncio.gather(*others)) == {"found"}
    assert issuer.fetches == 1


async def test_a_withdrawn_key_is_forgotten_within_the_hour(issuer: Issuer) -> None:
    assert await issuer.outcome("one") == "found"
    issuer.server.answers[JWKS] = document({"keys": [published("two")]})
    issuer.clock.forward(3_599)
    assert await issuer.outcome("one") == "found"
    issuer.clock.forward(1)
    assert await issuer.outcome("one") == Reason.UNKNOWN_KEY
    assert await issuer.outcome("two") == "found"


async def test_known_keys_outlive_an_outage_and_unknown_ones_are_not_judged_in_it(issuer: Issuer) -> None:
    assert await issuer.outcome("one") == "found"
    issuer.server.answers[DISCOVERY] = Answer(status=500)
    issuer.clock.forward(30)
    assert await issuer.outcome("two") == "UNAVAILABLE"
    assert await issuer.outcome("two") == "UNAVAILABLE"
    assert await issuer.outcome("one") == "found"
    assert issuer.fetches == 2
    issuer.clock.forward(3_600)
    assert await issuer.outcome("one") == "UNAVAILABLE"


async def test_after_an_outage_at_the_start_the_issuer_is_asked_again_soon(issuer: Issuer) -> None:
    whole = issuer.server.answers[DISCOVERY]
    issuer.server.answers[DISCOVERY] = Answer(status=503)
    assert await issuer.outcome("one") == "UNAVAILABLE"
    issuer.server.answers[DISCOVERY] = whole
    assert await issuer.outcome("one") == "UNAVAILABLE"
    assert issuer.fetches == 1
    issuer.clock.forward(2)
    assert await issuer.outcome("one") == "found"


async def test_a_clock_set_back_does_not_lengthen_the_wait(issuer: Issuer) -> None:
    assert await issuer.outcome("one") == "found"
    issuer.clock.forward(-86_400)
    assert await issuer.outcome("one") == "found"
    assert issuer.fetches == 2


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (DISCOVERY, Answer(status=404)),
        (DISCOVERY, Answer(b"<html>")),
        (DISCOVERY, document({"issuer": "https://other.example", "jwks_uri": "http://127.0.0.1/jwks"})),
        (DISCOVERY, document({"jwks_uri": "http://127.0.0.1/jwks"})),
        (JWKS, Answer(status=500)),
        (JWKS, Answer(b"{")),
        (JWKS, document({})),
        (JWKS, document({"keys": {}})),
        (JWKS, document({"keys": [5, {}, {"kid": 5}, {"kid": "one"}]})),
    ],
)
async def test_garbage_is_unavailable_and_no_verdict(issuer: Issuer, path: str, answer: Answer) -> None:
    issuer.server.answers[path] = answer
    assert await issuer.outcome("one") == "UNAVAILABLE"


@pytest.mark.parametrize("location", [None, 5, "", "/jwks", "ftp://127.0.0.1/jwks"])
async def test_discovery_must_say_where_the_keys_are(issuer: Issuer, location: object) -> None:
    found = {"issuer": issuer.server.origin, "jwks_uri": location}
    issuer.server.answers[DISCOVERY] = document(found)
    assert await issuer.outcome("one") == "UNAVAILABLE"


async def test_an_issuer_at_a_private_address_is_not_asked() -> None:
    async with loopback_server() as server, issuer_client() as http:
        issuer = Issuer(server, Fetcher(http, allow_private=False))
        assert await issuer.outcome("one") == "UNAVAILABLE"
        assert not server.hits


async def test_slow_issuer_is_unavailable(issuer: Issuer) -> None:
    issuer.server.answers[DISCOVERY] = Answer(json.dumps({"issuer": "x" * 30}).encode(), drip=0.1)
    assert await issuer.outcome("one") == "UNAVAILABLE"


def ec(curve, **members) -> dict:
    return ECAlgorithm.to_jwk(generate_ec_key(curve).public_key(), as_dict=True) | {"kid": "k", **members}


ED25519 = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True) | {"kid": "k"}
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        (published("k"), RSA),
        (published("k", alg="PS256", use="sig"), ("PS256",)),
        (ec(SECP256R1()), ("ES256",)),
        (ec(SECP384R1()), ("ES384",)),
        (ec(SECP521R1()), ("ES512",)),
        (ED25519, ("EdDSA",)),
        (ec(SECP256R1(), alg="RS256"), None),
        (ec(SECP256K1()), None),
        (published("k", use="enc"), None),
        (published("k", alg="RSA-OAEP"), None),
        (published("k", alg=["RS256"]), None),
        (published("k", generate_private_key(65_537, 1_024)), None),  # noqa: S505 - to be passed over
        (published("k", n=5), None),
        (published("k", n="!"), None),
        (published("k", crv=["P-256"]), None),
        (ec(SECP256R1(), x="AAAA"), None),
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "k"}, None),
        ({"kid": "k"}, None),
        ("text", None),
    ],
)
def test_what_a_published_key_may_verify(jwk: object, algorithms: tuple[str, ...] | None) -> None:
    found = usable_keys([jwk])
    assert {kid: key.algorithms for kid, key in found.items()} == ({"k": algorithms} if algorithms else {})
