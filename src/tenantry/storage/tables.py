"""What a table is here: keyed by tenant, so that no row can point into another tenant."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKeyConstraint
from sqlalchemy.types import UserDefinedType
from sqlmodel import Field, SQLModel

from tenantry.kernel.ids import new_key


class TenantOwned(SQLModel):
    """Base of every table that belongs to a tenant.

    The key is ``(tenant_id, id)``; foreign keys between such tables carry ``tenant_id``
    too (``within_tenant``). Sessions add the tenant's criterion to each of them, and row
    security is stamped on each of them after every migration.
    """

    tenant_id: UUID = Field(primary_key=True, foreign_key="tenant.id", ondelete="CASCADE")
    id: UUID = Field(primary_key=True, default_factory=new_key)


def within_tenant(column: str, target: str, *, ondelete: str = "CASCADE") -> ForeignKeyConstraint:
    """A composite foreign key from ``column`` to ``target``, both in the same tenant."""
    return ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{target}.tenant_id", f"{target}.id"],
        name=f"{column}_within_tenant_fkey",
        ondelete=ondelete,
    )


class TransactionId(UserDefinedType[str]):
    """``xid8``: a transaction's number, never reused (PostgreSQL 9.2.1)."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in SQL."""
        return "xid8"


Timestamp = DateTime(timezone=True)
"""``timestamptz``: UTC, microseconds."""


def now() -> datetime:
    """The default of a timestamp column; a rule that depends on time takes a clock instead."""
    return datetime.now(UTC)
