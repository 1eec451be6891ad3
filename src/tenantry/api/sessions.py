"""Sessions: where one is signed in."""

from datetime import datetime

from sqlalchemy import func

from tenantry.access.rules import authenticated
from tenantry.api.nodes import Node
from tenantry.api.planner.fields import column, expression, graph_type
from tenantry.api.planner.sources import Connection, Criteria, Order, Row
from tenantry.authentication.sessions import models as rows


def own(caller: Row, session: Row) -> Criteria:
    """The sessions of the person who asks; a key is nobody, and has none."""
    return [
        session.c.user_id == caller.c.user_id,
        session.c.user_id == func.current_app_user(),
        session.c.is_key.is_(False),
    ]


SESSIONS = Connection(
    rows.Session,
    on=lambda caller, session, _arguments, _rows: own(caller, session),
    order=Order(lambda session: [session.c.logged_at, session.c.node_id], descending=True),
)


@graph_type(
    rule=authenticated(),
    table=rows.Session,
    visible=lambda session, caller, _rows: own(caller, session),
)
class Session(Node):
    """One login on one device. Only one's own are ever shown."""

    ip: str | None = column("The address it was opened from.")
    user_agent: str | None = column("The browser or program it was opened with.")
    logged_at: datetime = column("When it was opened.")
    last_seen_at: datetime = column("When it was last used, to the half minute.")
    expires_at: datetime = column("When it ends by itself.")
    revoked: bool = column("Whether it was ended before its time.")
    factor_at: datetime | None = column("When it last proved a second factor.")
    is_current: bool = expression(
        "Whether this very request uses it.", lambda row, caller, _rows: row.c.id == caller.c.session_id
    )
