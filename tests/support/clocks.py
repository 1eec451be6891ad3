"""Clocks that a test moves."""

from datetime import UTC, datetime, timedelta


class MovableClock:
    """Stands still at ``now`` until a test moves it."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime.now(UTC)

    def __call__(self) -> datetime:
        """The instant it shows."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Moves it on; negative seconds set it back."""
        self.now += timedelta(seconds=seconds)
