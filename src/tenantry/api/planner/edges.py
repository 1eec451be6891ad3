"""The SQL of one field by the kind of its source: columns, edges, and what Python fills in."""
# graphql-core's own union types leave out the parameter of GraphQLList, and its parts are unknown with it.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type
from sqlalchemy import CTE, ColumnElement, Text, any_, cast, column, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from tenantry.api.planner import pages, reach
from tenantry.api.planner.arguments import Values, getter, letter
from tenantry.api.planner.findings import Asked, Here, Hole
from tenantry.api.planner.objects import JSON_TEXT, NULL, collected
from tenantry.api.planner.registry import table_for
from tenantry.api.planner.sources import (
    Actions,
    AnyNode,
    Column,
    Computed,
    Connection,
    Criteria,
    Crossing,
    Elements,
    Expression,
    Found,
    Known,
    Left,
    Many,
    May,
    Nested,
    One,
    Row,
    TheCaller,
    select_over,
)
from tenantry.kernel.errors import BadUserInput

if TYPE_CHECKING:
    from tenantry.api.planner.compiler import Compiler


def _column(_compiler: "Compiler", source: Column, asked: Asked, here: Here) -> ColumnElement[Any]:
    return here.row.c[source.name or asked.name]


def _expression(compiler: "Compiler", source: Expression, _: Asked, here: Here) -> ColumnElement[Any]:
    return source.sql(here.row, compiler.the_caller, lambda table: compiler.rows(table, here))


def _known(compiler: "Compiler", source: Known, _: Asked, _here: Here) -> ColumnElement[Any]:
    """A value known in Python, as JSON."""

    def printed(values: Values) -> str:
        if values.authority is None:
            raise RuntimeError("a field known from the authority needs one")
        return orjson.dumps(source.value(values.authority)).decode()

    return cast(compiler.binds.add(printed, Text()), JSON_TEXT)


def _same_row(compiler: "Compiler", _: Nested | TheCaller, asked: Asked, here: Here) -> ColumnElement[Any]:
    return compiler.object(asked.target, asked.details, here)


def _elements(compiler: "Compiler", source: Elements, asked: Asked, here: Here) -> ColumnElement[Any]:
    row = (
        func.jsonb_array_elements(source.array(here.row))
        .table_valued(column("value", JSONB()))
        .render_derived()
    )
    body = compiler.object(asked.target, asked.details, here.on(row, trusted=here.ambient, repeated=True))
    return select_over(collected(body), rows=[row]).scalar_subquery()


def _one(compiler: "Compiler", source: One, asked: Asked, here: Here) -> ColumnElement[Any]:
    row, within = compiler.rows(source.table, here)
    taken = compiler.arguments(asked.definition, asked.details)
    arguments = {
        name: compiler.binds.sql(value, asked.definition.args[name].type) for name, value in taken.items()
    }
    body = compiler.object(asked.target, asked.details, here.on(row, trusted=source.trusted))
    if source.lookup and not here.repeated:
        compiler.findings.lookups.append(here.path)
    return (
        select_over(body, rows=[row]).where(*within, *source.on(here.row, row, arguments)).scalar_subquery()
    )


def _many(compiler: "Compiler", source: Many, asked: Asked, here: Here) -> ColumnElement[Any]:
    row, within = compiler.rows(source.table, here)
    below = here.on(row, trusted=source.trusted, repeated=True)
    body = compiler.object(asked.target, asked.details, below)
    order = source.order(row)
    if source.shared and here.shelf is not None:
        row, body, order = _shelved(here.shelf, row, within, body, order)
        within = []
    origin: list[Row] = [row]
    link: Row | None = None
    if source.link is not None:
        link, more = compiler.rows(source.link, here)
        within = [*more, *within]
        origin = [link, row]
    rows = collected(body, order)
    return select_over(rows, rows=origin).where(*within, *source.on(here.row, row, link)).scalar_subquery()


def _shelved(
    shelf: list[CTE], row: Row, within: Criteria, body: ColumnElement[Any], order: list[ColumnElement[Any]]
) -> tuple[Row, ColumnElement[Any], list[ColumnElement[Any]]]:
    """All the tenant's rows with their JSON, in a WITH of the page around: as JSON they are dear."""
    places = [place.label(f"o{index}") for index, place in enumerate(order)]
    columns = [row.c.tenant_id, row.c.id, body.label("body"), *places]
    made = select_over(*columns, rows=[row]).where(*within).cte(nesting=True)
    known = made.prefix_with("MATERIALIZED")
    shelf.append(known)
    return known, known.c.body, [known.c[place.name] for place in places]


def _any_node(compiler: "Compiler", _: AnyNode, asked: Asked, here: Here) -> ColumnElement[Any]:
    node_id = compiler.arguments(asked.definition, asked.details)["id"]
    get = getter(node_id)
    name = compiler.registry.nodes.get(_letter(compiler, node_id))
    interface = get_named_type(asked.definition.type)
    if name is None or not isinstance(interface, GraphQLInterfaceType):
        compiler.findings.lookups.append(here.path)
        return NULL
    type_ = compiler.schema.type_map[name]
    if not isinstance(type_, GraphQLObjectType):
        raise TypeError(f"{name} is no object type")
    row, within = compiler.rows(table_for(compiler.registry, name), here)
    visible = compiler.registry.types[name].visible
    criteria = [*within, row.c.node_id == compiler.binds.add(get, Text())]
    if visible is not None:
        criteria += visible(row, compiler.the_caller, lambda table: compiler.rows(table, here))
    body = compiler.object(type_, asked.details, here.on(row))
    compiler.findings.lookups.append(here.path)
    return select_over(body, rows=[row]).where(*criteria).scalar_subquery()


def _letter(compiler: "Compiler", node_id: Any) -> str:
    return letter(getter(node_id)(Values(None, compiler.sample)))


def _found(compiler: "Compiler", source: Found, asked: Asked, here: Here) -> ColumnElement[Any]:
    row, within = compiler.rows(source.table, here)
    many = source.order is not None
    left = compiler.binds.add(lambda values: values.payload[asked.name], ARRAY(Text()) if many else Text())
    below = here.on(row, trusted=source.trusted, repeated=many)
    body = compiler.object(asked.target, asked.details, below)
    if source.order is not None:
        within = [*within, row.c.node_id == any_(left)]
        return select_over(collected(body, source.order(row)), rows=[row]).where(*within).scalar_subquery()
    return select_over(body, rows=[row]).where(*within, row.c.node_id == left).scalar_subquery()


def _left(compiler: "Compiler", _: Left, asked: Asked, here: Here) -> ColumnElement[Any]:
    left = compiler.binds.add(lambda values: orjson.dumps(values.payload[asked.name]).decode(), Text())
    return _elements(compiler, Elements(lambda _row: cast(left, JSONB())), asked, here)


def _actions(compiler: "Compiler", _: Actions, asked: Asked, here: Here) -> ColumnElement[Any]:
    return _elements(compiler, Elements(lambda row: reach.actions(compiler, row, here)), asked, here)


def _may(compiler: "Compiler", source: May, _: Asked, here: Here) -> ColumnElement[Any]:
    return reach.may(compiler, source.verb, here.row, here)


def _hole(compiler: "Compiler", source: Computed | Crossing, asked: Asked, here: Here) -> ColumnElement[Any]:
    if here.repeated:
        raise BadUserInput("This field cannot be asked for inside a list.")
    arguments = compiler.arguments(asked.definition, asked.details)
    compiler.findings.holes.append(Hole(here.path, source, arguments, asked.details, asked.definition.type))
    return NULL


MADE_BY: Mapping[type, Callable[["Compiler", Any, Asked, Here], ColumnElement[Any]]] = {
    Actions: _actions,
    AnyNode: _any_node,
    Column: _column,
    Computed: _hole,
    Connection: pages.connection,
    Crossing: _hole,
    Elements: _elements,
    Expression: _expression,
    Found: _found,
    Left: _left,
    Known: _known,
    Many: _many,
    May: _may,
    Nested: _same_row,
    One: _one,
    TheCaller: _same_row,
}
"""By the kind of source; a mutation's own kinds have no place in a statement."""
