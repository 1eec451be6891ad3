"""Secrets without content: handed out once, kept only as their hash."""

import base64
import hashlib
import hmac
import secrets

SECRET_BYTES = 32


def new_secret() -> str:
    """A fresh secret of 256 random bits (base64url, 43 characters; RFC 4648, section 5)."""
    return secrets.token_urlsafe(SECRET_BYTES)


def new_salt() -> bytes:
    """256 random bits, to derive a successor with."""
    return secrets.token_bytes(SECRET_BYTES)


def successor(secret: str, salt: bytes) -> str:
    """The secret that follows ``secret``: HMAC-SHA-256 (RFC 2104) of ``salt`` under it, as ``new_secret``.

    Derived and not drawn, so that it can be told again to who holds ``secret`` without having been
    stored; the salt alone, or the successor alone, tells nothing of the other.
    """
    made = hmac.digest(secret.encode("utf-8", "surrogatepass"), salt, "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def digest(secret: str) -> bytes:
    """What is stored of a secret and looked up by: its SHA-256 (FIPS 180-4), 32 bytes.

    Unsalted, since 256 random bits cannot be guessed: equal secrets must give equal digests,
    and a look-up by digest tells nothing by its timing.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
