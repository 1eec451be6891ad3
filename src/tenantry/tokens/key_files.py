"""Key files: a JWK Set (RFC 7517) with secret members, and times at which keys begin and end.

A key may carry ``nbf`` (from when it signs or seals) and ``exp`` (from when it is refused), both in
Unix seconds as in OpenID Federation 1.0, section 8.7. A file is rewritten whole or not at all.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias, cast

from tenantry.tokens.errors import KeyFileError

LOCK_SECONDS = 5.0

Entry: TypeAlias = dict[str, Any]
"""One JWK with its secret members."""


def read_entries(path: Path) -> list[Entry]:
    """The keys of the file, in order.

    Raises:
        FileNotFoundError: there is no such file.
        KeyFileError: others may read it, or it is no JWK Set. The message never holds key material.
    """
    if os.name == "posix" and path.stat().st_mode & 0o007:
        raise KeyFileError(f"{path} can be read by every user of this machine; run: chmod 600 {path}")
    try:
        document: object = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise KeyFileError(f"{path} is not JSON; a JWK Set (RFC 7517, section 5) is needed") from error
    entries = cast("dict[str, object]", document).get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise KeyFileError(f"{path} has no keys; a JWK Set (RFC 7517, section 5) is needed")
    return [
        _entry(each, f"{path}, key {number}") for number, each in enumerate(cast("list[object]", entries), 1)
    ]


def create(path: Path, entry: Entry) -> None:
    """Write a new file with one key, mode 0600. Raises ``FileExistsError``: none is ever overwritten."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _draft(path, [entry]) as draft:
        os.link(draft, path)


def rewrite(
    path: Path, change: Callable[[list[Entry]], Sequence[Entry]], *, patience: float = LOCK_SECONDS
) -> None:
    """Put ``change`` of the file's keys in their place; of two at once the second sees the first's.

    Raises what ``read_entries`` does, and ``KeyFileError`` where nothing would be left, or where
    another command has not finished within ``patience`` seconds.
    """
    with _alone(path, patience):
        entries = change(read_entries(path))
        if not entries:
            raise KeyFileError(f"{path} would be left without a key")
        with _draft(path, entries) as draft:
            found = path.stat()
            draft.chmod(found.st_mode & 0o777)
            with suppress(AttributeError):  # not on Windows
                # Root may rotate for the service, which has to read the file afterwards.
                os.chown(draft, found.st_uid, found.st_gid)
            draft.rename(path)


@contextmanager
def _alone(path: Path, patience: float) -> Generator[None]:
    lock = path.with_name(f".{path.name}.lock")
    deadline = time.monotonic() + patience
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                raise KeyFileError(
                    f"{lock} says that another command is at it; remove it if none is"
                ) from None
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.unlink()


@contextmanager
def _draft(path: Path, entries: Sequence[Entry]) -> Generator[Path]:
    """A file beside ``path`` with everything in it, on the disk; gone afterwards unless it was moved."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump({"keys": list(entries)}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _entry(value: object, place: str) -> Entry:
    if not isinstance(value, dict):
        raise KeyFileError(f"{place}: a JWK is needed")
    entry = cast("Entry", value)
    for name in ("nbf", "exp"):
        if not isinstance(entry.get(name, 0), int):
            raise KeyFileError(f"{place}: {name} is a whole number of Unix seconds")
    return entry
