"""Access tokens: every claim, every refusal, and what is remembered."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tenantry.kernel.principal import ActorKind, Principal, Scope
from tenantry.tokens.access_tokens import CANONICAL_CLAIMS, AccessTokens
from tenantry.tokens.errors import AccessTokenRejected, Reason
from tenantry.tokens.signing import SigningKey, SigningKeys
from tenantry.tokens.spelling import one_spelling

NOW = datetime(2026, 11, 22, 9, 30, 0, 250_000, tzinfo=UTC)
ISSUER, AUDIENCE = "https://tenantry.example", "tenantry"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

MEMBER = Principal(
    kind=ActorKind.USER,
    subject="U_ada",
    session=UUID("018f0000-0000-7000-8000-000000000001"),
    tenant="T_acme",
    scope=Scope.TENANT,
    roles=("admin", "agent"),
    member_version=3,
    tenant_version=7,
)
STAFF = replace(MEMBER, scope=Scope.SYSTEM, tenant=None, roles=("SUPER_ADMIN",))


class StoppedClock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


KEY = SigningKey.of(generate_private_key(SECP256R1()))


def issuing(clock=None, *, key: SigningKey = KEY, **changes) -> AccessTokens:
    settings = {"issuer": ISSUER, "audience": AUDIENCE, "clock": clock or StoppedClock()} | changes
    return AccessTokens(SigningKeys([key]), **settings)


def stated(token: str) -> tuple[dict, dict]:
    header, payload, _ = token.split(".")
    return tuple(json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (header, payload))


def signed(changes: dict | None = None, *, without: str | None = None, headers: dict | None = None) -> str:
    """A token of ours, whole but for ``changes``, signed with our own key."""
    _, claims = stated(issuing().mint(MEMBER).token)
    claims |= changes or {}
    claims.pop(without, None)
    header = {"typ": "at+jwt", "kid": KEY.kid} | (headers or {})
    return one_spelling(jwt.encode(claims, KEY.private, algorithm="ES256", headers=header))


def refused(token: str, tokens: AccessTokens | None = None) -> Reason:
    with pytest.raises(AccessTokenRejected) as caught:
        (tokens or issuing()).verify(token)
    assert caught.value.extensions() == {"reason": caught.value.reason}
    assert caught.value.code == "UNAUTHENTICATED"
    assert not token or token not in str(caught.value)
    return caught.value.reason


@pytest.mark.requirement("000-03")
def test_a_token_lives_two_hours_to_the_second() -> None:
    minted = issuing().mint(MEMBER)
    _, claims = stated(minted.token)
    assert claims["exp"] - claims["iat"] == 7_200
    assert claims["iat"] == int(NOW.timestamp())
    assert minted.expires_at == NOW.replace(microsecond=0) + timedelta(hours=2)


@pytest.mark.requirement("000-13", "001-01", "001-02", "001-04", "001-05")
def test_a_members_token_says_exactly_this() -> None:
    minted = issuing().mint(MEMBER)
    header, claims = stated(minted.token)
    assert header == {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt"}
    assert claims == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "U_ada",
        "jti": minted.jti,
        "iat": 1_795_339_800,
        "exp": 1_795_347_000,
        "sid": "018f0000-0000-7000-8000-000000000001",
        "scope": "tenant",
        "tenant_id": "T_acme",
        "role": "admin",
        "roles": ["admin", "agent"],
        "mv": 3,
        "tv": 7,
    }
    assert tuple(sorted(claims)) == tuple(sorted(CANONICAL_CLAIMS))


@pytest.mark.requirement("001-03", "001-05")
def test_a_platform_token_carries_the_tenant_claim_as_null() -> None:
    _, claims = stated(issuing().mint(STAFF, extra={"tenantId": None}).token)
    assert (claims["scope"], claims["tenant_id"], claims["tenantId"]) == ("system", None, None)
    assert claims["role"] == "SUPER_ADMIN"


def test_a_member_without_a_role_has_null_for_it() -> None:
    _, claims = stated(issuing().mint(replace(MEMBER, roles=())).token)
    assert (claims["role"], claims["roles"]) == (None, [])


@pytest.mark.requirement("003-28", "001-03")
def test_the_blueprints_claims_stand_beside_the_canonical_ones() -> None:
    profile = {"orgId": "T_acme", "tenantId": "T_acme", "userId": "U_ada", "permissions": ["call:read"]}
    tokens = issuing()
    minted = tokens.mint(MEMBER, extra=profile)
    _, claims = stated(minted.token)
    assert profile.items() <= claims.items()
    assert tokens.verify(minted.token).extra == profile


@pytest.mark.parametrize("name", [*CANONICAL_CLAIMS, "nbf", "scp", "client_id"])
def test_a_claim_profile_never_replaces_a_canonical_claim(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        issuing().mint(MEMBER, extra={name: "forged"})


@pytest.mark.parametrize(
    "principal",
    [
        replace(MEMBER, subject=None),
        replace(MEMBER, session=None),
        replace(MEMBER, scope=None, tenant=None),
        replace(MEMBER, tenant=None),
        replace(STAFF, tenant="T_acme"),
    ],
)
def test_half_a_principal_gets_no_token(principal: Principal) -> None:
    with pytest.raises(ValueError, match="a token"):
        issuing().mint(principal)


@pytest.mark.parametrize("principal", [MEMBER, STAFF])
def test_what_was_minted_is_what_is_verified(principal: Principal) -> None:
    tokens = issuing()
    minted = tokens.mint(principal)
    claims = tokens.verify(minted.token)
    assert claims.principal == replace(principal, expires_at=minted.expires_at)
    assert (claims.subject, claims.session, claims.tenant) == ("U_ada", principal.session, principal.tenant)
    assert (claims.scope, claims.roles, claims.jti) == (principal.scope, principal.roles, minted.jti)
    assert (claims.member_version, claims.tenant_version) == (3, 7)
    assert (claims.issued_at, claims.expires_at) == (NOW.replace(microsecond=0), minted.expires_at)
    assert claims.extra == {}


def test_no_token_shows_in_a_representation() -> None:
    minted = issuing().mint(MEMBER)
    assert minted.token not in repr(minted)
    assert minted.jti in repr(minted)


@pytest.mark.requirement("000-14")
def test_a_changed_tenant_does_not_verify() -> None:
    header, payload, signature = issuing().mint(MEMBER).token.split(".")
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    forged = urlsafe_b64encode(json.dumps(claims | {"tenant_id": "T_other"}).encode()).rstrip(b"=").decode()
    assert refused(f"{header}.{forged}.{signature}") is Reason.BAD_SIGNATURE


@pytest.mark.requirement("000-14")
def test_symmetric_signature_made_with_the_public_key_is_refused() -> None:
    pem = KEY.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _, payload, _ = issuing().mint(MEMBER).token.split(".")
    head = {"alg": "HS256", "typ": "at+jwt", "kid": KEY.kid}
    start = f"{urlsafe_b64encode(json.dumps(head).encode()).rstrip(b'=').decode()}.{payload}"
    signature = urlsafe_b64encode(hmac.digest(pem, start.encode(), sha256)).rstrip(b"=").decode()
    assert refused(f"{start}.{signature}") is Reason.ALGORITHM_NOT_ALLOWED


@pytest.mark.requirement("000-14")
def test_token_without_a_signature_is_refused() -> None:
    _, claims = stated(issuing().mint(MEMBER).token)
    token = jwt.encode(claims, None, algorithm="none", headers={"typ": "at+jwt", "kid": KEY.kid})
    assert refused(token) is Reason.ALGORITHM_NOT_ALLOWED


def test_key_of_someone_else_is_refused_under_its_own_kid_and_under_ours() -> None:
    other = SigningKey.of(generate_private_key(SECP256R1()))
    assert refused(issuing(key=other).mint(MEMBER).token) is Reason.UNKNOWN_KEY
    assert refused(issuing(key=replace(other, kid=KEY.kid)).mint(MEMBER).token) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (signed(headers={"typ": "JWT"}), Reason.WRONG_TYPE),
        (signed(headers={"typ": None}), Reason.WRONG_TYPE),
        (signed(headers={"typ": "AT+JWT"}), Reason.WRONG_TYPE),
        (signed({"iss": "https://other.example"}), Reason.WRONG_ISSUER),
        (signed({"aud": "other"}), Reason.WRONG_AUDIENCE),
        (signed({"scope": "everything"}), Reason.MALFORMED),
        (signed({"scope": "system"}), Reason.MALFORMED),
        (signed({"tenant_id": None}), Reason.MALFORMED),
        (signed({"tenant_id": 5}), Reason.MALFORMED),
        (signed({"sid": "no uuid"}), Reason.MALFORMED),
        (signed({"roles": "admin"}), Reason.MALFORMED),
        (signed({"roles": [5]}), Reason.MALFORMED),
        (signed({"mv": True}), Reason.MALFORMED),
        (signed({"tv": "7"}), Reason.MALFORMED),
        (signed({"exp": True}), Reason.MALFORMED),
        (signed({"exp": 10**12}), Reason.MALFORMED),
        (signed({"exp": "tomorrow"}), Reason.MALFORMED),
        (signed({"iat": int(NOW.timestamp()) + 3_600}), Reason.NOT_YET_VALID),
        (signed({"nbf": int(NOW.timestamp()) + 3_600}), Reason.NOT_YET_VALID),
        (signed({"nbf": None}), Reason.MISSING_CLAIM),
        *((signed(without=name), Reason.MISSING_CLAIM) for name in CANONICAL_CLAIMS[:8]),
        *((signed(without=name), Reason.MALFORMED) for name in ("tenant_id", "roles", "mv", "tv")),
        ("", Reason.MALFORMED),
        ("a.b.c", Reason.MALFORMED),
        ("ключ", Reason.MALFORMED),
        ("a" * 20_000, Reason.MALFORMED),
        (signed() + "=", Reason.MALFORMED),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "token",
)
def test_unfit_token_is_refused_for_a_stated_reason(token: str, reason: Reason) -> None:
    assert refused(token) is reason


def test_time_the_issuers_clock_may_run_ahead() -> None:
    ahead = int(NOW.timestamp()) + 59
    assert issuing().verify(signed({"iat": ahead, "nbf": ahead})).subject == "U_ada"


@pytest.mark.requirement("000-03")
def test_it_expires_at_exp_also_when_it_is_remembered() -> None:
    clock = StoppedClock()
    tokens, other = issuing(clock), issuing(clock)
    minted = tokens.mint(MEMBER)
    clock.now = minted.expires_at - timedelta(microseconds=1)
    assert tokens.verify(minted.token) is tokens.verify(minted.token)

    clock.now = minted.expires_at
    assert refused(minted.token, tokens) is Reason.EXPIRED
    assert refused(minted.token, tokens) is Reason.EXPIRED
    assert refused(minted.token, other) is Reason.EXPIRED


def test_memory_is_bounded_and_keeps_what_is_used() -> None:
    tokens = issuing(cached=2)
    used, idle, late = (tokens.mint(MEMBER).token for _ in range(3))
    first, second = tokens.verify(used), tokens.verify(idle)
    assert tokens.verify(used) is first
    tokens.verify(late)
    assert tokens.verify(used) is first
    assert tokens.verify(idle) is not second
    assert len(tokens._verified) == 2


def test_refusals_are_not_remembered_and_no_token_is_kept() -> None:
    tokens = issuing()
    refused(signed({"aud": "other"}), tokens)
    assert not tokens._verified
    token = tokens.mint(MEMBER).token
    tokens.verify(token)
    assert list(tokens._verified) == [sha256(token.encode()).digest()]


def test_the_twin_signature_is_not_taken_and_ours_is_always_the_low_one() -> None:
    # ECDSA accepts (r, n - s) too: a second spelling of the same token.
    tokens = issuing()
    for _ in range(50):
        token = tokens.mint(MEMBER).token
        start, _, signature = token.rpartition(".")
        raw = urlsafe_b64decode(signature + "==")
        assert int.from_bytes(raw[32:]) <= P256_ORDER // 2
        twin = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32)
        assert refused(f"{start}.{urlsafe_b64encode(twin).rstrip(b'=').decode()}") == Reason.MALFORMED
        assert tokens.verify(token).subject == "U_ada"


def test_rs256_by_setting() -> None:
    key = SigningKey.of(generate_rsa_key(65_537, 3_072))
    tokens = issuing(key=key)
    minted = tokens.mint(MEMBER)
    assert stated(minted.token)[0]["alg"] == "RS256"
    assert tokens.verify(minted.token).subject == "U_ada"
