"""Keyset connections in one statement (Relay, GraphQL Cursor Connections Specification)."""
# graphql-core's own union types leave out the parameter of GraphQLList, and its parts are unknown with it.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from graphql import GraphQLObjectType
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Subquery,
    Text,
    case,
    cast,
    func,
    literal,
    literal_column,
    tuple_,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from tenantry.api.planner.arguments import Getter, Values, getter
from tenantry.api.planner.findings import Asked, Details, Here, PageSize, object_type
from tenantry.api.planner.objects import JSON_TEXT, NULL, build_object, collected, ordered, quoted, typename
from tenantry.api.planner.sources import Connection, Criteria, Realm, Row, select_over
from tenantry.kernel.errors import BadUserInput
from tenantry.kernel.paging import MAX_PAGE

if TYPE_CHECKING:
    from tenantry.api.planner.compiler import Compiler

INTEGER_BITS, BIG_BITS = 32, 64
"""PostgreSQL's integer and bigint; more would break the statement."""


@dataclass(frozen=True, slots=True)
class Page:
    """The page that the arguments ask for."""

    size: Getter
    backward: bool
    after: Any
    before: Any


def connection(compiler: "Compiler", source: Connection, asked: Asked, here: Here) -> ColumnElement[Any]:
    """The JSON of one connection. Raises ``BadUserInput`` for a page that is not well asked for."""
    taken = compiler.arguments(asked.definition, asked.details)
    page = page_of(taken, here.path)
    sizes: list[PageSize] = []
    around = here.pages
    here = replace(here, realm=source.realm if source.realm is not Realm.HERE else here.realm, pages=sizes)
    row, within = compiler.rows(source.table, here)
    if source.of_type is not None:
        compiler.of_type(getter(taken[source.of_type]), here)
    arguments = {
        name: compiler.binds.sql(value, asked.definition.args[name].type)
        for name, value in taken.items()
        if name not in {"first", "after", "last", "before"}
    }
    matching = [*within, *source.on(here.row, row, arguments, lambda table: compiler.rows(table, here))]
    order = source.order(arguments) if callable(source.order) else source.order
    key = order.columns(row)
    around.append(PageSize(_checked_page(page, key), here.path, sizes))
    shelf: list[CTE] = []
    below = replace(here.on(row, trusted=source.trusted, repeated=True), shelf=shelf)
    made = _Made(compiler, page, row, key, matching, descending=order.descending)
    body = build_object(made.members(asked.target, asked.details, below))
    rows = [made.subquery()] if made.read else []
    return select_over(body, rows=rows).add_cte(*shelf, nest_here=True).scalar_subquery()


def cursor_of(key: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    """Base64 of the key as a JSON array; it holds nothing that the node does not show."""
    text = cast(func.json_build_array(*key), Text())
    encoded = func.encode(func.convert_to(text, "UTF8"), "base64")
    return quoted(func.replace(encoded, "\n", "", type_=Text()))


class _Made:
    """One connection being put together: what its inner select must bring."""

    def __init__(
        self,
        compiler: "Compiler",
        page: Page,
        row: Row,
        key: list[ColumnElement[Any]],
        matching: Criteria,
        *,
        descending: bool,
    ) -> None:
        self.compiler = compiler
        self.page = page
        self.row = row
        self.key = key
        self.matching = matching
        self.descending = descending
        """Of the order of reading; a page from the end is taken against it."""
        self.columns: dict[str, ColumnElement[Any]] = {}
        self.read = False
        """Whether anything is asked of the page's rows, so that they are aggregated."""

    def members(
        self, type_: GraphQLObjectType, details: Details, here: Here
    ) -> list[tuple[str, ColumnElement[Any]]]:
        made: list[tuple[str, ColumnElement[Any]]] = []
        for key, field in self.compiler.below(type_, details).items():
            name = field[0].node.name.value
            place = here.at(key)
            match name:
                case "nodes":
                    body = self.compiler.object(object_type(type_.fields[name].type), field, place)
                    made.append((key, self.collect(body)))
                case "edges":
                    body = self.edge(object_type(type_.fields[name].type), field, place)
                    made.append((key, self.collect(body)))
                case "pageInfo":
                    made.append((key, self.info(object_type(type_.fields[name].type), field)))
                case "totalCount":
                    count = select_over(func.count(), rows=[self.row]).where(*self.matching)
                    made.append((key, count.scalar_subquery()))
                case _:
                    made.append((key, typename(type_.name)))
        return made

    def edge(self, type_: GraphQLObjectType, details: Details, here: Here) -> ColumnElement[Any]:
        made: list[tuple[str, ColumnElement[Any]]] = []
        for key, field in self.compiler.below(type_, details).items():
            match field[0].node.name.value:
                case "cursor":
                    made.append((key, cursor_of(self.key)))
                case "node":
                    node = object_type(type_.fields["node"].type)
                    made.append((key, self.compiler.object(node, field, here.at(key))))
                case _:
                    made.append((key, typename(type_.name)))
        return build_object(made)

    def info(self, type_: GraphQLObjectType, details: Details) -> ColumnElement[Any]:
        made: list[tuple[str, ColumnElement[Any]]] = []
        for key, field in self.compiler.below(type_, details).items():
            match field[0].node.name.value:
                case "hasNextPage":
                    made.append((key, self.more(self.page.before, ahead=not self.page.backward)))
                case "hasPreviousPage":
                    made.append((key, self.more(self.page.after, ahead=self.page.backward)))
                case "startCursor":
                    made.append((key, self.end(first=True)))
                case "endCursor":
                    made.append((key, self.end(first=False)))
                case _:
                    made.append((key, typename(type_.name)))
        return build_object(made)

    def more(self, cursor: Any, *, ahead: bool) -> ColumnElement[bool]:
        """Whether a row lies beyond the page; on the side it came from, the row of its cursor.

        Looked for from the page's last row on, which an index finds at once. To fetch one more row
        and leave it out by its number would cost each row a tenth.
        """
        if not ahead:
            return literal(cursor is not None)
        last = self.ends(first=self.page.backward)
        beyond = self.past(last, reverse=self.page.backward)
        row = select_over(literal_column("1", Integer()), rows=[self.row]).where(
            *self.matching, *self.between(), beyond
        )
        return row.exists()

    def end(self, *, first: bool) -> ColumnElement[Any]:
        """The cursor of the page's first row in reading order, or of its last."""
        return case((func.count() > 0, cursor_of(self.ends(first=first))), else_=NULL)

    def ends(self, *, first: bool) -> list[ColumnElement[Any]]:
        """The key of the page's first row in reading order, or of its last; NULL where there is none."""
        keys = self.keys()
        # Of a column, which is never NULL: count(*) would count the rows of whichever select it stands in.
        count = func.count(literal_column(f"page.{keys[0][0]}"))
        place = literal_column("1", Integer()) if first else cast(count, Integer())
        found: list[ColumnElement[Any]] = []
        for name, type_ in keys:
            listed = func.array_agg(ordered(literal_column(f"page.{name}", type_), self.reading()))
            found.append(type_coerce(listed, ARRAY(type_))[place])
        return found

    def keys(self) -> list[tuple[str, TypeEngine[Any]]]:
        """Names and types of the key's columns, which the page brings."""
        for index, column in enumerate(self.key):
            self.bring(f"k{index}", column)
        return [(f"k{index}", column.type) for index, column in enumerate(self.key)]

    def reading(self) -> list[ColumnElement[Any]]:
        """By what aggregates put a page taken from the end into reading order; any other is in it.

        All aggregates of one select must agree on their order: PostgreSQL sorts the rows once
        for one that names an order, and the others then see that order too.
        """
        if not self.page.backward:
            return []
        by = [literal_column(f"page.{name}", type_) for name, type_ in self.keys()]
        return [each.desc() if self.descending else each.asc() for each in by]

    def bring(self, name: str, value: ColumnElement[Any]) -> None:
        self.read = True
        self.columns.setdefault(name, value)

    def collect(self, body: ColumnElement[Any]) -> ColumnElement[Any]:
        """All rows' JSON in reading order."""
        name = f"j{len(self.columns)}"
        self.bring(name, body)
        return collected(literal_column(f"page.{name}", JSON_TEXT), self.reading())

    def subquery(self) -> Subquery:
        descending = self.descending != self.page.backward
        by = [column.desc() if descending else column.asc() for column in self.key]
        columns = [value.label(name) for name, value in self.columns.items()]
        return (
            select_over(*columns, rows=[self.row])
            .where(*self.matching, *self.between())
            .order_by(*by)
            .limit(self.compiler.binds.add(self.page.size, Integer()))
            .subquery("page")
        )

    def between(self) -> Criteria:
        """Rows after the cursor ``after`` and before the cursor ``before``, in reading order."""
        bounds = ((self.page.after, False), (self.page.before, True))
        return [
            self.past(self.parts(cursor), reverse=reverse) for cursor, reverse in bounds if cursor is not None
        ]

    def parts(self, cursor: Any) -> list[ColumnElement[Any]]:
        get = getter(cursor)
        return [
            self.compiler.binds.add(_key_part(get, index, self.key), column.type)
            for index, column in enumerate(self.key)
        ]

    def past(self, bound: list[ColumnElement[Any]], *, reverse: bool) -> ColumnElement[bool]:
        """Whether the row comes after ``bound`` in reading order; with ``reverse``, before it."""
        key, end = tuple_(*self.key), tuple_(*bound)
        return key < end if self.descending != reverse else key > end


def _checked_page(page: Page, key: list[ColumnElement[Any]]) -> Getter:
    """The page's size, once its cursors are known to fit, whatever is selected of it."""
    cursors = [getter(each) for each in (page.after, page.before) if each is not None]
    parts = [_key_part(get, index, key) for get in cursors for index in range(len(key))]

    def size(values: Values) -> int:
        for part in parts:
            part(values)
        return int(page.size(values))

    return size


def _key_part(get: Getter, index: int, key: list[ColumnElement[Any]]) -> Getter:
    type_ = key[index].type

    def part(values: Values) -> object:
        return _typed(read_cursor(get(values), len(key))[index], type_)

    return part


def _typed(value: object, type_: TypeEngine[Any]) -> object:
    """One part of a key, of the column's type. Raises ``BadUserInput`` for what it cannot hold."""
    if isinstance(type_, Integer):
        bits = BIG_BITS if isinstance(type_, BigInteger) else INTEGER_BITS
        if type(value) is not int or value.bit_length() >= bits:
            raise _bad_cursor()
        return value
    if not isinstance(value, str):
        raise _bad_cursor()
    if not isinstance(type_, DateTime):
        return value
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (OverflowError, ValueError):
        raise _bad_cursor() from None


def read_cursor(cursor: object, parts: int) -> list[object]:
    """The key of ``parts`` inside a cursor. Raises ``BadUserInput`` for anything else."""
    try:
        key: Any = orjson.loads(base64.b64decode(str(cursor), validate=True))
    except (binascii.Error, ValueError):
        raise _bad_cursor() from None
    if not isinstance(key, list) or len(key) != parts:
        raise _bad_cursor()
    return key


def _bad_cursor() -> BadUserInput:
    return BadUserInput(
        "This cursor is not one of this connection.", {"cursor": "take it from pageInfo or an edge"}
    )


def page_of(arguments: Mapping[str, Any], path: tuple[str, ...]) -> Page:
    """The page asked for: exactly one of ``first`` and ``last``. Raises ``BadUserInput``."""
    first, last = arguments.get("first"), arguments.get("last")
    if (first is None) == (last is None):
        raise BadUserInput(
            "Ask for a page by first or by last, one of them.",
            {".".join(path): f"first or last: 1 to {MAX_PAGE}"},
        )
    size = getter(last if first is None else first)
    return Page(_checked(size, path), first is None, arguments.get("after"), arguments.get("before"))


def _checked(size: Getter, path: tuple[str, ...]) -> Callable[[Values], int]:
    def get(values: Values) -> int:
        value = size(values)
        if not 1 <= value <= MAX_PAGE:
            raise BadUserInput(
                f"A page has 1 to {MAX_PAGE} nodes.", {".".join(path): f"first or last: 1 to {MAX_PAGE}"}
            )
        return int(value)

    return get
