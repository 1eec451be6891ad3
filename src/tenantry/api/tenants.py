"""Tenants: the wall, and what stands inside it."""

from datetime import datetime

import strawberry

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import authenticated, requires
from tenantry.api import api_keys, audit, connections, invitations, members, resources, webhooks
from tenantry.api.api_keys import ApiKey
from tenantry.api.audit import AuditEvent, AuditFilter
from tenantry.api.blueprints import Blueprint
from tenantry.api.connections import EmailDomain, IdentityProvider
from tenantry.api.enums import InvitationStatus
from tenantry.api.invitations import Invitation
from tenantry.api.members import Member, MemberFilter, MemberOrder
from tenantry.api.nodes import Connection, Node
from tenantry.api.planner.fields import column, connection, graph_type, lookup, one
from tenantry.api.planner.sources import Connection as Pages
from tenantry.api.planner.sources import Order
from tenantry.api.resources import Resource
from tenantry.api.roles import Role
from tenantry.api.teams import READS, TEAMS, Team
from tenantry.api.webhooks import WebhookEndpoint
from tenantry.directory.blueprints.models import Blueprint as BlueprintRow
from tenantry.directory.members.models import Member as MemberRow
from tenantry.directory.resources.models import Resource as ResourceRow
from tenantry.directory.roles.models import Role as RoleRow
from tenantry.directory.teams.models import Team as TeamRow
from tenantry.directory.tenants import models as rows

MEMBERS = Pages(MemberRow, on=members.matching, order=members.order)
ROLES = Pages(
    RoleRow,
    on=lambda tenant, role, _arguments, _rows: [role.c.tenant_id == tenant.c.id],
    order=Order(lambda role: [role.c.position, role.c.node_id]),
)


@graph_type(rule=authenticated(), table=rows.Tenant)
class Tenant(Node):
    """One customer of one product."""

    slug: str = column("Stable name for addresses.")
    name: str = column("Name for people.")
    blueprint: Blueprint = one(
        "What it was made from.",
        BlueprintRow,
        lambda tenant, blueprint: [blueprint.c.key == tenant.c.blueprint],
    )
    plan: str | None = column("The plan it is on.")
    suspended: bool = column("Whether nobody may act in it at present.")
    mfa_required: bool = column("Whether its members act only with a second factor.")
    created_at: datetime = column("When it was made.")
    members: Connection[Member] = connection(
        "Its members.",
        MEMBERS,
        arguments={"filter": MemberFilter | None, "order_by": MemberOrder | None},
        rule=requires(BuiltIn.MEMBER_READ),
    )
    member: Member | None = lookup(
        "One member.",
        MemberRow,
        lambda tenant, member, given: [member.c.tenant_id == tenant.c.id, member.c.node_id == given["id"]],
        arguments={"id": strawberry.ID},
        rule=requires(BuiltIn.MEMBER_READ),
    )
    roles: Connection[Role] = connection("Its roles, in the blueprint's order, its own last.", ROLES)
    invitations: Connection[Invitation] = connection(
        "Its invitations, newest first.",
        invitations.INVITATIONS,
        arguments={"status": InvitationStatus | None},
        rule=requires(BuiltIn.INVITATION_READ),
    )
    teams: Connection[Team] = connection("Its teams that the caller sees, by name.", TEAMS, rule=READS)
    team: Team | None = lookup(
        "One team that the caller sees.",
        TeamRow,
        lambda tenant, team, given: [team.c.tenant_id == tenant.c.id, team.c.node_id == given["id"]],
        arguments={"id": strawberry.ID},
        rule=READS,
    )
    resources: Connection[Resource] = connection(
        "Its objects of one type that the caller may see, newest first.",
        resources.RESOURCES,
        arguments={"type": str},
    )
    resource: Resource | None = lookup(
        "One object that the caller may see.",
        ResourceRow,
        lambda tenant, row, given: [row.c.tenant_id == tenant.c.id, row.c.node_id == given["id"]],
        arguments={"id": strawberry.ID},
    )
    api_keys: Connection[ApiKey] = connection(
        "Its API keys that have not been revoked, newest first.",
        api_keys.KEYS,
        rule=api_keys.READS,
    )
    identity_providers: Connection[IdentityProvider] = connection(
        "The OIDC issuers that it trusts, the oldest first.", connections.PROVIDERS, rule=connections.MANAGES
    )
    email_domains: Connection[EmailDomain] = connection(
        "The domains for which they count, and those that are to be proved.",
        connections.DOMAINS,
        rule=connections.MANAGES,
    )
    webhooks: Connection[WebhookEndpoint] = connection(
        "Where its events are sent, the oldest first.", webhooks.WEBHOOKS, rule=webhooks.MANAGES
    )
    audit_events: Connection[AuditEvent] = connection(
        "Its trail, newest first.",
        audit.EVENTS,
        arguments={"filter": AuditFilter | None},
        rule=requires(BuiltIn.AUDIT_READ),
    )
