"""Sealing what must be read back: AES-256-GCM (NIST SP 800-38D) under keys that follow one another."""

import base64
import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenantry.kernel.clock import Clock, system_clock
from tenantry.tokens.errors import KeyFileError, SealBroken
from tenantry.tokens.key_files import Entry, create, read_entries
from tenantry.tokens.key_ring import ALWAYS, KeyRing, Times

ALGORITHM = "A256GCM"
"""RFC 7518, section 5.1."""
KEY_BYTES = 32
NONCE_BYTES = 12
"""SP 800-38D, section 8.2.2: random, so that a key may seal 2^32 times."""


class Sealed(NamedTuple):
    """What may be stored: which key opens it, and nonce, ciphertext and tag in one."""

    key_id: str
    box: bytes


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """One key; its name is random and tells nothing of it."""

    kid: str
    cipher: AESGCM = field(repr=False)
    times: Times = ALWAYS


class EncryptionKeys(KeyRing[EncryptionKey]):
    """Keys to seal and open with: one is active, the others still open."""

    def __init__(self, keys: Sequence[EncryptionKey], *, clock: Clock = system_clock) -> None:
        super().__init__(keys, clock)

    def seal(self, plaintext: bytes, *, context: bytes) -> Sealed:
        """Seal under the active key. What is sealed opens with the same ``context`` only: say whose it is."""
        key, nonce = self.active, secrets.token_bytes(NONCE_BYTES)
        return Sealed(key.kid, nonce + key.cipher.encrypt(nonce, plaintext, context))

    def open(self, key_id: str, box: bytes, *, context: bytes) -> bytes:
        """What was sealed. Raises ``SealBroken`` for an unknown key, another context or a changed byte."""
        key = self.find(key_id)
        if key is None:
            raise SealBroken(f"no key {key_id} is in force here")
        try:
            return key.cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise SealBroken("what was sealed does not open") from None

    @classmethod
    def load(cls, path: Path, *, clock: Clock = system_clock) -> "EncryptionKeys":
        """The keys of the JWK Set file at ``path`` (RFC 7518, section 6.4).

        Raises:
            FileNotFoundError: there is no such file.
            KeyFileError: others may read it, it is no JWK Set, or a key is of another kind or length.
        """
        return cls(read_encryption_keys(path), clock=clock)

    @classmethod
    def load_or_generate(cls, path: Path, *, clock: Clock = system_clock) -> "EncryptionKeys":
        """The keys at ``path``, made first where there is no file; safe among several workers."""
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                create(path, fresh_encryption_entry())
        return cls.load(path, clock=clock)


def read_encryption_keys(path: Path) -> list[EncryptionKey]:
    """The keys of a file, for a ring that follows it. Raises what ``EncryptionKeys.load`` does."""
    return [_read(entry, f"{path}, key {number}") for number, entry in enumerate(read_entries(path), 1)]


def fresh_encryption_entry() -> Entry:
    """A fresh key as a file holds it."""
    secret = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).rstrip(b"=").decode()
    return {"kty": "oct", "k": secret, "alg": ALGORITHM, "kid": secrets.token_urlsafe(8)}


def _read(entry: Entry, place: str) -> EncryptionKey:
    kid, secret = entry.get("kid"), entry.get("k")
    if entry.get("kty") != "oct" or entry.get("alg") != ALGORITHM:
        raise KeyFileError(f"{place}: a JWK of kty oct and alg {ALGORITHM} is needed")
    if not isinstance(kid, str) or not isinstance(secret, str):
        raise KeyFileError(f"{place}: the JWK has no kid or no k")
    try:
        raw = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    except ValueError:
        raise KeyFileError(f"{place}: the JWK cannot be read") from None
    if len(raw) != KEY_BYTES:
        raise KeyFileError(f"{place}: a key of {len(raw) * 8} bits; {KEY_BYTES * 8} are needed")
    return EncryptionKey(kid, AESGCM(raw), Times.of(entry))
