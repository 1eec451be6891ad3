"""Signatures by Standard Webhooks 1.0.0: ``v1``, HMAC-SHA256 over ``id.timestamp.body``."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification takes 24 to 64."""
VERSION = "v1"


def new_signing_secret() -> bytes:
    """A fresh secret."""
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """A secret as its receiver is given it: base64, after a prefix that says what it is."""
    return PREFIX + base64.b64encode(secret).decode()


def signatures(keys: Iterable[bytes], *, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``: one signature for each key, with spaces between.

    ``timestamp`` is in Unix seconds; ``body`` are the very bytes that are sent.
    """
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return " ".join(f"{VERSION},{_signature(key, signed)}" for key in keys)


def _signature(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
