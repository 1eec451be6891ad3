"""Compiling with SQLAlchemy what asyncpg runs, and the check that no tenant was forgotten."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Alias, ClauseElement, ColumnElement, FromClause, Join, Select, Table
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression

from tenantry.storage.tenancy import tenant_column

_DIALECT: Any = asyncpg_dialect()


class TenantForgotten(RuntimeError):
    """A statement that reads a tenant's table without the tenant's criterion."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL with ``$1 …``, the names of its parameters in that order, and the values known already."""

    sql: str
    parameters: tuple[str, ...]
    constants: Mapping[str, Any]


def compile_statement(statement: Select[Any], *, tenant: ColumnElement[Any]) -> Compiled:
    """Compile a reading statement in which each tenant-owned alias is bound to ``tenant``.

    Raises ``TenantForgotten`` where one is not, or where a table is read under no alias: the
    first wall, which no author of a field can leave out.
    """
    forgotten = sorted(_forgotten(statement, tenant))
    if forgotten:
        raise TenantForgotten(
            f"without the tenant's criterion: {', '.join(forgotten)}; take rows from the compiler"
        )
    compiled = statement.compile(dialect=_DIALECT)
    return Compiled(str(compiled), tuple(compiled.positiontup or ()), compiled.params)


def _forgotten(statement: Select[Any], tenant: ColumnElement[Any]) -> Iterator[str]:
    """The names of tables that are read outside the tenant."""
    owned: dict[int, str] = {}
    bound: set[int] = set()
    for element in visitors.iterate(statement):
        if isinstance(element, Alias):
            alias = cast("Alias[Any]", element)
            inner: FromClause[Any] = alias.element
            if isinstance(inner, Table) and tenant_column(alias) is not None:
                owned[id(alias)] = inner.name
        elif isinstance(element, Select):
            # Not get_final_froms(), which compiles each select, and all that is inside of it, to tell.
            yield from _bare(element.get_children())
        elif isinstance(element, BinaryExpression) and element.operator is operators.eq:
            source = getattr(element.left, "table", None)
            if element.right is tenant and source is not None and element.left is tenant_column(source):
                bound.add(id(source))
    yield from (name for key, name in owned.items() if key not in bound)


def _bare(sources: Iterable[ClauseElement]) -> Iterator[str]:
    """The tenant-owned tables among ``sources`` that no alias stands for."""
    for source in sources:
        if isinstance(source, Join):
            yield from _bare((source.left, source.right))
        elif isinstance(source, Table):
            table = cast("Table[Any]", source)
            if tenant_column(table) is not None:
                yield table.name
