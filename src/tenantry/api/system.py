"""The platform's own view: tenants, people, blueprints."""

import strawberry
from sqlalchemy import func, or_, true

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import requires
from tenantry.api.blueprints import Blueprint
from tenantry.api.nodes import Connection
from tenantry.api.planner.fields import connection, graph_type, many, planned
from tenantry.api.planner.sources import Arguments, Criteria, Crossing, Many, Order, Realm, Row, Rows
from tenantry.api.planner.sources import Connection as Pages
from tenantry.api.tenants import Tenant
from tenantry.api.users import User
from tenantry.directory.blueprints.models import Blueprint as BlueprintRow
from tenantry.directory.members.models import User as UserRow
from tenantry.directory.tenants.models import Tenant as TenantRow


def _tenants(_caller: Row, tenant: Row, arguments: Arguments, _of: Rows) -> Criteria:
    if (search := arguments.get("search")) is None:
        return []
    return [
        or_(
            func.strpos(func.lower(tenant.c.name), func.lower(search)) > 0,
            tenant.c.slug == func.lower(search),
        )
    ]


def _users(_caller: Row, user: Row, arguments: Arguments, _of: Rows) -> Criteria:
    if (search := arguments.get("search")) is None:
        return []
    return [func.strpos(user.c.email, func.lower(search)) > 0]


@graph_type(rule=requires(BuiltIn.TENANT_READ))
class System:
    """What platform tokens see. One tenant's inside is seen through `tenant(id:)` only."""

    tenants: Connection[Tenant] = connection(
        "All tenants, by name.",
        Pages(TenantRow, _tenants, Order(lambda tenant: [tenant.c.name, tenant.c.node_id]), Realm.PLATFORM),
        arguments={"search": str | None},
        rule=requires(BuiltIn.TENANT_READ),
    )
    tenant: Tenant | None = planned(
        Crossing(),
        "One tenant, inside and all; recorded in that tenant's trail.",
        rule=requires(BuiltIn.TENANT_READ),
        arguments={"id": strawberry.ID},
    )
    users: Connection[User] = connection(
        "All people, by address.",
        Pages(UserRow, _users, Order(lambda user: [user.c.email]), Realm.PLATFORM),
        arguments={"search": str | None},
        rule=requires(BuiltIn.USER_READ_ALL),
    )
    blueprints: list[Blueprint] = many(
        "All blueprints.",
        Many(
            BlueprintRow,
            on=lambda _caller, _blueprint, _link: [true()],
            order=lambda blueprint: [blueprint.c.key],
        ),
        rule=requires(BuiltIn.BLUEPRINT_READ),
    )
