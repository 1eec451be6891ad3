"""OIDC: the rules of an ID token, one broken at a time, and the real provider."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from tenantry.settings import OidcProvider
from tenantry.tokens.errors import IdTokenRejected, Reason
from tenantry.tokens.fetching import issuer_client
from tenantry.tokens.identity import VerifiedIdentity
from tenantry.tokens.oidc import OidcVerifier
from tests.support.clocks import MovableClock
from tests.support.loopback import LoopbackServer, loopback_server
from tests.support.oidc_provider import Person, RunningOidcProvider, running_oidc_provider
from tests.tokens.issuer import AUDIENCE, id_token, publish, published

OLIVIA = Person("person-1", "Olivia@Phone.Example")


async def verify(provider: OidcProvider, token: str, *, clock: MovableClock, nonce: str | None = None):
    async with issuer_client() as http:
        verifier = OidcVerifier([provider], http=http, clock=clock, allow_private=True)
        return await verifier.verify(token, issuer=provider.issuer, nonce=nonce)


async def outcome(token_of, *, provider_of=publish, **arguments) -> Reason | VerifiedIdentity:
    """What becomes of ``token_of(issuer, now)`` at an issuer that publishes one key, ``one``."""
    clock = MovableClock()
    async with loopback_server() as server:
        provider = provider_of(server, published("one"))
        try:
            return await verify(provider, token_of(provider.issuer, clock.now), clock=clock, **arguments)
        except IdTokenRejected as refused:
            return refused.reason


def changed(**changes):
    return lambda issuer, now: id_token(issuer, now, **changes)


async def test_a_whole_token_is_an_identity() -> None:
    identity = await outcome(changed(nonce="once"), nonce="once")
    assert isinstance(identity, VerifiedIdentity)
    assert identity.issuer.startswith("http://127.0.0.1:")
    assert (identity.subject, identity.email) == ("person-1", "olivia@phone.example")
    assert (identity.email_verified, identity.name) == (True, "Olivia Owner")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://other.example"}, Reason.WRONG_ISSUER),
        ({"aud": "other"}, Reason.WRONG_AUDIENCE),
        ({"aud": [AUDIENCE, "other"]}, Reason.WRONG_AUDIENCE),
        ({"aud": [AUDIENCE, "other"], "azp": "other"}, Reason.WRONG_AUDIENCE),
        ({"azp": "other"}, Reason.WRONG_AUDIENCE),
        ({"aud": 5}, Reason.WRONG_AUDIENCE),
        *(({name: ...}, Reason.MISSING_CLAIM) for name in ("iss", "aud", "sub", "exp", "iat")),
        ({"sub": ""}, Reason.MISSING_CLAIM),
        ({"sub": "x" * 256}, Reason.MALFORMED),
        ({"sub": 5}, Reason.MALFORMED),
        ({"email": "x" * 321}, Reason.MALFORMED),
        ({"email": ["a@b.example"]}, Reason.MALFORMED),
        ({"exp": 1_000_000_000}, Reason.EXPIRED),
        ({"iat": 4_000_000_000}, Reason.NOT_YET_VALID),
        ({"nbf": 4_000_000_000}, Reason.NOT_YET_VALID),
        ({"exp": "soon"}, Reason.MALFORMED),
        ({"nonce": "other"}, Reason.NONCE_MISMATCH),
        ({"nonce": ...}, Reason.NONCE_MISMATCH),
        ({"key": generate_private_key(65_537, 2_048)}, Reason.BAD_SIGNATURE),
        ({"alg": "RS384"}, Reason.ALGORITHM_NOT_ALLOWED),
        ({"alg": "HS256", "key": b"0" * 32}, Reason.ALGORITHM_NOT_ALLOWED),
        ({"alg": "none", "key": None}, Reason.ALGORITHM_NOT_ALLOWED),
        ({"kid": "two"}, Reason.UNKNOWN_KEY),
        ({"headers": {"typ": "at+jwt"}}, Reason.WRONG_TYPE),
        ({"headers": {"typ": "logout+jwt"}}, Reason.WRONG_TYPE),
    ],
)
async def test_one_broken_rule_refuses_the_token(changes: dict, reason: Reason) -> None:
    assert await outcome(changed(**{"nonce": "once"} | changes), nonce="once") is reason


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE]},
        {"aud": [AUDIENCE, "other"], "azp": AUDIENCE},
        {"azp": AUDIENCE},
        {"email": ..., "email_verified": ..., "name": ...},
        {"headers": {"typ": "jwt"}},
        {"nonce": "not asked for"},
    ],
)
async def test_what_the_rules_allow_is_accepted(changes: dict) -> None:
    assert isinstance(await outcome(changed(**changes)), VerifiedIdentity)


@pytest.mark.parametrize("value", [False, None, "true", 1, ...])
async def test_an_email_is_verified_only_when_the_issuer_says_true(value: object) -> None:
    identity = await outcome(changed(email_verified=value))
    assert isinstance(identity, VerifiedIdentity)
    assert identity.email_verified is False


async def test_a_verified_flag_without_an_address_verifies_nothing() -> None:
    identity = await outcome(changed(email=...))
    assert isinstance(identity, VerifiedIdentity)
    assert (identity.email, identity.email_verified) == (None, False)


async def test_a_key_verifies_only_by_the_algorithms_of_its_type() -> None:
    def both_allowed(server: LoopbackServer, *keys: object) -> OidcProvider:
        return publish(server, *keys).model_copy(update={"algorithms": ("ES256", "RS256", "HS256")})

    def forged(issuer, now) -> str:
        return id_token(issuer, now, alg="HS256", key=b"0" * 32)

    assert await outcome(forged, provider_of=both_allowed) is Reason.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "ключ.b.c", "x" * 20_000])
async def test_what_is_no_token_is_malformed_and_nothing_is_fetched(token: str) -> None:
    async with loopback_server() as server:
        with pytest.raises(IdTokenRejected) as refused:
            await verify(publish(server, published("one")), token, clock=MovableClock())
    assert refused.value.reason is Reason.MALFORMED
    assert not server.hits


async def test_token_without_a_kid_is_refused_and_nothing_is_fetched() -> None:
    clock = MovableClock()
    async with loopback_server() as server:
        provider = publish(server, published("one"))
        claims = jwt.decode(id_token(provider.issuer, clock.now), options={"verify_signature": False})
        token = jwt.encode(claims, generate_private_key(65_537, 2_048), algorithm="RS256")
        with pytest.raises(IdTokenRejected) as refused:
            await verify(provider, token, clock=clock)
    assert refused.value.reason is Reason.UNKNOWN_KEY
    assert not server.hits


async def test_only_configured_issuers_are_asked() -> None:
    clock = MovableClock()
    async with loopback_server() as server, issuer_client() as http:
        publish(server, published("one"))
        verifier = OidcVerifier([], http=http, clock=clock, allow_private=True)
        with pytest.raises(IdTokenRejected) as refused:
            await verifier.verify(id_token(server.origin, clock.now), issuer=server.origin)
        with pytest.raises(IdTokenRejected) as refused_too:
            await verifier.verify_logout(id_token(server.origin, clock.now))
    assert refused.value.reason is refused_too.value.reason is Reason.UNKNOWN_ISSUER
    assert not server.hits


@pytest.mark.requirement("J-03")
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_real_provider_by_code_and_pkce(oidc_provider: RunningOidcProvider, algorithm: str) -> None:
    token = await oidc_provider.id_token(OLIVIA, algorithm=algorithm, nonce="once")
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    provider, clock = oidc_provider.settings(algorithm), MovableClock()
    identity = await verify(provider, token, clock=clock, nonce="once")
    assert identity == VerifiedIdentity(
        issuer=oidc_provider.issuer,
        subject="person-1",
        email="olivia@phone.example",
        email_verified=True,
        name="Olivia Owner",
        sid=identity.sid,
    )
    assert identity.sid
    with pytest.raises(IdTokenRejected) as refused:
        await verify(provider, token, clock=clock, nonce="another login")
    assert refused.value.reason is Reason.NONCE_MISMATCH


async def test_real_provider_for_another_client_and_with_an_unverified_address(
    oidc_provider: RunningOidcProvider,
) -> None:
    token = await oidc_provider.id_token(Person("person-2", "u@phone.example", email_verified=False))
    other = oidc_provider.settings().model_copy(update={"audience": "spa-es256"})
    with pytest.raises(IdTokenRejected) as refused:
        await verify(other, token, clock=MovableClock())
    assert refused.value.reason is Reason.WRONG_AUDIENCE
    assert (await verify(oidc_provider.settings(), token, clock=MovableClock())).email_verified is False


async def test_real_provider_rotates_its_keys_while_running() -> None:
    clock = MovableClock()
    async with running_oidc_provider() as provider, issuer_client() as http:
        verifier = OidcVerifier([provider.settings()], http=http, clock=clock, allow_private=True)

        async def signed_in(token: str) -> str:
            return (await verifier.verify(token, issuer=provider.issuer)).subject

        old = await provider.id_token(OLIVIA)
        assert await signed_in(old) == "person-1"
        await provider.rotate()
        new = await provider.id_token(OLIVIA)
        with pytest.raises(IdTokenRejected) as refused:
            await signed_in(new)
        assert refused.value.reason is Reason.UNKNOWN_KEY

        clock.forward(30)
        assert await signed_in(new) == "person-1"
        with pytest.raises(IdTokenRejected) as refused:
            await signed_in(old)
        assert refused.value.reason is Reason.UNKNOWN_KEY
        assert await provider.key_fetches() == 2
