"""Thousands of tokens that are almost ours: none is taken, and none makes us look elsewhere."""

import socket

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tenantry.kernel.principal import ActorKind, Principal, Scope
from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.errors import AccessTokenRejected
from tenantry.tokens.signing import SigningKey, SigningKeys
from tests.support.clocks import MovableClock
from tests.support.hostile_tokens import hostile_tokens
from tests.support.wires import ADA

ISSUER, AUDIENCE = "https://tenantry.example", "tenantry"
CASES = 5_000


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.of(generate_private_key(SECP256R1()))


@pytest.fixture
def tokens(key: SigningKey) -> AccessTokens:
    return AccessTokens(SigningKeys([key]), issuer=ISSUER, audience=AUDIENCE, clock=MovableClock())


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody connects to anywhere."""

    def connect(_socket: socket.socket, address: object) -> None:
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)


def refusal(tokens: AccessTokens, token: str) -> str | None:
    """Why a token is refused, in words that do not repeat it; None where it is taken."""
    try:
        tokens.verify(token)
    except AccessTokenRejected as rejected:
        return None if len(token) > 40 and token in str(rejected) else str(rejected)
    return None


@pytest.mark.requirement("000-14", "001-01")
@pytest.mark.usefixtures("_alone")
def test_none_of_thousands_is_taken(key: SigningKey, tokens: AccessTokens) -> None:
    good = tokens.mint(ADA).token
    seen: set[str] = set()
    for what, token in hostile_tokens(good, key):
        seen.add(token)
        assert refusal(tokens, token) is not None, what
    assert good not in seen
    assert len(seen) >= CASES
    assert tokens.verify(good).principal.subject == ADA.subject


def test_good_ones_are_taken(key: SigningKey, tokens: AccessTokens) -> None:
    staff = Principal(ActorKind.USER, "U_x", ADA.session, None, Scope.SYSTEM, ("*",), 1, 1)
    for _ in range(200):
        for principal in (ADA, staff):
            assert tokens.verify(tokens.mint(principal).token).principal.subject == principal.subject
    rotated = AccessTokens(
        SigningKeys([SigningKey.of(generate_private_key(SECP256R1())), key]),
        issuer=ISSUER,
        audience=AUDIENCE,
        clock=MovableClock(),
    )
    assert rotated.verify(tokens.mint(ADA).token).subject == ADA.subject
