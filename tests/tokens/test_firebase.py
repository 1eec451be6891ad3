"""Firebase: the real emulator, and the production path with each rule of verification broken once."""

import asyncio
import datetime as dt
import json
import time
from email.utils import formatdate

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from firebase_admin import _token_gen

from tenantry.tokens.errors import IdTokenRejected, IssuerUnavailable, Reason
from tenantry.tokens.firebase import EMULATOR_VARIABLE, FirebaseVerifier
from tenantry.tokens.identity import IdTokenVerifier, VerifiedIdentity
from tests.support.clocks import MovableClock
from tests.support.firebase_emulator import RunningFirebaseEmulator
from tests.support.loopback import Answer, LoopbackServer, loopback_server

PROJECT = "phone-system"
ISSUER = f"https://securetoken.google.com/{PROJECT}"
CERTIFICATES = "/certificates"
KEY, OTHER_KEY = (generate_private_key(65_537, 2_048) for _ in range(2))


def certificate_of(key: RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "securetoken")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(hours=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


GOOGLES = json.dumps({"one": certificate_of(KEY)}).encode()


@pytest.fixture
async def google(monkeypatch: pytest.MonkeyPatch):
    """A certificate endpoint in place of Google's, which the SDK names in a constant of its own."""
    monkeypatch.delenv(EMULATOR_VARIABLE, raising=False)
    async with loopback_server() as server:
        headers = {"Cache-Control": "public, max-age=600", "Date": formatdate(usegmt=True)}
        server.answers[CERTIFICATES] = Answer(GOOGLES, headers=headers)
        monkeypatch.setattr(_token_gen, "ID_TOKEN_CERT_URI", server.origin + CERTIFICATES)
        yield server


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def verifier(google: LoopbackServer, clock: MovableClock):
    made = FirebaseVerifier(PROJECT, emulator_allowed=False, clock=clock)
    yield made
    made.close()


def token(*, key: object = KEY, kid: str | None = "one", alg: str = "RS256", **changes) -> str:
    """A token as Firebase signs it, but for ``changes``; a change to ``...`` removes the claim."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": PROJECT,
        "sub": "firebase-uid",
        "auth_time": now - 5,
        "iat": now - 5,
        "exp": now + 3_600,
        "email": "Olivia@Phone.Example",
        "email_verified": True,
        "name": "Olivia Owner",
    } | changes
    claims = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode(claims, key, algorithm=alg, headers={} if kid is None else {"kid": kid})


async def refused(verifier: FirebaseVerifier, id_token: str, **arguments) -> Reason:
    with pytest.raises(IdTokenRejected) as caught:
        await verifier.verify(id_token, **arguments)
    return caught.value.reason


@pytest.mark.requirement("003-28")
async def test_production_path_proves_the_person(verifier: IdTokenVerifier, google: LoopbackServer) -> None:
    identity = VerifiedIdentity(ISSUER, "firebase-uid", "olivia@phone.example", True, "Olivia Owner")
    assert await verifier.verify(token()) == identity
    assert await verifier.verify(token(nonce="once"), nonce="once") == identity
    assert google.hits[CERTIFICATES] == 1


@pytest.mark.requirement("003-28")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "another-project"}, Reason.WRONG_AUDIENCE),
        ({"aud": [PROJECT]}, Reason.WRONG_AUDIENCE),
        ({"aud": ...}, Reason.WRONG_AUDIENCE),
        ({"iss": "https://securetoken.google.com/another-project"}, Reason.WRONG_ISSUER),
        ({"iss": ...}, Reason.WRONG_ISSUER),
        ({"sub": ...}, Reason.MISSING_CLAIM),
        ({"sub": ""}, Reason.MISSING_CLAIM),
        ({"sub": "x" * 129}, Reason.MALFORMED),
        ({"exp": int(time.time()) - 3_600}, Reason.EXPIRED),
        ({"exp": ...}, Reason.MISSING_CLAIM),
        ({"iat": int(time.time()) + 3_600}, Reason.NOT_YET_VALID),
        ({"iat": ...}, Reason.MISSING_CLAIM),
        ({"iat": "now"}, Reason.MALFORMED),
        ({"auth_time": int(time.time()) + 3_600}, Reason.NOT_YET_VALID),
        ({"auth_time": ...}, Reason.MISSING_CLAIM),
        ({"kid": None}, Reason.UNKNOWN_KEY),
        ({"kid": ""}, Reason.UNKNOWN_KEY),
        ({"kid": "two"}, Reason.UNKNOWN_KEY),
        ({"alg": "RS384"}, Reason.ALGORITHM_NOT_ALLOWED),
        ({"alg": "HS256", "key": b"0" * 32}, Reason.ALGORITHM_NOT_ALLOWED),
        ({"alg": "none", "key": None}, Reason.ALGORITHM_NOT_ALLOWED),
        ({"key": OTHER_KEY}, Reason.BAD_SIGNATURE),
        ({"email_verified": False}, Reason.EMAIL_NOT_VERIFIED),
        ({"email_verified": ...}, Reason.EMAIL_NOT_VERIFIED),
        ({"email_verified": "true"}, Reason.EMAIL_NOT_VERIFIED),
        ({"email": ...}, Reason.EMAIL_NOT_VERIFIED),
    ],
)
async def test_one_broken_rule_refuses_the_token(
    verifier: FirebaseVerifier, changes: dict, reason: Reason
) -> None:
    assert await refused(verifier, token(**changes)) is reason


async def test_nonce_binds_the_token_to_one_login(verifier: FirebaseVerifier) -> None:
    assert await refused(verifier, token(), nonce="once") is Reason.NONCE_MISMATCH


async def test_our_clock_counts_and_so_does_the_sdks(verifier: FirebaseVerifier, clock: MovableClock) -> None:
    whole = token()
    assert (await verifier.verify(whole)).subject == "firebase-uid"
    clock.forward(3_600)
    assert await refused(verifier, whole) is Reason.EXPIRED
    clock.forward(-14_400)
    assert await refused(verifier, whole) is Reason.NOT_YET_VALID
    # What our clock alone would let pass, the SDK refuses by the machine's.
    old = {"iat": int(time.time()) - 12_000, "auth_time": int(time.time()) - 12_000}
    assert await refused(verifier, token(**old, exp=int(time.time()) - 3_600)) is Reason.EXPIRED
    clock.forward(14_400)
    assert (
        await refused(verifier, token(iat=int(time.time()) + 3_000, exp=int(time.time()) + 9_000))
        is Reason.NOT_YET_VALID
    )


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 20_000, "ключ"])
async def test_what_is_no_token_is_malformed_and_nothing_is_fetched(
    verifier: FirebaseVerifier, google: LoopbackServer, text: str
) -> None:
    assert await refused(verifier, text) is Reason.MALFORMED
    assert not google.hits


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500),
        Answer(b"<html>"),
        Answer(b"{}", status=404),
        Answer(b'{"one": "no certificate"}'),
        Answer(b'{"one": 5}'),
        Answer(b'{"keys": []}'),
        Answer(b"null"),
        Answer(GOOGLES, drip=0.5),
    ],
    ids=["status", "html", "missing", "no pem", "number", "no keys", "null", "slow"],
)
async def test_certificates_that_cannot_be_had_are_no_verdict(
    verifier: FirebaseVerifier, google: LoopbackServer, answer: Answer
) -> None:
    google.answers[CERTIFICATES] = answer
    with pytest.raises(IssuerUnavailable) as caught:
        await verifier.verify(token())
    assert (caught.value.code, caught.value.http_status) == ("UNAVAILABLE", 503)


async def test_hanging_endpoint_does_not_hold_up_the_event_loop(
    verifier: FirebaseVerifier, google: LoopbackServer
) -> None:
    async def never() -> Answer:
        await asyncio.sleep(2.5)
        return Answer(status=500)

    google.answers[CERTIFICATES] = never
    began = time.monotonic()
    waiting = asyncio.create_task(verifier.verify(token()))
    longest = 0.0
    while not waiting.done():
        before = time.monotonic()
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - before)
    with pytest.raises(IssuerUnavailable):
        await waiting
    assert time.monotonic() - began < 3
    assert longest < 0.5


@pytest.mark.requirement("003-28")
async def test_emulators_variable_outside_development_refuses_every_token(
    verifier: FirebaseVerifier, google: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = token()
    assert (await verifier.verify(whole)).subject == "firebase-uid"
    monkeypatch.setenv(EMULATOR_VARIABLE, "127.0.0.1:9099")
    assert await refused(verifier, whole) is Reason.EMULATOR_NOT_ALLOWED
    forged = token(alg="none", key=None, kid=None)
    assert await refused(verifier, forged) is Reason.EMULATOR_NOT_ALLOWED


@pytest.fixture
def emulated(firebase_emulator: RunningFirebaseEmulator):
    made = FirebaseVerifier(firebase_emulator.project, emulator_allowed=True)
    with firebase_emulator.in_environment():
        yield made
    made.close()


@pytest.mark.requirement("J-03", "003-28")
async def test_real_emulator_by_email_and_password(
    emulated: FirebaseVerifier, firebase_emulator: RunningFirebaseEmulator
) -> None:
    id_token = await firebase_emulator.sign_up("Ada@Phone.Example", "a long password", name="Ada Admin")
    identity = await emulated.verify(id_token)
    assert identity.issuer == f"https://securetoken.google.com/{firebase_emulator.project}"
    assert (identity.email, identity.email_verified) == ("ada@phone.example", True)
    assert identity.name == "Ada Admin"
    again = await emulated.verify(await firebase_emulator.sign_in("ada@phone.example", "a long password"))
    assert again.subject == identity.subject


async def test_real_emulator_and_an_address_that_is_not_verified(
    emulated: FirebaseVerifier, firebase_emulator: RunningFirebaseEmulator
) -> None:
    id_token = await firebase_emulator.sign_up("new@phone.example", "a long password", verified=False)
    assert await refused(emulated, id_token) is Reason.EMAIL_NOT_VERIFIED


async def test_real_emulators_token_is_unsigned_and_so_refused_in_production(
    verifier: FirebaseVerifier, firebase_emulator: RunningFirebaseEmulator
) -> None:
    id_token = await firebase_emulator.sign_up("forged@phone.example", "a long password")
    assert jwt.get_unverified_header(id_token)["alg"] == "none"
    assert await refused(verifier, id_token) is Reason.ALGORITHM_NOT_ALLOWED
