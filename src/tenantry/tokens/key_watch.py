"""Following a key file while it is rotated: no restart, and no look at the disk for a request."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from tenantry.tokens.errors import KeyFileError
from tenantry.tokens.key_ring import KeyRing, Timed

WATCH_SECONDS = 2.0

Key = TypeVar("Key", bound=Timed)

_log = structlog.get_logger(__name__)


class KeyWatch(Generic[Key]):
    """Looks at the file every ``seconds``, and puts its keys into the ring when it has changed.

    A file that cannot be read leaves the ring as it is, and an error in the log.
    """

    def __init__(
        self,
        path: Path,
        ring: KeyRing[Key],
        read: Callable[[Path], Sequence[Key]],
        *,
        seconds: float = WATCH_SECONDS,
    ) -> None:
        self._path = path
        self._ring = ring
        self._read = read
        self._seconds = seconds
        self._seen = self._stamp()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def look(self) -> None:
        """Look once."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._ring.replace(self._read(self._path))
        except (OSError, KeyFileError) as error:
            _log.error("keys.unreadable", file=self._path.name, error=type(error).__name__)
        else:
            _log.info("keys.reloaded", file=self._path.name, active=self._ring.active.kid)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            self.look()

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        # The last changes with mode and owner too: a file that was refused may be mended by them alone.
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns
