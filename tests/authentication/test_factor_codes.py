"""Codes, by the vectors of the standard; and what an authenticator and a person are given."""

import base64
import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyotp.totp import TOTP

from tenantry.authentication.factors.codes import (
    PERIOD_SECONDS,
    enrollment,
    new_recovery_codes,
    new_secret,
    recovery_digest,
    step_of,
    tidied,
)

# RFC 6238, appendix B: the secret for SHA-1, and the last six of its eight digits.
SECRET = base64.b32encode(b"12345678901234567890").decode()
VECTORS = [
    (59, "94287082"),
    (1_111_111_109, "07081804"),
    (1_111_111_111, "14050471"),
    (1_234_567_890, "89005924"),
    (2_000_000_000, "69279037"),
    (20_000_000_000, "65353130"),
]
ADA, BOB = UUID(int=1), UUID(int=2)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.requirement("002-03")
@pytest.mark.parametrize(("seconds", "digits"), VECTORS)
def test_the_vectors_of_rfc_6238(seconds: int, digits: str) -> None:
    assert step_of(SECRET, digits[2:], now=at(seconds), after=0) == seconds // PERIOD_SECONDS


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_on_either_side_is_tolerated(steps: int, taken: bool) -> None:
    seconds, digits = VECTORS[3]
    now = at(seconds + steps * PERIOD_SECONDS)
    assert (step_of(SECRET, digits[2:], now=now, after=0) is not None) is taken


def test_a_step_that_has_been_used_and_those_before_it_are_used_up() -> None:
    seconds, digits = VECTORS[3]
    step = seconds // PERIOD_SECONDS
    assert step_of(SECRET, digits[2:], now=at(seconds), after=step - 1) == step
    assert step_of(SECRET, digits[2:], now=at(seconds), after=step) is None
    assert step_of(SECRET, digits[2:], now=at(seconds), after=step + 1) is None


@given(st.text(max_size=12))
def test_no_other_text_is_a_code(text: str) -> None:
    seconds, digits = VECTORS[3]
    present = seconds // PERIOD_SECONDS
    codes = {TOTP(SECRET).generate_otp(step) for step in range(present - 1, present + 2)}
    assert digits[2:] in codes
    assert (step_of(SECRET, text, now=at(seconds), after=0) is not None) is (text in codes)


@pytest.mark.requirement("002-04")
def test_a_secret_is_160_fresh_bits_in_base32() -> None:
    secrets = {new_secret() for _ in range(200)}
    assert len(secrets) == 200
    assert {len(base64.b32decode(secret)) for secret in secrets} == {20}


@pytest.mark.requirement("002-06")
def test_the_qr_code_is_the_uri_and_nothing_that_a_browser_would_run() -> None:
    made = enrollment(SECRET, account="ada@example.com", issuer="Acme & Sons")
    parts = urlsplit(made.uri)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/Acme%20%26%20Sons:ada%40example.com"
    assert parse_qs(parts.query) == {"secret": [SECRET], "issuer": ["Acme & Sons"]}
    assert made.svg.startswith("<svg ")
    assert made.svg.endswith("</svg>")
    assert not re.search(r"<script|<foreignObject|href|\bon\w+=|style=", made.svg)
    assert SECRET not in repr(made)


def test_recovery_codes_are_80_fresh_bits_each_and_read_as_people_write_them() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    for code in codes:
        assert re.fullmatch(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", code)
        for written in (code.upper(), code.replace("-", ""), f" {code.replace('-', ' ')} "):
            assert recovery_digest(ADA, written) == recovery_digest(ADA, code)
        assert recovery_digest(ADA, code) != recovery_digest(BOB, code)
    assert len({recovery_digest(ADA, code) for code in codes}) == 10
    assert recovery_digest(ADA, "\ud800") != recovery_digest(ADA, "")


def test_spaces_in_a_code_are_as_authenticators_show_them() -> None:
    assert tidied(" 123 456\n") == "123456"
