"""Tables of blueprints."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from tenantry.storage.tables import Timestamp, now


class Blueprint(SQLModel, table=True):
    """A blueprint as it was last applied; shared by all its tenants."""

    __tablename__ = "blueprint"  # pyright: ignore[reportAssignmentType]

    key: str = Field(primary_key=True)
    title: str
    body: dict[str, Any] = Field(sa_type=JSONB)
    digest: str
    applied_at: datetime = Field(default_factory=now, sa_type=Timestamp)
