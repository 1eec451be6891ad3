"""Five tries in fifteen minutes, however they are sent; and the counter stays whatever comes of the login."""

import asyncio

import httpx
import pytest

from tests.support.api import Product, Reply, Speaker
from tests.support.authenticator import STEP_UP, Authenticator, set_up
from tests.support.factories import make_member, make_tenant

VERIFY = """mutation($challenge: String!, $code: String!) {
  mfaVerify(input: {challenge: $challenge, code: $code}) { __typename
    ... on FactorRejected { triesLeft } } }"""
DISABLE = "mutation($code: String!) { totpDisable(input: {code: $code}) { __typename } }"
TRIES, WINDOW = 5, 900


async def somebody(product: Product) -> tuple[str, Speaker, Authenticator]:
    """An address, a session and an authenticator of one person."""
    member = await make_member(product.database, await make_tenant(product.database))
    speaker = await product.as_member(member)
    return member.email, speaker, await set_up(product, speaker)


async def challenge_of(product: Product, email: str) -> str:
    return (await product.login(email))["challenge"]


async def verify(product: Product, challenge: str, code: str, ip: str = "2001:db8::1") -> Reply:
    """One try from an address."""
    transport = httpx.ASGITransport(product.wire, client=(ip, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=product.settings.issuer) as http:
        return await Speaker(http).ask(VERIFY, {"challenge": challenge, "code": code})


async def failures(product: Product, email: str) -> int:
    """What the database has counted."""
    found = await product.database.value(
        'SELECT cardinality(f.tries) FROM totp_factor f JOIN "user" u ON u.id = f.user_id WHERE u.email = $1',
        email,
    )
    return int(str(found))


async def locked(product: Product, email: str, phone: Authenticator) -> None:
    """Even the right code is refused, and says until when."""
    reply = await verify(product, await challenge_of(product, email), phone.next())
    assert reply.codes == ["RATE_LIMITED"]
    assert 0 < reply.errors[0]["extensions"]["retryAfter"] <= WINDOW
    assert await failures(product, email) == TRIES


async def test_the_sixth_try_is_refused_and_the_first_after_the_window_is_not(product: Product) -> None:
    email, _, phone = await somebody(product)
    challenge = await challenge_of(product, email)
    for left in (4, 3, 2, 1, 0):
        reply = await verify(product, challenge, phone.wrong())
        assert reply.data["mfaVerify"] == {"__typename": "FactorRejected", "triesLeft": left}
        (record,) = await product.trail(reply)
        assert (record["action"], record["outcome"], record["code"]) == (
            "authentication.mfa_verify",
            "REFUSED",
            "FACTOR_REJECTED",
        )
        assert record["tenant"].startswith("T_")
    await locked(product, email, phone)
    product.clock.forward(WINDOW)
    reply = await verify(product, await challenge_of(product, email), phone.next())
    assert reply.data["mfaVerify"]["__typename"] == "LoginSuccess"
    assert await failures(product, email) == 0


async def test_the_window_slides(product: Product) -> None:
    email, _, phone = await somebody(product)
    for _ in range(TRIES):
        await verify(product, await challenge_of(product, email), phone.wrong())
        product.clock.forward(200)
    # The first is over fifteen minutes old by now, and one try is free again; only one.
    reply = await verify(product, await challenge_of(product, email), phone.wrong())
    assert reply.data["mfaVerify"]["triesLeft"] == 0
    await locked(product, email, phone)


async def test_aliases_in_one_document_are_so_many_tries(product: Product) -> None:
    email, _, phone = await somebody(product)
    challenge = await challenge_of(product, email)
    tries = " ".join(
        f'a{number}: mfaVerify(input: {{challenge: "{challenge}", code: "{phone.wrong()}"}}) {{ __typename }}'
        for number in range(TRIES + 3)
    )
    reply = await product.anonymous.ask(f"mutation {{ {tries} }}")
    assert reply.codes == ["RATE_LIMITED"]
    assert reply.errors[0]["path"] == [f"a{TRIES}"]
    await locked(product, email, phone)


async def test_tries_in_parallel_from_many_addresses_are_counted_together(product: Product) -> None:
    email, _, phone = await somebody(product)
    challenges = [await challenge_of(product, email) for _ in range(30)]
    wrong = phone.wrong()
    replies = await asyncio.gather(
        *(
            verify(product, each, wrong, ip=f"2001:db8::{number:x}")
            for number, each in enumerate(challenges, 1)
        )
    )
    told = [reply.data["mfaVerify"]["triesLeft"] for reply in replies if not reply.errors]
    assert sorted(told) == [0, 1, 2, 3, 4]
    assert {code for reply in replies for code in reply.codes} == {"RATE_LIMITED"}
    await locked(product, email, phone)


@pytest.mark.parametrize("way", [STEP_UP, DISABLE])
async def test_every_way_in_counts_the_same_tries(product: Product, way: str) -> None:
    email, speaker, phone = await somebody(product)
    challenge = await challenge_of(product, email)
    for number in range(TRIES):
        if number % 2:
            await verify(product, challenge, phone.wrong())
        else:
            assert (await speaker.ask(way, {"code": phone.wrong()})).errors == []
    assert (await speaker.ask(way, {"code": phone.shown()})).codes == ["RATE_LIMITED"]
    await locked(product, email, phone)


async def test_wrong_recovery_codes_are_tries_too(product: Product) -> None:
    email, _, phone = await somebody(product)
    challenge = await challenge_of(product, email)
    for number in range(TRIES):
        await verify(product, challenge, f"aaaa-bbbb-cccc-ddd{number + 2}")
    reply = await verify(product, challenge, phone.recovery_codes[0])
    assert reply.codes == ["RATE_LIMITED"]
    unused = (
        'SELECT count(*) FROM recovery_code r JOIN "user" u ON u.id = r.user_id'
        " WHERE u.email = $1 AND used_at IS NULL"
    )
    assert await product.database.value(unused, email) == 10


async def test_a_login_between_does_not_clear_what_was_counted(product: Product) -> None:
    email, _, phone = await somebody(product)
    for _ in range(TRIES):
        await verify(product, await challenge_of(product, email), phone.wrong())
    await locked(product, email, phone)
    assert (await product.login(email))["__typename"] == "MfaRequired"
    await locked(product, email, phone)
