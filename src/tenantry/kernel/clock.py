"""The time, behind a port, so that a test can stop it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns now: timezone-aware, UTC, microseconds."""


def system_clock() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)
