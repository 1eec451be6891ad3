"""Teams: members who work together, and those who supervise them."""

from datetime import datetime

from sqlalchemy import exists, literal

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import authenticated, requires
from tenantry.api.members import Member
from tenantry.api.nodes import Connection, Node
from tenantry.api.planner.fields import column, connection, graph_type, many
from tenantry.api.planner.sources import Arguments, Criteria, Many, Order, Row, Rows, select_over
from tenantry.api.planner.sources import Connection as Pages
from tenantry.directory.members.models import Member as MemberRow
from tenantry.directory.teams import models as rows

READS = requires(BuiltIn.TEAM_READ)

SUPERVISORS = Many(
    MemberRow,
    on=lambda team, member, place: (
        []
        if place is None
        else [place.c.team_id == team.c.id, place.c.is_supervisor, member.c.id == place.c.member_id]
    ),
    order=lambda member: [member.c.email],
    link=rows.TeamMember,
    trusted=READS,
)


def _of_team(team: Row, member: Row, _arguments: Arguments, of: Rows) -> Criteria:
    place, within = of(rows.TeamMember)
    having = [place.c.team_id == team.c.id, place.c.member_id == member.c.id]
    return [exists(select_over(literal(1), rows=[place]).where(*within, *having))]


MEMBERS = Pages(MemberRow, on=_of_team, order=Order(lambda member: [member.c.email]), trusted=READS)
TEAMS = Pages(
    rows.Team,
    on=lambda tenant, team, _arguments, _rows: [team.c.tenant_id == tenant.c.id],
    order=Order(lambda team: [team.c.name, team.c.node_id]),
)


@graph_type(rule=authenticated(), table=rows.Team)
class Team(Node):
    """Members who work together. Everyone sees the teams they are in; others by `team:read`."""

    name: str = column("Name for people, the tenant's only one.")
    supervisors: list[Member] = many("Who supervises it.", SUPERVISORS, rule=READS)
    members: Connection[Member] = connection("Everyone in it, by address.", MEMBERS, rule=READS)
    created_at: datetime = column("When it was made.")
