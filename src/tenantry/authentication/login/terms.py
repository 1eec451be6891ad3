"""What holds for every login of a deployment."""

from dataclasses import dataclass
from datetime import timedelta

from tenantry.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Terms:
    """How long what a login gives out lives, and by which clock."""

    clock: Clock
    session: timedelta
    ticket: timedelta
    grace: timedelta = timedelta(0)
    """How long after its use a refresh token is answered again, with the same successor."""
