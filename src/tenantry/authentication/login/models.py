"""Tables of login: whose identity at which issuer, and tickets for a choice of tenant."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from tenantry.storage.tables import Timestamp, now


class Identity(SQLModel, table=True):
    """An issuer's subject bound to a person by their first verified login."""

    __tablename__ = "identity"  # pyright: ignore[reportAssignmentType]

    issuer: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    user_id: UUID = Field(foreign_key="user.id", ondelete="CASCADE", index=True)
    linked_at: datetime = Field(default_factory=now, sa_type=Timestamp)


class LoginTicket(SQLModel, table=True):
    """Stands in for a token while a person chooses a tenant, or finds their second factor; used once.

    With ``member_id`` it is the challenge of a login to that member's tenant, and no choice.
    """

    __tablename__ = "login_ticket"  # pyright: ignore[reportAssignmentType]

    ticket_hash: bytes = Field(primary_key=True)
    user_id: UUID = Field(foreign_key="user.id", ondelete="CASCADE", index=True)
    expires_at: datetime = Field(sa_type=Timestamp)
    member_id: UUID | None = None
    identity_issuer: str | None = None
    identity_subject: str | None = None
    provider_sid: str | None = None
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
