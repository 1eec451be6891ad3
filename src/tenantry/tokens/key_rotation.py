"""Rotating a key file: a new key is announced before it is used, and an old one understood after."""

from collections.abc import Sequence
from datetime import datetime
from itertools import count, pairwise
from pathlib import Path

from tenantry.tokens.encryption import ALGORITHM, EncryptionKey, fresh_encryption_entry, read_encryption_keys
from tenantry.tokens.errors import KeyFileError
from tenantry.tokens.key_files import Entry, read_entries, rewrite
from tenantry.tokens.key_ring import KeyRing, KeyState
from tenantry.tokens.signing import SigningKey, fresh_entry, read_keys, thumbprint

ANNOUNCE_SECONDS = 600
"""Verifiers keep our JWK Set for five minutes; twice that, until every one of them knows the new key."""
LEEWAY_SECONDS = 60
"""For clocks that differ."""

AnyKey = SigningKey | EncryptionKey


def is_for_sealing(path: Path) -> bool:
    """Whether the file holds keys that seal, and not keys that sign."""
    return read_entries(path)[0].get("kty") == "oct"


def ring_of(path: Path, *, now: datetime) -> KeyRing[AnyKey]:
    """The keys of a file of either kind, as they stand at ``now``. Raises what reading them does."""
    keys: Sequence[AnyKey] = read_encryption_keys(path) if is_for_sealing(path) else read_keys(path)
    return KeyRing(keys, lambda: now)


def rotate(
    path: Path, *, now: datetime, lifetime_seconds: int, announce_seconds: int = ANNOUNCE_SECONDS
) -> str:
    """Add a key that is active in ``announce_seconds``; returns its name.

    Keys that sign are refused when the last token signed with them has ended, ``lifetime_seconds``
    after the next one takes over; keys that seal go on, until nothing is sealed under them and they
    are retired. Keys that have ended are left out of the file. Raises what reading the file does.
    """
    sealing = is_for_sealing(path)
    fresh = _fresh(path, now=now)

    def change(entries: list[Entry]) -> list[Entry]:
        kept = [entry for entry in entries if "exp" not in entry or entry["exp"] > now.timestamp()]
        taken = {entry.get("nbf", 0) for entry in kept}
        fresh["nbf"] = next(at for at in count(int(now.timestamp()) + announce_seconds) if at not in taken)
        if not sealing:
            # In the order of their turns: another may have been announced for later than this one.
            turns = sorted([*kept, fresh], key=lambda entry: entry.get("nbf", 0))
            for entry, following in pairwise(turns):
                ends = following["nbf"] + lifetime_seconds + LEEWAY_SECONDS
                entry["exp"] = min(entry.get("exp", ends), ends)
        return [*kept, fresh]

    rewrite(path, change)
    return kid_of(fresh)


def retire(path: Path, kid: str, *, now: datetime) -> None:
    """Take a key out of the file: what it has signed is refused from now on, what it has sealed is lost.

    Raises ``KeyFileError`` for a name that is not there, and for the only key that is active.
    """

    def change(entries: list[Entry]) -> list[Entry]:
        left = [entry for entry in entries if kid_of(entry) != kid]
        if len(left) == len(entries):
            raise KeyFileError(f"{path} has no key {kid}; see `tenantry keys list {path}`")
        begun = [entry for entry in left if entry.get("nbf", 0) <= now.timestamp() < entry.get("exp", 2**63)]
        if not begun:
            raise KeyFileError(
                f"{kid} is the only key in force; rotate with --announce 0 first, and mind what that ends"
            )
        return left

    rewrite(path, change)


def kid_of(entry: Entry) -> str:
    """The name of a file's key."""
    return str(entry["kid"]) if entry.get("kty") == "oct" else thumbprint(entry)


def _fresh(path: Path, *, now: datetime) -> Entry:
    """A key of the same algorithm as the active one."""
    active = ring_of(path, now=now).active
    return fresh_entry(active.algorithm) if isinstance(active, SigningKey) else fresh_encryption_entry()


def generated(algorithm: str) -> Entry:
    """A first key, to sign (ES256, RS256) or to seal (A256GCM). Raises ``KeyFileError`` for any other."""
    return fresh_encryption_entry() if algorithm == ALGORITHM else fresh_entry(algorithm)


def states(path: Path, *, now: datetime) -> list[tuple[AnyKey, KeyState]]:
    """Every key of the file and where it stands."""
    return ring_of(path, now=now).all()
