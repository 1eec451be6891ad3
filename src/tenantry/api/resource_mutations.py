"""Changing resources, and acting on them; each by the permission that the blueprint names."""

from collections.abc import Mapping
from typing import Any, cast

import strawberry
from strawberry.scalars import JSON

from tenantry.access.rules import gated
from tenantry.api.call import Call
from tenantry.api.changes import given
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, found, graph_type, mutation
from tenantry.api.resources import Resource
from tenantry.audit.actions import AuditAction
from tenantry.directory.resources import service
from tenantry.directory.resources.models import Resource as ResourceRow
from tenantry.kernel.changes import UNSET, Unset
from tenantry.kernel.errors import BadUserInput

GATED = gated()


@strawberry.input(description="An object of a type that the blueprint names.")
class ResourceCreateInput:
    """`attributes` must satisfy the JSON Schema of the type."""

    type: str
    name: str
    team_id: strawberry.ID | None = strawberry.UNSET
    attributes: JSON | None = strawberry.UNSET


@strawberry.input(description="What to change of an object; what is not given stays.")
class ResourceUpdateInput:
    """`attributes` replace all there are; for `ownerId` and `teamId` null leaves it to nobody."""

    resource_id: strawberry.ID
    name: str | None = strawberry.UNSET
    state: str | None = strawberry.UNSET
    owner_id: strawberry.ID | None = strawberry.UNSET
    team_id: strawberry.ID | None = strawberry.UNSET
    attributes: JSON | None = strawberry.UNSET


@strawberry.input(description="The object to delete.")
class ResourceDeleteInput:
    """Which object."""

    resource_id: strawberry.ID


@strawberry.input(description="What to do, and with which object.")
class ResourceActInput:
    """`action` is a name of the type's actions."""

    resource_id: strawberry.ID
    action: str


@graph_type(rule=GATED)
class ResourceCreateResult:
    """Made."""

    resource: Resource | None = found(
        "The new object; null where the caller may make but not see it.", ResourceRow
    )


@graph_type(rule=GATED)
class ResourceUpdateResult:
    """Changed."""

    resource: Resource | None = found("The object; null where the caller may not see it.", ResourceRow)


@graph_type(rule=GATED)
class ResourceDeleteResult:
    """Gone."""

    resource_id: strawberry.ID = attribute("Which object is gone.")


@graph_type(rule=GATED)
class ResourceActResult:
    """Allowed and recorded."""

    resource: Resource | None = found("The object; null where the caller may not see it.", ResourceRow)
    action: str = attribute("What was allowed.")


async def _create(call: Call, taken: ResourceCreateInput) -> Outcome:
    resource = await service.create_resource(
        call.work,
        await call.types(),
        type_name=taken.type,
        name=taken.name,
        team=taken.team_id or None,
        attributes=_object(taken.attributes),
    )
    return Outcome("ResourceCreateResult", {"resource": resource.node_id})


async def _update(call: Call, taken: ResourceUpdateInput) -> Outcome:
    resource = await service.update_resource(
        call.work,
        await call.types(),
        taken.resource_id,
        service.Changes(
            name=_text(taken.name, "name"),
            state=_text(taken.state, "state"),
            owner=given(taken.owner_id),
            team=given(taken.team_id),
            attributes=_object(taken.attributes),
        ),
    )
    return Outcome("ResourceUpdateResult", {"resource": resource.node_id})


async def _delete(call: Call, taken: ResourceDeleteInput) -> Outcome:
    await service.delete_resource(call.work, await call.types(), taken.resource_id)
    return Outcome("ResourceDeleteResult", {"resourceId": taken.resource_id})


async def _act(call: Call, taken: ResourceActInput) -> Outcome:
    resource = await service.act_on_resource(call.work, await call.types(), taken.resource_id, taken.action)
    return Outcome("ResourceActResult", {"resource": resource.node_id, "action": taken.action})


def _text(value: str | None, field: str) -> str | Unset:
    if value is None:
        raise BadUserInput("Some input cannot be taken.", {field: "cannot be null"})
    return UNSET if value is strawberry.UNSET else value


def _object(value: Any) -> Mapping[str, Any] | Unset:
    if value is strawberry.UNSET:
        return UNSET
    if not isinstance(value, dict):
        raise BadUserInput("Some input cannot be taken.", {"attributes": "must be an object"})
    return cast("dict[str, Any]", value)


@strawberry.type
class ResourceMutations:
    """Changing resources."""

    resource_create: ResourceCreateResult = mutation(
        "Make an object, owned by the caller.",
        _create,
        takes=ResourceCreateInput,
        action=AuditAction.RESOURCE_CREATE,
        rule=GATED,
    )
    resource_update: ResourceUpdateResult = mutation(
        "Change an object: allowed of it as it was, and as it becomes.",
        _update,
        takes=ResourceUpdateInput,
        action=AuditAction.RESOURCE_UPDATE,
        rule=GATED,
    )
    resource_delete: ResourceDeleteResult = mutation(
        "Delete an object.",
        _delete,
        takes=ResourceDeleteInput,
        action=AuditAction.RESOURCE_DELETE,
        rule=GATED,
    )
    resource_act: ResourceActResult = mutation(
        "Act on an object, for example `monitor` a call: decided and recorded here, done by the product.",
        _act,
        takes=ResourceActInput,
        action=AuditAction.RESOURCE_ACT,
        rule=GATED,
    )
