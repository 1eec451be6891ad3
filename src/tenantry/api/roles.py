"""Roles: what they are, and a tenant's own."""

from sqlalchemy import ColumnElement, func, or_

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import authenticated, requires
from tenantry.api.enums import Scope
from tenantry.api.nodes import Node
from tenantry.api.planner.fields import column, expression, graph_type
from tenantry.api.planner.sources import Row, Rows, select_over
from tenantry.api.scalars import Permission
from tenantry.directory.members import models as members
from tenantry.directory.roles import models as rows


def _member_count(row: Row, _caller: Row, of: Rows) -> ColumnElement[int]:
    held, within = of(members.MemberRole)
    lasts = or_(held.c.expires_at.is_(None), held.c.expires_at > func.now())
    counted = select_over(func.count(), rows=[held]).where(*within, held.c.role_id == row.c.id, lasts)
    return counted.scalar_subquery()


@graph_type(rule=authenticated(), table=rows.Role)
class Role(Node):
    """A named set of permissions. Locked ones come from the blueprint."""

    key: str = column("Stable name for programs, unique in its scope.")
    name: str = column("Name for people.")
    description: str | None = column("What the role is for.")
    scope: Scope = column("Where the role applies.")
    is_locked: bool = column("Whether it comes from the blueprint and cannot be changed here.")
    permissions: list[Permission] = column("What the role lists, in the blueprint's spelling and order.")
    member_count: int | None = expression(
        "How many members hold it.", _member_count, rule=requires(BuiltIn.MEMBER_READ)
    )
