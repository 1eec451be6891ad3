"""Users: one person on the platform."""

from datetime import datetime

from tenantry.access.rules import authenticated
from tenantry.api.nodes import Node
from tenantry.api.planner.fields import column, graph_type
from tenantry.directory.members import models as rows


@graph_type(rule=authenticated(), table=rows.User)
class User(Node):
    """One person on the platform, whatever tenants they belong to."""

    email: str = column("The verified address, lower-case.")
    name: str | None = column("As the person's provider or an administrator gave it.")
    created_at: datetime = column("When the person first signed in.")
    mfa_enabled: bool = column("Whether a second factor is set up.")
