"""What can be done with teams: made, changed, deleted, by those whose teams they are or all are.

Whoever manages teams under a condition owes a decision about the team (``UnitOfWork.owe``); a new
team is nobody's yet. A place in a team widens what its member may do at the next operation, and one
taken away narrows it: their running mutations are waited for.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from tenantry.access.conditions import Condition, facts_of
from tenantry.access.facts import about_team, asked_by
from tenantry.access.grants import condition_of
from tenantry.access.permissions import BuiltIn
from tenantry.access.predicates import ALWAYS, Facts, holds
from tenantry.audit.actions import AuditAction
from tenantry.directory.teams import repository
from tenantry.directory.teams.errors import TeamNameTaken
from tenantry.directory.teams.models import Team, TeamMember
from tenantry.directory.tenants.repository import wait_for_mutations
from tenantry.kernel.changes import UNSET, Unset
from tenantry.kernel.errors import BadUserInput, Forbidden, NotFound
from tenantry.kernel.text import line
from tenantry.storage.errors import UNIQUE_VIOLATION, sqlstate
from tenantry.storage.unit_of_work import UnitOfWork

MAX_MEMBERS = 100
"""In one change, of each kind."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change of a team; people by their members' node ids.

    ``supervisors`` are all there will be; who was one and is not among them stays in the team.
    """

    name: str | Unset = UNSET
    supervisors: Collection[str] | Unset = UNSET
    add: Collection[str] = ()
    remove: Collection[str] = ()


async def create_team(
    work: UnitOfWork, *, name: str, supervisors: Collection[str] = (), members: Collection[str] = ()
) -> Team:
    """Make a team. Raises ``BadUserInput``, ``Forbidden``, ``NotFound``, ``TeamNameTaken``."""
    team = Team(tenant_id=work.tenant, name=line(name, "name"))
    await _ensure(work, team)
    work.session.add(team)
    await _flush(work)
    touched = await _set_places(work, team, Changes(supervisors=supervisors, add=members))
    work.record(AuditAction.TEAM_CREATE, team.node_id, *touched)
    return team


async def update_team(work: UnitOfWork, team_id: str, changes: Changes) -> Team:
    """Change a team's name and who is in it.

    Raises ``NotFound`` for a team or member that is not here, ``BadUserInput``, ``Forbidden``,
    ``TeamNameTaken``.
    """
    team = await _team(work, team_id)
    if changes.name is not UNSET:
        team.name = line(changes.name, "name")
        await _flush(work)
    touched = await _set_places(work, team, changes)
    work.record(AuditAction.TEAM_UPDATE, team.node_id, *touched)
    return team


async def delete_team(work: UnitOfWork, team_id: str) -> None:
    """Delete a team; its members and its objects stay. Raises ``NotFound``, ``Forbidden``."""
    # All who are in it, of whom there may be thousands, are waited for at once.
    await wait_for_mutations(work)
    team = await _team(work, team_id)
    await work.session.delete(team)
    await work.session.flush()
    work.record(AuditAction.TEAM_DELETE, team_id)


async def known_of(work: UnitOfWork, condition: Condition) -> Facts:
    """What a condition may ask of who acts, in which tenant, and when; teams only where it asks for them."""
    acting = work.acting
    facts = asked_by(acting, work.environment)
    if any(fact.path == "subject.teams" for fact in facts_of(condition)):
        facts["subject.teams"] = await repository.teams_of(work, acting.member_id)
    return facts


async def _team(work: UnitOfWork, node_id: str) -> Team:
    team = await repository.team_to_change(work, node_id)
    if team is None:
        raise NotFound
    await _ensure(work, team)
    return team


async def _ensure(work: UnitOfWork, team: Team) -> None:
    """Make the decision that the unit of work may owe. Raises ``Forbidden``."""
    condition = condition_of(work.acting, BuiltIn.TEAM_MANAGE)
    if condition != ALWAYS:
        facts = {**await known_of(work, condition), **about_team(team.id)}
        if not holds(condition, facts):
            raise Forbidden(BuiltIn.TEAM_MANAGE)
    work.discharge()


async def _set_places(work: UnitOfWork, team: Team, changes: Changes) -> list[str]:
    """Put people into the team and out of it; the node ids of those whom that was about."""
    _check(changes)
    led = await repository.supervisors(work, team.id)
    lead = (led.keys() if changes.supervisors is UNSET else set(changes.supervisors)) - set(changes.remove)
    about = {*led, *lead, *changes.add, *changes.remove}
    named = await repository.members_named(work, about)
    if len(named) != len(about):
        raise NotFound
    had = await repository.places(work, team.id)
    for node_id in changes.remove:
        if (place := had.pop(named[node_id], None)) is not None:
            await work.session.delete(place)
    for node_id in {*lead, *changes.add}:
        _put(work, team, had, named[node_id])
    for node_id in {*led, *lead} - set(changes.remove):
        had[named[node_id]].is_supervisor = node_id in lead
    await work.session.flush()
    return sorted(about - (led.keys() & lead))


def _put(work: UnitOfWork, team: Team, had: dict[UUID, TeamMember], member_id: UUID) -> None:
    if member_id not in had:
        had[member_id] = TeamMember(tenant_id=work.tenant, team_id=team.id, member_id=member_id)
        work.session.add(had[member_id])


def _check(changes: Changes) -> None:
    lists: Mapping[str, Collection[str] | Unset] = {
        "supervisorIds": changes.supervisors,
        "addMemberIds": changes.add,
        "removeMemberIds": changes.remove,
    }
    problems = {
        name: f"take at most {MAX_MEMBERS}"
        for name, those in lists.items()
        if those is not UNSET and len(those) > MAX_MEMBERS
    }
    stay = {*changes.add, *(() if changes.supervisors is UNSET else changes.supervisors)}
    if stay & set(changes.remove):
        problems["removeMemberIds"] = "names somebody who is to be in the team"
    if problems:
        raise BadUserInput("Some input cannot be taken.", problems)


async def _flush(work: UnitOfWork) -> None:
    try:
        await work.session.flush()
    except IntegrityError as error:
        if sqlstate(error) == UNIQUE_VIOLATION:
            raise TeamNameTaken from error
        raise
