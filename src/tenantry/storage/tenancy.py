"""The first wall: the tenant's criterion on every table, added where no author can forget it."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, event
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria
from sqlalchemy.sql.base import ExecutableOption
from sqlalchemy.sql.selectable import FromClause
from sqlmodel import Session, SQLModel

NO_TENANT = ""
"""Value of ``TENANT_KEY`` for a relation that is narrowed by its own definition."""

TENANT_KEY = "tenant_key"
"""Key of ``Table.info``: the column that names the tenant, where it is not ``tenant_id``."""
CRITERIA = "criteria"
"""Key of ``Session.info``."""
REMEMBERED = 1_024
"""Tenants whose criteria are kept ready."""


def tenant_column(source: FromClause[Any]) -> ColumnElement[UUID] | None:
    """The column of ``source`` that names its tenant, or None where it belongs to none."""
    info: Mapping[Any, Any] = getattr(getattr(source, "element", source), "info", {})
    return source.c.get(info.get(TENANT_KEY, "tenant_id"))


class ScopedSession(Session):
    """A session that sees one tenant, or nothing while it has not been told which (``look_at``)."""


def look_at(session: Session, tenant: UUID | None) -> None:
    """Make ``session`` see ``tenant`` from its next statement on; None for nothing at all."""
    session.info[CRITERIA] = criteria(tenant)


def criteria(tenant: UUID | None) -> tuple[ExecutableOption, ...]:
    """One option for each tenant-owned table, on it and on its aliases, in sub-selects too."""
    return _criteria(tenant, len(SQLModel.metadata.tables))


@lru_cache(maxsize=REMEMBERED)
def _criteria(tenant: UUID | None, tables: int) -> tuple[ExecutableOption, ...]:
    """``tables`` is how many there were: a table that is declared later counts, too."""
    del tables
    options: list[ExecutableOption] = []
    for mapper in SQLModel._sa_registry.mappers:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        column = tenant_column(mapper.local_table)
        if column is not None:
            options.append(_criterion(mapper.class_, mapper.get_property_by_column(column).key, tenant))
    return tuple(options)


def _criterion(table: type[Any], attribute: str, tenant: UUID | None) -> ExecutableOption:
    """A lambda, since SQLAlchemy does not move an expression to an alias that is joined.

    It reads the tenant from its closure, which SQLAlchemy makes a parameter of the statement.
    """
    where = _BY_ATTRIBUTE[attribute](tenant)
    return with_loader_criteria(table, where, include_aliases=True, track_closure_variables=False)


# One for each name: a lambda is kept by its code, and must write the same SQL for the same table.
_BY_ATTRIBUTE: Mapping[str, Callable[[UUID | None], Callable[[Any], Any]]] = {
    "id": lambda tenant: lambda table: table.id == tenant,
    "tenant_id": lambda tenant: lambda table: table.tenant_id == tenant,
}


@event.listens_for(ScopedSession, "do_orm_execute")
def _scope(state: ORMExecuteState) -> None:
    """Put the criterion on whatever the session is about to run."""
    if state.is_orm_statement:
        state.statement = state.statement.options(*state.session.info.get(CRITERIA) or criteria(None))
