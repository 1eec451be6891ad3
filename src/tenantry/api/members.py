"""Members: people in one tenant."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Text, and_, any_, cast, exists, func, literal, or_
from sqlalchemy import column as sql_column
from sqlalchemy.dialects.postgresql import ARRAY, array

from tenantry.access.grants import WHEN
from tenantry.access.permissions import WILDCARD, BuiltIn
from tenantry.access.rules import authenticated, requires
from tenantry.api.enums import Direction, MemberOrderField, MemberStatus
from tenantry.api.nodes import Node
from tenantry.api.planner.fields import column, expression, graph_type, many, nested, one
from tenantry.api.planner.sources import Arguments, Criteria, Many, Order, Row, Rows, select_over
from tenantry.api.roles import Role
from tenantry.api.users import User
from tenantry.directory.members import models as rows
from tenantry.directory.roles.models import Role as RoleRow
from tenantry.directory.teams.models import Team as TeamRow
from tenantry.directory.teams.models import TeamMember
from tenantry.directory.tenants.models import Tenant as TenantRow

if TYPE_CHECKING:
    from tenantry.api.teams import Team
    from tenantry.api.tenants import Tenant


@strawberry.input(description="Narrows a list of members; all that is given must hold.")
class MemberFilter:
    """``search`` looks in address and name, without regard to case."""

    search: str | None = strawberry.UNSET
    status: MemberStatus | None = strawberry.UNSET
    role_id: strawberry.ID | None = strawberry.UNSET
    team_id: strawberry.ID | None = strawberry.UNSET


@strawberry.input(description="How a list of members runs.")
class MemberOrder:
    """By default by address, ascending."""

    field: MemberOrderField
    direction: Direction = Direction.ASC


ROLES = Many(
    RoleRow,
    on=lambda member, role, held: [
        _linked(held).c.member_id == member.c.id,
        _linked(held).c.role_id == role.c.id,
        _linked(held).c.tenant_id == role.c.tenant_id,
        _linked(held).c.tenant_id == member.c.tenant_id,
        lasts(_linked(held)),
    ],
    order=lambda role: [role.c.position, role.c.node_id],
    link=rows.MemberRole,
    shared=True,
)
ASSIGNMENTS = Many(
    rows.MemberRole,
    on=lambda member, held, _: [
        held.c.tenant_id == member.c.tenant_id,
        held.c.member_id == member.c.id,
        lasts(held),
    ],
    order=lambda held: [held.c.id],
)

TEAMS = Many(
    TeamRow,
    on=lambda member, team, place: [
        _linked(place).c.member_id == member.c.id,
        team.c.id == _linked(place).c.team_id,
    ],
    order=lambda team: [team.c.name, team.c.node_id],
    link=TeamMember,
)


def lasts(held: Row) -> ColumnElement[bool]:
    """Whether a role is still held, at the database's clock."""
    return or_(held.c.expires_at.is_(None), held.c.expires_at > func.now())


def _linked(link: Row | None) -> Row:
    if link is None:
        raise TypeError("this edge goes through a joining table")
    return link


def _may(permission: BuiltIn) -> Callable[[Row, Row, Rows], ColumnElement[bool]]:
    """SQL of ``viewerCan``: the caller holds ``permission``, and no less than the member does."""

    def sql(row: Row, caller: Row, of: Rows) -> ColumnElement[bool]:
        mine, within_mine = of(rows.MemberRole)
        my_role, within_role = of(RoleRow)
        my_roles = [
            *within_mine,
            *within_role,
            mine.c.member_id == caller.c.member_id,
            lasts(mine),
            my_role.c.id == mine.c.role_id,
        ]
        holds = my_role.c.effective.overlap(cast(array([str(permission), WILDCARD]), ARRAY(Text())))
        allowed = exists(select_over(literal(1), rows=[mine, my_role]).where(*my_roles, holds))
        return and_(allowed, ~_exceeds(row, caller, of))

    return sql


def _exceeds(row: Row, caller: Row, of: Rows) -> ColumnElement[bool]:
    """Whether the member holds a permission that the caller lacks."""
    theirs, within_theirs = of(rows.MemberRole)
    their_role, within_role = of(RoleRow)
    mine, within_mine = of(rows.MemberRole)
    my_role, within_my_role = of(RoleRow)
    wanted = (
        func.unnest(func.array_cat(their_role.c.effective, their_role.c.conditional))
        .table_valued(sql_column("permission", Text()))
        .render_derived("wanted")
    )
    covered = exists(
        select_over(literal(1), rows=[mine, my_role]).where(
            *within_mine,
            *within_my_role,
            mine.c.member_id == caller.c.member_id,
            lasts(mine),
            my_role.c.id == mine.c.role_id,
            or_(
                func.split_part(wanted.c.permission, WHEN, 1)
                == any_(cast(my_role.c.effective, ARRAY(Text()))),
                wanted.c.permission == any_(cast(my_role.c.conditional, ARRAY(Text()))),
                my_role.c.effective.contains(cast(array([WILDCARD]), ARRAY(Text()))),
            ),
        )
    )
    return exists(
        select_over(literal(1), rows=[theirs, their_role, wanted]).where(
            *within_theirs,
            *within_role,
            theirs.c.member_id == row.c.id,
            lasts(theirs),
            their_role.c.id == theirs.c.role_id,
            ~covered,
        )
    )


def matching(tenant: Row, member: Row, arguments: Arguments, of: Rows) -> Criteria:
    """Members of the tenant that the filter lets through."""
    criteria: Criteria = [member.c.tenant_id == tenant.c.id]
    wanted: Mapping[str, Any] = arguments.get("filter") or {}
    if (search := wanted.get("search")) is not None:
        found = func.strpos(member.c.email, func.lower(search)) > 0
        criteria.append(or_(found, func.strpos(func.lower(member.c.name), func.lower(search)) > 0))
    if (status := wanted.get("status")) is not None:
        criteria.append(member.c.status == str(getattr(status, "value", status)))
    if (role_id := wanted.get("roleId")) is not None:
        held, within_held = of(rows.MemberRole)
        role, within_role = of(RoleRow)
        within = [*within_held, *within_role, lasts(held)]
        having = [held.c.member_id == member.c.id, role.c.id == held.c.role_id, role.c.node_id == role_id]
        criteria.append(exists(select_over(literal(1), rows=[held, role]).where(*within, *having)))
    if (team_id := wanted.get("teamId")) is not None:
        place, within_place = of(TeamMember)
        team, within_team = of(TeamRow)
        within = [*within_place, *within_team]
        having = [place.c.member_id == member.c.id, team.c.id == place.c.team_id, team.c.node_id == team_id]
        criteria.append(exists(select_over(literal(1), rows=[place, team]).where(*within, *having)))
    return criteria


def order(arguments: Arguments) -> Order:
    """The order asked for; NULLs come first, as the smallest."""
    asked: Mapping[str, Any] = arguments.get("orderBy") or {}
    field = MemberOrderField(asked.get("field", MemberOrderField.EMAIL))
    descending = Direction(asked.get("direction", Direction.ASC)) is Direction.DESC
    match field:
        case MemberOrderField.EMAIL:
            return Order(lambda member: [member.c.email], descending)
        case MemberOrderField.NAME:
            return Order(
                lambda member: [func.coalesce(member.c.name, "", type_=Text()), member.c.node_id], descending
            )
        case MemberOrderField.JOINED_AT:
            return Order(lambda member: [joined(member), member.c.node_id], descending)


def joined(member: Row) -> ColumnElement[datetime]:
    """When they joined; the epoch for who has not yet, since keys for paging are never NULL."""
    column_ = member.c.joined_at
    return func.coalesce(column_, func.to_timestamp(0), type_=column_.type)


@graph_type(rule=requires(BuiltIn.MEMBER_READ))
class MemberActions:
    """What the caller may do with a member; the last owner is protected besides."""

    set_roles: bool = expression("Change the member's roles.", _may(BuiltIn.ROLE_ASSIGN))
    suspend: bool = expression("Suspend or reactivate the member.", _may(BuiltIn.MEMBER_SUSPEND))
    remove: bool = expression("Remove the member.", _may(BuiltIn.MEMBER_REMOVE))


@graph_type(rule=authenticated(), table=rows.MemberRole)
class RoleAssignment:
    """A role as one member holds it."""

    role: Role = one(
        "The role.",
        RoleRow,
        lambda held, role: [role.c.tenant_id == held.c.tenant_id, role.c.id == held.c.role_id],
    )
    expires_at: datetime | None = column("Until when it is held; null for good.")


@graph_type(rule=requires(BuiltIn.MEMBER_READ), table=rows.Member)
class Member(Node):
    """A person in one tenant."""

    tenant: Annotated["Tenant", strawberry.lazy("tenantry.api.tenants")] = one(
        "The tenant.", TenantRow, lambda member, tenant: [tenant.c.id == member.c.tenant_id]
    )
    user: User | None = one(
        "The person; null until they first sign in.",
        rows.User,
        lambda member, user: [user.c.id == member.c.user_id],
    )
    email: str = column("The address the person was asked in by, lower-case.")
    name: str | None = column("The person's name in this tenant.")
    status: MemberStatus = column("Only ACTIVE members may act.")
    is_owner: bool = column("Whether the member owns the tenant.")
    roles: list[Role] = many("The member's roles, in the blueprint's order.", ROLES)
    role_assignments: list[RoleAssignment] = many("The same roles, and until when each is held.", ASSIGNMENTS)
    teams: list[Annotated["Team", strawberry.lazy("tenantry.api.teams")]] = many(
        "The teams they are in, of those that the caller sees.", TEAMS
    )
    joined_at: datetime | None = column("When the person first signed in here.")
    last_seen_at: datetime | None = column("When the person last asked for something, to the half minute.")
    expires_at: datetime | None = column("Until when they belong here and may act; null for good.")
    extension: str | None = column("The telephone extension, where the product has one.")
    viewer_can: MemberActions = nested("What the caller may do with this member.")
