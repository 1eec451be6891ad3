"""Tables of second factors: a person's, whatever tenant they act in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from tenantry.storage.tables import Timestamp, now


class TotpFactor(SQLModel, table=True):
    """A secret for time-based codes (RFC 6238), sealed under the key ``key_id`` for its person.

    Without ``confirmed_at`` it is a draft that asks nothing of anyone. ``last_step`` is the newest
    time step used, so that no code is taken twice; ``tries`` are the last failures.
    """

    __tablename__ = "totp_factor"  # pyright: ignore[reportAssignmentType]

    user_id: UUID = Field(primary_key=True, foreign_key="user.id", ondelete="CASCADE")
    key_id: str
    box: bytes
    created_at: datetime = Field(default_factory=now, sa_type=Timestamp)
    confirmed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_step: int = Field(default=0, sa_type=BigInteger)
    tries: list[datetime] = Field(default_factory=list[datetime], sa_type=ARRAY(Timestamp))


class RecoveryCode(SQLModel, table=True):
    """Stands in for one code of a lost device, once; only its hash is kept."""

    __tablename__ = "recovery_code"  # pyright: ignore[reportAssignmentType]

    user_id: UUID = Field(primary_key=True, foreign_key="user.id", ondelete="CASCADE")
    code_hash: bytes = Field(primary_key=True)
    used_at: datetime | None = Field(default=None, sa_type=Timestamp)
