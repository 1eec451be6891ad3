"""API keys as the tenant's people see them; the key itself is never among it."""

from datetime import datetime

from sqlalchemy import ColumnElement, case, null

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import requires
from tenantry.api.members import Member
from tenantry.api.nodes import Node
from tenantry.api.planner.fields import column, expression, graph_type, one
from tenantry.api.planner.sources import Arguments, Connection, Criteria, Order, Row, Rows, select_over
from tenantry.api.scalars import Permission
from tenantry.authentication.api_keys import models as rows
from tenantry.authentication.sessions.models import Session
from tenantry.directory.members.models import Member as MemberRow

READS = requires(BuiltIn.APIKEY_READ)


def _of_tenant(tenant: Row, key: Row, _arguments: Arguments, of: Rows) -> Criteria:
    """Those that have not been revoked."""
    session, within = of(Session)
    live = select_over(session.c.id, rows=[session]).where(
        *within, session.c.id == key.c.session_id, session.c.revoked.is_(False)
    )
    return [key.c.tenant_id == tenant.c.id, live.exists()]


KEYS = Connection(
    rows.ApiKey, on=_of_tenant, order=Order(lambda key: [key.c.created_at, key.c.node_id], descending=True)
)


def _last_used(key: Row, _caller: Row, of: Rows) -> ColumnElement[datetime | None]:
    session, within = of(Session)
    used = case((session.c.last_seen_at > session.c.logged_at, session.c.last_seen_at), else_=null())
    return (
        select_over(used, rows=[session]).where(*within, session.c.id == key.c.session_id).scalar_subquery()
    )


@graph_type(rule=READS, table=rows.ApiKey)
class ApiKey(Node):
    """A machine's credential. It may do what it names, of what its issuer may at that moment."""

    name: str = column("What it is for.")
    prefix: str = column("How it begins, to tell it apart by.")
    permissions: list[Permission] = column("What it names, in the blueprint's spelling.")
    expires_at: datetime | None = column("When it ends by itself; null for never.")
    last_used_at: datetime | None = expression("When it was last used, to the half minute.", _last_used)
    created_at: datetime = column("When it was made.")
    issuer: Member | None = one(
        "Who has made it; it ends with their membership.",
        MemberRow,
        lambda key, member: [member.c.id == key.c.member_id],
    )
