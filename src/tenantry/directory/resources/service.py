"""What can be done with resources; each thing by the permission that the blueprint names for it.

The unit of work owes a decision from its beginning (``UnitOfWork.owe``), and does not commit before
``_ensure`` has made one: whoever forgets to ask does nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tenantry.access.facts import about
from tenantry.access.predicates import ALWAYS, holds
from tenantry.access.resource_types import Gate, ResourceType, ResourceTypes
from tenantry.audit.actions import AuditAction
from tenantry.directory.resources import repository
from tenantry.directory.resources.attributes import checked
from tenantry.directory.resources.models import Resource
from tenantry.directory.teams.repository import team_named
from tenantry.directory.teams.service import known_of
from tenantry.kernel.changes import UNSET, Unset
from tenantry.kernel.errors import BadUserInput, Forbidden, NotFound, StepUpRequired
from tenantry.kernel.events import Event
from tenantry.kernel.text import line
from tenantry.storage.tables import now
from tenantry.storage.unit_of_work import UnitOfWork

DEFAULT_STATE = "active"
"""Of an object whose type names no states."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change; ``attributes`` replace all there are, ``owner`` and ``team`` are node ids or None."""

    name: str | Unset = UNSET
    state: str | Unset = UNSET
    owner: str | Unset | None = UNSET
    team: str | Unset | None = UNSET
    attributes: Mapping[str, Any] | Unset = UNSET


async def create_resource(
    work: UnitOfWork,
    types: ResourceTypes,
    *,
    type_name: str,
    name: str,
    team: str | None = None,
    attributes: Mapping[str, Any] | Unset = UNSET,
) -> Resource:
    """Make an object, owned by whoever makes it, in the first state of its type.

    Raises ``BadUserInput`` for an unknown type and for attributes that its schema does not take,
    ``NotFound`` for a team that is not here, ``Forbidden`` where the caller may not make this one.
    """
    kind = types.get(type_name)
    if kind is None:
        raise _bad("type", "there is no such type of resource in this tenant")
    resource = Resource(
        tenant_id=work.tenant,
        type=kind.name,
        name=line(name, "name"),
        state=kind.states[0] if kind.states else DEFAULT_STATE,
        owner_id=work.acting.user_id,
        is_personal=kind.personal,
        team_id=None if team is None else await _team(work, team),
        attributes=checked({} if attributes is UNSET else attributes, kind.schema),
    )
    await _ensure(work, kind.gates.get("create"), resource)
    work.session.add(resource)
    await work.session.flush()
    work.record(AuditAction.RESOURCE_CREATE, resource.node_id)
    _announce(work, Event.RESOURCE_CREATED, resource)
    return resource


async def update_resource(
    work: UnitOfWork,
    types: ResourceTypes,
    resource_id: str,
    changes: Changes,
) -> Resource:
    """Change an object.

    The permission must hold of the object as it was and as it becomes, so that nobody moves one
    into their reach, or out of it. Raises ``NotFound``, ``BadUserInput``, ``Forbidden``.
    """
    resource, kind = await _found(work, types, resource_id)
    gate = kind.gates.get("update")
    await _ensure(work, gate, resource)
    values: dict[str, Any] = {"updated_at": now()}
    if changes.name is not UNSET:
        values["name"] = line(changes.name, "name")
    if changes.state is not UNSET:
        values["state"] = _state(kind, changes.state)
    if changes.owner is not UNSET:
        if resource.is_personal:
            raise _bad("ownerId", "a personal object stays its owner's")
        values["owner_id"] = None if changes.owner is None else await _person(work, changes.owner)
    if changes.team is not UNSET:
        values["team_id"] = None if changes.team is None else await _team(work, changes.team)
    if changes.attributes is not UNSET:
        values["attributes"] = checked(changes.attributes, kind.schema)
    resource.sqlmodel_update(values)
    await _ensure(work, gate, resource)
    await work.session.flush()
    work.record(AuditAction.RESOURCE_UPDATE, resource.node_id)
    _announce(work, Event.RESOURCE_UPDATED, resource)
    return resource


async def delete_resource(work: UnitOfWork, types: ResourceTypes, resource_id: str) -> None:
    """Delete an object. Raises ``NotFound``, ``Forbidden``."""
    resource, kind = await _found(work, types, resource_id)
    await _ensure(work, kind.gates.get("delete"), resource)
    await work.session.delete(resource)
    await work.session.flush()
    work.record(AuditAction.RESOURCE_DELETE, resource.node_id)
    _announce(work, Event.RESOURCE_DELETED, resource)


async def act_on_resource(work: UnitOfWork, types: ResourceTypes, resource_id: str, action: str) -> Resource:
    """Let the caller do something with an object that the product itself carries out.

    Decided, recorded and announced here; what it does is the product's matter. Raises ``NotFound``,
    ``BadUserInput`` for an action that the type does not have, ``Forbidden``.
    """
    resource, kind = await _found(work, types, resource_id)
    gate = kind.actions.get(action)
    if gate is None:
        raise _bad("action", "this type of resource has no such action")
    await _ensure(work, gate, resource)
    work.record(AuditAction.RESOURCE_ACT, resource.node_id)
    _announce(work, Event.RESOURCE_ACTED, resource, action=action)
    return resource


async def _found(work: UnitOfWork, types: ResourceTypes, node_id: str) -> tuple[Resource, ResourceType]:
    """The object, and its type; one whose type the blueprint has dropped is nobody's any more."""
    resource = await repository.to_change(work, node_id)
    kind = None if resource is None else types.get(resource.type)
    if resource is None or kind is None:
        raise NotFound
    if resource.is_personal and resource.owner_id != work.acting.user_id:
        # To everybody else, whatever they may, it is not there.
        raise NotFound
    return resource, kind


def _announce(work: UnitOfWork, event: Event, resource: Resource, **more: str) -> None:
    if not resource.is_personal:
        work.announce(
            event, resource=resource.node_id, resourceType=resource.type, state=resource.state, **more
        )


async def _ensure(work: UnitOfWork, gate: Gate | None, resource: Resource) -> None:
    """Make the decision that the unit of work owes. Raises ``Forbidden``."""
    acting = work.acting
    if acting.awaits_factor:
        raise StepUpRequired(None)
    if gate is None:
        # Nothing opens what the blueprint names no permission for.
        raise Forbidden
    condition = gate.condition(acting)
    if condition != ALWAYS:
        facts = {**await known_of(work, condition), **about(resource)}
        if not holds(condition, facts):
            raise Forbidden(gate.permission)
    work.discharge()


def _state(kind: ResourceType, state: str) -> str:
    if state not in kind.states:
        raise _bad("state", "this type of resource has no such state")
    return state


async def _person(work: UnitOfWork, member_id: str) -> UUID:
    person = await repository.person_of(work, member_id)
    if person is None:
        raise NotFound
    return person


async def _team(work: UnitOfWork, team_id: str) -> UUID:
    team = await team_named(work, team_id)
    if team is None:
        raise NotFound
    return team


def _bad(field: str, problem: str) -> BadUserInput:
    return BadUserInput("Some input cannot be taken.", {field: problem})
