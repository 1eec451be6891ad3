"""Resources: the product's own objects, as far as this service guards them."""

from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import Boolean, ColumnElement, cast
from strawberry.scalars import JSON

from tenantry.access.rules import authenticated
from tenantry.api.members import Member
from tenantry.api.nodes import Node
from tenantry.api.planner.fields import column, expression, graph_type, many, nested, one, planned
from tenantry.api.planner.sources import Actions, Connection, May, Order, Realm, Row, Rows
from tenantry.api.scalars import Permission
from tenantry.api.teams import Team
from tenantry.directory.members.models import Member as MemberRow
from tenantry.directory.resources import models as rows
from tenantry.directory.teams.models import Team as TeamRow

RESOURCES = Connection(
    rows.Resource,
    on=lambda tenant, row, given, _rows: [row.c.tenant_id == tenant.c.id, row.c.type == given["type"]],
    order=Order(lambda row: [row.c.created_at, row.c.node_id], descending=True),
    of_type="type",
)

ARCHIVE = Connection(
    rows.Resource,
    on=lambda _caller, _row, _given, _rows: [],
    order=Order(lambda row: [row.c.created_at, row.c.node_id], descending=True),
    realm=Realm.ARCHIVE,
)


def _text(key: str) -> Any:
    def sql(row: Row, _caller: Row, _rows: Rows) -> ColumnElement[str]:
        return row.c.value[key].astext

    return sql


def _allowed(row: Row, _caller: Row, _rows: Rows) -> ColumnElement[bool]:
    return cast(row.c.value["allowed"].astext, Boolean())


@graph_type(rule=authenticated())
class ResourceAction:
    """Something that can be done with an object; the product does it, once it was allowed here."""

    name: str = expression("As `resourceAct` takes it.", _text("name"))
    permission: Permission = expression("What opens it for every object.", _text("permission"))
    allowed: bool = expression("Whether the caller may, with this object, at this moment.", _allowed)


@graph_type(rule=authenticated())
class ResourceActions:
    """What the caller may do with an object."""

    update: bool = planned(May("update"), "Change it.")
    delete: bool = planned(May("delete"), "Delete it.")


@graph_type(rule=authenticated(), table=rows.Resource)
class Resource(Node):
    """An object of a type that the blueprint names; what the caller may not see is not there."""

    type: str = column("Its type, by the blueprint's name.")
    name: str = column("Name for people.")
    state: str = column("One of its type's states.")
    owner: Member | None = one(
        "Whose it is; null once they have left.",
        MemberRow,
        lambda row, member: [member.c.user_id == row.c.owner_id],
    )
    team: Team | None = one(
        "The team whose it is; null where it is in none that the caller sees.",
        TeamRow,
        lambda row, team: [team.c.id == row.c.team_id],
    )
    attributes: JSON | None = column("As the JSON Schema of its type has them.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it was changed last.")
    actions: list[ResourceAction] = many("What can be done with it.", Actions())
    viewer_can: ResourceActions = nested("What the caller may do with it besides.")


@graph_type(rule=authenticated())
class ArchivedResource:
    """What somebody wrote as personal in a tenant that they have left; nobody else ever sees it."""

    id: strawberry.ID = column("Opaque.", "node_id")
    type: str = column("Its type, by the blueprint's name.")
    name: str = column("Its title.")
    created_at: datetime = column("When it was made.")
    locked_at: datetime | None = column("Since when it is locked; null once its owner has joined a tenant.")
    attributes: JSON | None = column("Its content; null while it is locked.")
