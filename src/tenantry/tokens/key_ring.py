"""Keys that follow one another: one signs or seals, the others are still understood."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from tenantry.kernel.clock import Clock
from tenantry.tokens.errors import KeyFileError


@dataclass(frozen=True, slots=True)
class Times:
    """From when a key is used for what is new, and from when it is refused (None: never); Unix seconds."""

    begins: int = 0
    ends: int | None = None

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Times":
        """As a key file says; without a word, since ever and for ever."""
        return cls(entry.get("nbf", 0), entry.get("exp"))


ALWAYS = Times()


class KeyState(StrEnum):
    """Where a key stands in its life."""

    ACTIVE = "active"
    """What is new is signed or sealed with it."""
    ENDED = "ended"
    """Refused."""
    PENDING = "pending"
    """Published, and understood already; it will be active."""
    UNDERSTOOD = "understood"
    """Was active; what it has signed or sealed still holds."""


class Timed(Protocol):
    """A key with a name and times."""

    @property
    def kid(self) -> str:
        """Its name."""
        ...

    @property
    def times(self) -> Times:
        """When it begins and ends."""
        ...


Key = TypeVar("Key", bound=Timed)


class KeyRing(Generic[Key]):
    """The keys of one file; ``replace`` puts those of a rotated file in their place."""

    def __init__(self, keys: Sequence[Key], clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self.replace(keys)

    def replace(self, keys: Sequence[Key]) -> None:
        """Have these keys from now on. Raises ``KeyFileError``, and keeps what it had, if none is active."""
        if _active(keys, self._now()) is None:
            raise KeyFileError("There is no key in force; make one with `tenantry keys generate`.")
        self._keys = {key.kid: key for key in keys}

    @property
    def active(self) -> Key:
        """The key for what is new: of those that have begun, the one that began last.

        Where a file names no times it is the first. When every key has ended, the last that did:
        what it signs is then refused, and says so.
        """
        keys = list(self._keys.values())
        return _active(keys, self._now()) or max(keys, key=lambda key: key.times.ends or 0)

    def find(self, kid: object) -> Key | None:
        """The key of that name, unless it has ended."""
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None or (key.times.ends is not None and key.times.ends <= self._now()):
            return None
        return key

    def all(self) -> list[tuple[Key, KeyState]]:
        """Every key of the file, and where it stands."""
        return [(key, self._state(key)) for key in self._keys.values()]

    def _state(self, key: Key) -> KeyState:
        if self.find(key.kid) is None:
            return KeyState.ENDED
        if key.times.begins > self._now():
            return KeyState.PENDING
        return KeyState.ACTIVE if key is self.active else KeyState.UNDERSTOOD

    def _now(self) -> float:
        return self._clock().timestamp()


def _active(keys: Sequence[Key], now: float) -> Key | None:
    begun = [
        key for key in keys if key.times.begins <= now and (key.times.ends is None or key.times.ends > now)
    ]
    return max(begun, key=lambda key: key.times.begins, default=None)
