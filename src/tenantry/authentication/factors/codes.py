"""Codes: what an authenticator shows, and what stands in for it when it is lost. Pure."""

import base64
import hashlib
import hmac
import io
import secrets
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import segno
from pyotp import random_base32
from pyotp.totp import TOTP

SECRET_CHARACTERS = 32
"""Of Base32: 160 bits, the length that RFC 4226, section 4, recommends."""
PERIOD_SECONDS = 30
"""RFC 6238, section 5.2."""
TOLERATED_STEPS = 1
"""Before and after the present one, for clocks that differ."""
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
"""80 bits: a hash of so much cannot be guessed back."""
_GROUP = 4


class Enrollment(NamedTuple):
    """What an authenticator is set up with: shown once."""

    secret: str
    """Base32 (RFC 4648, section 6), for typing in."""
    uri: str
    """``otpauth://totp/…``, the same for a program."""
    svg: str
    """The URI as a QR code, a whole SVG element."""

    def __repr__(self) -> str:
        return "Enrollment(…)"


def new_secret() -> str:
    """A fresh secret of 160 random bits in Base32."""
    return random_base32(SECRET_CHARACTERS)


def enrollment(secret: str, *, account: str, issuer: str) -> Enrollment:
    """``secret`` as a person's authenticator takes it; ``account`` and ``issuer`` are what it shows."""
    uri = TOTP(secret, name=account, issuer=issuer).provisioning_uri()
    drawn = io.BytesIO()
    segno.make(uri, error="m", micro=False).save(
        drawn, kind="svg", border=4, xmldecl=False, svgns=True, omitsize=True, nl=False
    )
    return Enrollment(secret, uri, drawn.getvalue().decode())


def step_of(secret: str, code: str, *, now: datetime, after: int) -> int | None:
    """The time step that ``code`` belongs to: the present one or one beside it, and after ``after``.

    None for any other text. Every step is compared, in constant time (RFC 6238, sections 4 and 5.2).
    """
    generator = TOTP(secret, interval=PERIOD_SECONDS)
    present = int(now.timestamp()) // PERIOD_SECONDS
    found: int | None = None
    for step in range(present - TOLERATED_STEPS, present + TOLERATED_STEPS + 1):
        equal = hmac.compare_digest(generator.generate_otp(step).encode(), code.encode())
        found = step if equal and step > after else found
    return found


def new_recovery_codes() -> list[str]:
    """Ten codes of 80 random bits, in groups of four letters and digits (Base32, lower case)."""
    return [_grouped(secrets.token_bytes(RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]


def recovery_digest(user_id: UUID, code: str) -> bytes:
    """What is stored of a recovery code: SHA-256 of whose it is and of the code as it was meant."""
    meant = "".join(code.split()).replace("-", "").lower()
    return hashlib.sha256(user_id.bytes + meant.encode("utf-8", "surrogatepass")).digest()


def tidied(code: str) -> str:
    """A code without the spaces that people and authenticators put in."""
    return "".join(code.split())


def _grouped(raw: bytes) -> str:
    text = base64.b32encode(raw).decode().lower()
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))
