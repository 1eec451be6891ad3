"""API keys as texts: made once, recognised before anything is looked up."""

import re
import secrets
import zlib
from typing import NamedTuple

from tenantry.tokens.opaque import new_secret

MARK = "tntk_"
"""What scanners for leaked secrets look for."""
_FORM = re.compile(r"tntk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}[0-9a-f]{8}")


class NewApiKey(NamedTuple):
    """A fresh key: ``text`` is handed out once, and only its hash is kept; ``prefix`` may be shown."""

    text: str
    prefix: str

    def __repr__(self) -> str:
        return f"NewApiKey(prefix={self.prefix!r})"


def new_api_key() -> NewApiKey:
    """``tntk_``, eight digits to tell keys apart by, 256 random bits and a checksum (CRC-32)."""
    prefix = f"{MARK}{secrets.token_hex(4)}"
    body = f"{prefix}_{new_secret()}"
    return NewApiKey(f"{body}{_checksum(body)}", prefix)


def is_api_key(credential: str) -> bool:
    """Whether a credential means to be an API key, whole or not."""
    return credential.startswith(MARK)


def is_whole(key: str) -> bool:
    """Whether a key is one that could have been made here: mistyped and cut ones cost no look-up."""
    return _FORM.fullmatch(key) is not None and _checksum(key[:-8]) == key[-8:]


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode('ascii')):08x}"
