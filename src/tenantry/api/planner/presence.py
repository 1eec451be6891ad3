"""What is asked about in the caller's tenant, by node id: whether it is there, and what decides of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Select, Text, any_, func, null, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlmodel import SQLModel

from tenantry.access.catalogue import Catalogue
from tenantry.access.explanations import RoleGrants
from tenantry.api.planner.arguments import Binds, Values
from tenantry.api.planner.plans import Statement, caller_from_request, getters_of
from tenantry.api.planner.sources import Named, Row, select_over, table_of
from tenantry.audit.models import AuditRecord
from tenantry.authentication.api_keys.models import ApiKey
from tenantry.authentication.connections.models import Connection, EmailDomain
from tenantry.authentication.sessions.models import Session
from tenantry.directory.blueprints.models import Blueprint
from tenantry.directory.blueprints.service import catalogue
from tenantry.directory.invitations.models import Invitation
from tenantry.directory.members.models import Member, MemberRole, User
from tenantry.directory.resources.models import Resource
from tenantry.directory.roles.models import Role
from tenantry.directory.teams.models import Team, TeamMember
from tenantry.directory.tenants.models import Tenant
from tenantry.directory.webhooks.models import WebhookDelivery, WebhookEndpoint
from tenantry.kernel.errors import Unauthenticated
from tenantry.kernel.ids import NodePrefix
from tenantry.kernel.principal import Authority
from tenantry.storage.database import Database
from tenantry.storage.statements import compile_statement
from tenantry.storage.tenancy import tenant_column

TABLES: dict[str, type[SQLModel]] = {
    NodePrefix.API_KEY: ApiKey,
    NodePrefix.AUDIT_EVENT: AuditRecord,
    NodePrefix.EMAIL_DOMAIN: EmailDomain,
    NodePrefix.IDENTITY_PROVIDER: Connection,
    NodePrefix.INVITATION: Invitation,
    NodePrefix.MEMBER: Member,
    NodePrefix.RESOURCE: Resource,
    NodePrefix.ROLE: Role,
    NodePrefix.SESSION: Session,
    NodePrefix.TEAM: Team,
    NodePrefix.TENANT: Tenant,
    NodePrefix.WEBHOOK_DELIVERY: WebhookDelivery,
    NodePrefix.WEBHOOK_ENDPOINT: WebhookEndpoint,
}


FACTS: Mapping[str, tuple[str, ...]] = {
    NodePrefix.RESOURCE: ("type", "state", "owner_id", "team_id", "attributes", "is_personal"),
    NodePrefix.TEAM: ("id",),
}
"""What conditions see of the objects that are looked at one by one."""
STATEMENTS = 256
"""How many are kept: one for each set of types that is asked about together."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A resource as conditions look at it."""

    type: str
    state: str
    owner_id: UUID | None
    team_id: UUID | None
    attributes: Mapping[str, Any]
    is_personal: bool


class SeenTeam(NamedTuple):
    """A team as conditions look at it."""

    id: UUID


class Standing(NamedTuple):
    """A member as another member asks about them."""

    member: str
    user: str | None
    user_id: UUID | None
    status: str
    email: str
    is_owner: bool
    roles: Sequence[str]
    """Node ids."""
    teams: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Found:
    """What of it all is in the tenant; of what nobody looks at one by one, that it is there."""

    objects: Mapping[str, Seen | SeenTeam | None] = field(default_factory=dict[str, "Seen | SeenTeam | None"])
    teams: frozenset[UUID] = frozenset()
    """Those that the caller is in, where objects were asked for."""
    members: Mapping[str, Standing] = field(default_factory=dict[str, Standing])
    """By the node id of the member, and of their person."""
    roles: Sequence[RoleGrants] = ()
    """Of the tenant, in order; where members were asked for."""
    catalogue: Catalogue = field(default_factory=Catalogue)


async def find(database: Database, authority: Authority, named: Named) -> Found:
    """Look all of it up, by one statement, in the caller's tenant alone. Raises ``Unauthenticated``."""
    letters = frozenset(prefix for each in named.objects if (prefix := each.partition("_")[0]) in TABLES)
    if not letters and not named.members:
        return Found()
    statement = _statement(letters, members=bool(named.members))
    values = Values(authority, {"objects": sorted(named.objects), "members": sorted(named.members)})
    row = await database.fetch(statement.sql, statement.arguments(values))
    if row is None:
        raise Unauthenticated("REVOKED", "The session has ended or its rights have changed.")
    *lists, teams, members, roles, permissions = orjson.loads(row[0])
    return Found(
        {each[0]: _seen(*each) for listed in lists for each in listed or ()},
        _keys(teams),
        {each: standing for standing in map(_standing, members or ()) for each in standing[:2] if each},
        list(map(_role, roles or ())),
        catalogue({"permissions": permissions or ()}),
    )


def _seen(node_id: str, *facts: Any) -> Seen | SeenTeam | None:
    match node_id[0]:
        case NodePrefix.RESOURCE:
            type_, state, owner, team, attributes, personal = facts
            return Seen(type_, state, _key(owner), _key(team), attributes, personal)
        case NodePrefix.TEAM:
            return SeenTeam(UUID(facts[0]))
        case _:
            return None


def _standing(facts: Sequence[Any]) -> Standing:
    member, user, user_id, status, email, is_owner, roles, teams = facts
    return Standing(member, user, _key(user_id), status, email, is_owner, roles, _keys(teams))


def _key(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _keys(texts: Sequence[str] | None) -> frozenset[UUID]:
    return frozenset(map(UUID, texts or ()))


def _role(facts: Sequence[Any]) -> RoleGrants:
    node_id, key, listed, effective, conditional = facts
    return RoleGrants(node_id, key, listed, frozenset(effective), conditional)


# --- the statement --------------------------------------------------------------------------------


@lru_cache(maxsize=STATEMENTS)
def _statement(letters: frozenset[str], *, members: bool) -> Statement:
    binds = Binds()
    caller = caller_from_request(binds)
    parts = [_objects(binds, caller, letter) for letter in sorted(letters)]
    parts.append(_teams(caller, caller.c.member_id) if letters else _NOTHING)
    parts += [_members(binds, caller), _roles(caller), _permissions(caller)] if members else [_NOTHING] * 3
    made: Select[Any] = select(func.json_build_array(*parts)).select_from(caller)
    compiled = compile_statement(made, tenant=caller.c.tenant_id)
    return Statement(compiled.sql, getters_of(compiled, binds))


_NOTHING: ColumnElement[Any] = null()


def _rows(table: type[SQLModel], caller: Row) -> tuple[Row, ColumnElement[bool]]:
    row: Any = table_of(table).alias()
    inside = tenant_column(row)
    if inside is None:
        raise TypeError(f"{table.__name__} belongs to no tenant")
    return row, inside == caller.c.tenant_id


def _listed(*columns: Any, row: Row, order: Sequence[ColumnElement[Any]] = ()) -> Select[Any]:
    each: Any = func.json_build_array(*columns)
    return select_over(func.json_agg(aggregate_order_by(each, *order) if order else each), rows=[row])


def _among(column: ColumnElement[Any], binds: Binds, name: str) -> ColumnElement[bool]:
    return column == any_(binds.add(lambda values: values.variables[name], ARRAY(Text())))


def _objects(binds: Binds, caller: Row, letter: str) -> ColumnElement[Any]:
    row, within = _rows(TABLES[letter], caller)
    facts = FACTS.get(letter, ())
    listed = _listed(row.c.node_id, *(row.c[name] for name in facts), row=row)
    return listed.where(within, _among(row.c.node_id, binds, "objects")).scalar_subquery()


def _members(binds: Binds, caller: Row) -> ColumnElement[Any]:
    row, within = _rows(Member, caller)
    user: Any = table_of(User).alias()
    node = select_over(user.c.node_id, rows=[user]).where(user.c.id == row.c.user_id).scalar_subquery()
    named = select_over(user.c.id, rows=[user]).where(_among(user.c.node_id, binds, "members"))
    columns = [
        row.c.node_id,
        node,
        row.c.user_id,
        row.c.status,
        row.c.email,
        row.c.is_owner,
        _held(row, caller),
        _teams(caller, row.c.id),
    ]
    asked = or_(_among(row.c.node_id, binds, "members"), row.c.user_id.in_(named))
    return _listed(*columns, row=row).where(within, asked).scalar_subquery()


def _teams(caller: Row, member_id: ColumnElement[Any]) -> ColumnElement[Any]:
    place, within = _rows(TeamMember, caller)
    keys = select_over(func.json_agg(place.c.team_id), rows=[place])
    return keys.where(within, place.c.member_id == member_id).scalar_subquery()


def _held(member: Row, caller: Row) -> ColumnElement[Any]:
    held, within_held = _rows(MemberRole, caller)
    role, within_role = _rows(Role, caller)
    nodes = func.json_agg(role.c.node_id)
    having = [held.c.member_id == member.c.id, role.c.id == held.c.role_id]
    listed = select_over(nodes, rows=[held, role]).where(within_held, within_role, *having)
    return func.coalesce(listed.scalar_subquery(), func.json_build_array())


def _roles(caller: Row) -> ColumnElement[Any]:
    role, within = _rows(Role, caller)
    columns = [role.c.node_id, role.c.key, role.c.permissions, role.c.effective, role.c.conditional]
    order = [role.c.position, role.c.node_id]
    return _listed(*columns, row=role, order=order).where(within).scalar_subquery()


def _permissions(caller: Row) -> ColumnElement[Any]:
    tenant, within = _rows(Tenant, caller)
    blueprint: Any = table_of(Blueprint).alias()
    found = select_over(blueprint.c.body["permissions"], rows=[tenant, blueprint])
    return found.where(within, blueprint.c.key == tenant.c.blueprint).scalar_subquery()
