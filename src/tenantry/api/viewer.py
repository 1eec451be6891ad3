"""The viewer: who asks, and what they may."""

from typing import Any

import strawberry
from sqlalchemy import JSON, ColumnElement, Text, func, or_
from sqlalchemy import column as sql_column

from tenantry.access.rules import authenticated
from tenantry.api import decisions, members, sessions
from tenantry.api.decisions import CanInput, Decision
from tenantry.api.enums import Scope
from tenantry.api.members import Member
from tenantry.api.nodes import Connection
from tenantry.api.planner.fields import (
    computed,
    connection,
    expression,
    graph_type,
    known,
    many,
    nested,
    one,
)
from tenantry.api.planner.sources import Connection as Pages
from tenantry.api.planner.sources import Many, Order, Realm, Row, Rows, select_over
from tenantry.api.resources import ARCHIVE, ArchivedResource
from tenantry.api.roles import Role
from tenantry.api.scalars import Permission
from tenantry.api.sessions import Session
from tenantry.api.tenants import Tenant
from tenantry.api.users import User
from tenantry.authentication.api_keys.models import ApiKey as ApiKeyRow
from tenantry.authentication.sessions.models import Session as SessionRow
from tenantry.directory.members.models import Member as MemberRow
from tenantry.directory.members.models import MemberRole
from tenantry.directory.members.models import User as UserRow
from tenantry.directory.roles.models import Role as RoleRow
from tenantry.directory.tenants.models import Tenant as TenantRow

SIGNED_IN = authenticated()

MEMBERSHIPS = Pages(
    MemberRow,
    on=lambda caller, member, _arguments, _rows: [member.c.user_id == caller.c.user_id],
    order=Order(lambda member: [members.joined(member), member.c.node_id]),
    realm=Realm.OWN,
    trusted=SIGNED_IN,
)
ROLES = Many(
    RoleRow,
    on=lambda caller, role, held: (
        []
        if held is None
        else [held.c.member_id == caller.c.member_id, members.lasts(held), role.c.id == held.c.role_id]
    ),
    order=lambda role: [role.c.position, role.c.node_id],
    link=MemberRole,
)


def _permissions(_row: Row, caller: Row, of: Rows) -> ColumnElement[Any]:
    held, within_held = of(MemberRole)
    role, within_role = of(RoleRow)
    listed = (
        func.jsonb_array_elements_text(role.c.permissions)
        .table_valued(sql_column("name", Text()))
        .render_derived("listed")
    )
    names = func.coalesce(func.json_agg(func.distinct(listed.c.name)), func.json_build_array(), type_=JSON())
    key, within_key = of(ApiKeyRow)
    own_key = select_over(key.c.id, rows=[key]).where(*within_key, key.c.session_id == caller.c.session_id)
    named = own_key.where(key.c.permissions.has_key(listed.c.name))
    having = [
        held.c.member_id == caller.c.member_id,
        members.lasts(held),
        role.c.id == held.c.role_id,
        or_(~own_key.exists(), named.exists()),
    ]
    return (
        select_over(names, rows=[held, role, listed])
        .where(*within_held, *within_role, *having)
        .scalar_subquery()
    )


@graph_type(rule=SIGNED_IN)
class Authority:
    """In which tenant the caller acts, and at which version of their rights."""

    tenant_id: strawberry.ID | None = known(
        "The tenant; null for a platform token.",
        lambda authority: None if authority.scope is Scope.SYSTEM else authority.tenant,
    )
    version: str = known("Changes whenever the caller's rights do.", lambda authority: authority.version)


@graph_type(rule=SIGNED_IN)
class Viewer:
    """Who asks: the person, the membership they act as, and what they may."""

    user: User = one("The person.", UserRow, lambda caller, user: [user.c.id == caller.c.user_id])
    member: Member | None = one(
        "The membership they act as.",
        MemberRow,
        lambda caller, member: [member.c.id == caller.c.member_id],
        trusted=SIGNED_IN,
    )
    tenant: Tenant | None = one(
        "The tenant they act in; the platform for a platform token.",
        TenantRow,
        lambda caller, tenant: [tenant.c.id == caller.c.tenant_id],
    )
    scope: Scope = known("Of the token.", lambda authority: authority.scope)
    roles: list[Role] = many("The roles they hold here.", ROLES)
    permissions: list[Permission] = expression(
        "What those roles list, in the blueprint's spelling; of that what an API key names.", _permissions
    )
    can: Decision = computed(
        "Whether the caller may do something; with `on`, to one object of the tenant.",
        decisions.can,
        arguments={"permission": Permission, "on": strawberry.ID | None},
        names=decisions.of_one,
    )
    can_all: list[Decision] = computed(
        f"Several of these at once, in order; at most {decisions.MOST}.",
        decisions.can_all,
        arguments={"checks": list[CanInput]},
        names=decisions.of_all,
    )
    session: Session | None = one(
        "The session of this request; null for an API key.",
        SessionRow,
        lambda caller, session: [session.c.id == caller.c.session_id, session.c.is_key.is_(False)],
    )
    sessions: Connection[Session] = connection(
        "Where else they are signed in, in this tenant.", sessions.SESSIONS
    )
    memberships: Connection[Member] = connection("Every tenant they belong to.", MEMBERSHIPS)
    archive: Connection[ArchivedResource] = connection(
        "What they wrote as personal in tenants that they have left, newest first.", ARCHIVE
    )
    authority: Authority = nested("What a client compares to learn that rights have changed.")
