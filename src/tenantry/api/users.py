"""Users: one person on the platform."""

from datetime import datetime

from tenantry.access.rules import authenticated
from tenantry.api.nodes import Node
from tenantry.api.planner.fields import column, graph_type
from tenantry.api.planner.sources import Criteria, Row, Rows, select_over
from tenantry.directory.members import models as rows


def here(user: Row, _caller: Row, of: Rows) -> Criteria:
    """The people of the caller's tenant: a person belongs to none, so no criterion is put on their row."""
    member, within = of(rows.Member)
    return [select_over(member.c.id, rows=[member]).where(*within, member.c.user_id == user.c.id).exists()]


@graph_type(rule=authenticated(), table=rows.User, visible=here)
class User(Node):
    """One person on the platform, whatever tenants they belong to."""

    email: str = column("The verified address, lower-case.")
    name: str | None = column("As the person's provider or an administrator gave it.")
    created_at: datetime = column("When the person first signed in.")
    mfa_enabled: bool = column("Whether a second factor is set up.")
