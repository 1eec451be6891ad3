"""Invitations: who has been asked in, and how it stands."""

from datetime import datetime

from sqlalchemy import ColumnElement, Text, and_, case, func, literal

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import requires
from tenantry.api.enums import InvitationStatus
from tenantry.api.members import Member
from tenantry.api.nodes import Node
from tenantry.api.planner.fields import column, expression, graph_type, many, one
from tenantry.api.planner.sources import Arguments, Connection, Criteria, Many, Order, Row, Rows
from tenantry.api.roles import Role
from tenantry.directory.invitations import models as rows
from tenantry.directory.members.models import Member as MemberRow
from tenantry.directory.roles.models import Role as RoleRow


def _status(invitation: Row) -> ColumnElement[str]:
    """PENDING past its time reads as EXPIRED."""
    over = and_(
        invitation.c.status == literal(str(InvitationStatus.PENDING)), invitation.c.expires_at <= func.now()
    )
    return case((over, literal(str(InvitationStatus.EXPIRED), Text())), else_=invitation.c.status)


def _matching(tenant: Row, invitation: Row, arguments: Arguments, _of: Rows) -> Criteria:
    criteria: Criteria = [invitation.c.tenant_id == tenant.c.id]
    if (status := arguments.get("status")) is not None:
        criteria.append(_status(invitation) == str(getattr(status, "value", status)))
    return criteria


INVITATIONS = Connection(
    rows.Invitation,
    on=_matching,
    order=Order(lambda invitation: [invitation.c.created_at, invitation.c.node_id], descending=True),
)

ROLES = Many(
    RoleRow,
    on=lambda invitation, role, link: (
        []
        if link is None
        else [
            link.c.tenant_id == invitation.c.tenant_id,
            link.c.invitation_id == invitation.c.id,
            role.c.id == link.c.role_id,
        ]
    ),
    order=lambda role: [role.c.position, role.c.node_id],
    link=rows.InvitationRole,
    shared=True,
)


@graph_type(rule=requires(BuiltIn.INVITATION_READ), table=rows.Invitation)
class Invitation(Node):
    """A person asked in."""

    email: str = column("The address, lower-case.")
    status: InvitationStatus = expression("How it stands now.", lambda row, _caller, _rows: _status(row))
    roles: list[Role] = many("What the person receives on accepting.", ROLES)
    inviter: Member | None = one(
        "Who asked; null once they have left.",
        MemberRow,
        lambda invitation, member: [
            member.c.tenant_id == invitation.c.tenant_id,
            member.c.id == invitation.c.inviter_id,
        ],
    )
    created_at: datetime = column("When the person was asked.")
    expires_at: datetime = column("Until when the link works.")
