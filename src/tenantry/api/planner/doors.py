"""Which relation stands for a table in each realm: the table, or a view that is a door in the wall."""

from collections.abc import Collection, Mapping

from sqlalchemy import Column, MetaData, Table
from sqlmodel import SQLModel

from tenantry.api.planner.sources import Realm, Row, table_of
from tenantry.directory.blueprints.models import Blueprint
from tenantry.directory.members.models import Member, MemberRole, User
from tenantry.directory.resources.models import Resource
from tenantry.directory.roles.models import Role
from tenantry.directory.tenants.models import Tenant
from tenantry.storage.tenancy import NO_TENANT, TENANT_KEY

_VIEWS = MetaData()


def _view(name: str, model: type[SQLModel], *, hides: Collection[str] = ()) -> Table:
    """A view with the columns of ``model``; it is narrowed by its own definition, so no criterion is due.

    What it ``hides`` at times is NULL then, whatever the table says.
    """
    columns = (
        Column(column.name, column.type, nullable=column.nullable or column.name in hides)
        for column in table_of(model).columns
    )
    return Table(name, _VIEWS, *columns, info={TENANT_KEY: NO_TENANT})


DOORS: Mapping[Realm, Mapping[type[SQLModel], Table]] = {
    Realm.ARCHIVE: {Resource: _view("own_archive", Resource, hides={"attributes"})},
    Realm.OWN: {
        Member: _view("own_member", Member),
        MemberRole: _view("own_member_role", MemberRole),
        Role: _view("own_role", Role),
        Tenant: _view("own_tenant", Tenant),
        User: table_of(User),
        Blueprint: table_of(Blueprint),
    },
    Realm.PLATFORM: {
        Tenant: _view("platform_tenant", Tenant),
        User: _view("platform_user", User),
        Blueprint: table_of(Blueprint),
    },
}


def row_of(model: type[SQLModel], realm: Realm) -> Row | None:
    """A fresh alias of ``model`` in ``realm``; None where the realm has no door to it."""
    if realm is Realm.HERE:
        return table_of(model).alias()
    table = DOORS[realm].get(model)
    return None if table is None else table.alias()
