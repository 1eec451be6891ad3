"""Changing teams."""

from typing import Annotated

import strawberry

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import requires
from tenantry.api.call import Call
from tenantry.api.changes import kept
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, found, graph_type, mutation
from tenantry.api.problems import TeamNameTaken
from tenantry.api.teams import Team
from tenantry.audit.actions import AuditAction
from tenantry.directory.teams import service
from tenantry.directory.teams.models import Team as TeamRow
from tenantry.kernel.principal import Scope

MANAGES = requires(BuiltIn.TEAM_MANAGE, scope=Scope.TENANT)


@strawberry.input(description="A team and who is in it; supervisors are members of it too.")
class TeamCreateInput:
    """Ids are those of members; at most 100 of each kind at a time."""

    name: str
    supervisor_ids: list[strawberry.ID] | None = strawberry.UNSET
    member_ids: list[strawberry.ID] | None = strawberry.UNSET


@strawberry.input(description="What to change of a team; what is not given stays.")
class TeamUpdateInput:
    """`supervisorIds` are all there will be; who was one and is not among them stays in the team."""

    team_id: strawberry.ID
    name: str | None = strawberry.UNSET
    supervisor_ids: list[strawberry.ID] | None = strawberry.UNSET
    add_member_ids: list[strawberry.ID] | None = strawberry.UNSET
    remove_member_ids: list[strawberry.ID] | None = strawberry.UNSET


@strawberry.input(description="The team to delete.")
class TeamDeleteInput:
    """Which team."""

    team_id: strawberry.ID


@graph_type(rule=MANAGES)
class TeamCreated:
    """Made."""

    team: Team | None = found("The new team; null where the caller may make but not see it.", TeamRow)


@graph_type(rule=MANAGES)
class TeamUpdated:
    """Changed."""

    team: Team | None = found("The team; null where the caller no longer sees it.", TeamRow)


@graph_type(rule=MANAGES)
class TeamDeleteResult:
    """Gone; its members and its objects stay."""

    team_id: strawberry.ID = attribute("Which team is gone.")


TeamCreateResult = Annotated[
    TeamCreated | TeamNameTaken, strawberry.union("TeamCreateResult", description="What came of it.")
]
TeamUpdateResult = Annotated[
    TeamUpdated | TeamNameTaken, strawberry.union("TeamUpdateResult", description="What came of it.")
]


async def _create(call: Call, taken: TeamCreateInput) -> Outcome:
    team = await service.create_team(
        call.work,
        name=taken.name,
        supervisors=taken.supervisor_ids or (),
        members=taken.member_ids or (),
    )
    return Outcome("TeamCreated", {"team": team.node_id})


async def _update(call: Call, taken: TeamUpdateInput) -> Outcome:
    changes = service.Changes(
        name=kept(taken.name),
        supervisors=kept(taken.supervisor_ids),
        add=taken.add_member_ids or (),
        remove=taken.remove_member_ids or (),
    )
    team = await service.update_team(call.work, taken.team_id, changes)
    return Outcome("TeamUpdated", {"team": team.node_id})


async def _delete(call: Call, taken: TeamDeleteInput) -> Outcome:
    await service.delete_team(call.work, taken.team_id)
    return Outcome("TeamDeleteResult", {"teamId": taken.team_id})


@strawberry.type
class TeamMutations:
    """Changing teams."""

    team_create: TeamCreateResult = mutation(
        "Make a team.", _create, takes=TeamCreateInput, action=AuditAction.TEAM_CREATE, rule=MANAGES
    )
    team_update: TeamUpdateResult = mutation(
        "Change a team's name and who is in it.",
        _update,
        takes=TeamUpdateInput,
        action=AuditAction.TEAM_UPDATE,
        rule=MANAGES,
    )
    team_delete: TeamDeleteResult = mutation(
        "Delete a team.", _delete, takes=TeamDeleteInput, action=AuditAction.TEAM_DELETE, rule=MANAGES
    )
