"""Blueprints: what a tenant is made from."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import JSON, ColumnElement, func
from sqlalchemy import column as sql_column
from sqlalchemy.dialects.postgresql import JSONB

from tenantry.access.rules import authenticated
from tenantry.api.enums import Scope
from tenantry.api.planner.fields import column, expression, graph_type, many
from tenantry.api.planner.sources import Elements, Row, Rows, select_over
from tenantry.api.scalars import Permission


def _member(key: str) -> Callable[[Row, Row, Rows], ColumnElement[Any]]:
    """A member of the JSON object in the row, as JSON."""
    return lambda row, _caller, _rows: row.c.value[key]


def _part(key: str) -> Elements:
    return Elements(lambda row: row.c.body[key])


def _types(row: Row, _caller: Row, _rows: Rows) -> ColumnElement[Any]:
    kinds = (
        func.jsonb_array_elements(row.c.body["resources"])
        .table_valued(sql_column("value", JSONB()))
        .render_derived("kinds")
    )
    names = func.json_agg(kinds.c.value["type"].astext)
    listed = func.coalesce(names, func.json_build_array(), type_=JSON())
    return select_over(listed, rows=[kinds]).scalar_subquery()


@graph_type(rule=authenticated())
class PermissionInfo:
    """A permission of a blueprint."""

    name: Permission = expression("As the blueprint spells it.", _member("name"))
    group: str | None = expression("The heading it stands under.", _member("group"))
    description: str | None = expression("What it allows.", _member("description"))
    covers: list[Permission] = expression(
        "The service's own permissions that come with it.", _member("covers")
    )


@graph_type(rule=authenticated())
class RoleInfo:
    """A locked role of a blueprint."""

    key: str = expression("Stable name for programs.", _member("key"))
    name: str = expression("Name for people.", _member("title"))
    scope: Scope = expression("Where the role applies.", _member("scope"))
    permissions: list[Permission] = expression("What it lists.", _member("permissions"))


@graph_type(rule=authenticated())
class Blueprint:
    """What a tenant is made from: permissions, locked roles and rules of one product."""

    key: str = column("Stable name for programs.")
    name: str = column("Name for people.", "title")
    permissions: list[PermissionInfo] = many("The catalogue, in the order of the file.", _part("permissions"))
    roles: list[RoleInfo] = many("The locked roles, in the order of the file.", _part("roles"))
    resource_types: list[str] = expression("Types of the objects that the product guards.", _types)
