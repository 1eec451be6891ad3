"""A person on the way in."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenantry.authentication.sessions.repository import Origin
from tenantry.authentication.sessions.service import Client


@dataclass(frozen=True, slots=True)
class Entrant:
    """A person proved, before they have entered a tenant.

    ``email`` is the verified address by which invitations may wait, ``origin`` by whose word they are
    known, ``factor_at`` when they proved their second factor.
    """

    user_id: UUID
    email: str | None
    client: Client
    origin: Origin
    factor_at: datetime | None = None
