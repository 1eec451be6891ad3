"""A tenant's own roles."""

from typing import Annotated

import strawberry

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import requires
from tenantry.api.call import Call
from tenantry.api.changes import given
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, found, graph_type, mutation
from tenantry.api.problems import PlanDoesNotAllow, RoleInUse, RoleLocked, RoleNotGrantable
from tenantry.api.roles import Role
from tenantry.api.scalars import Permission
from tenantry.audit.actions import AuditAction
from tenantry.directory.roles import service
from tenantry.directory.roles.models import Role as RoleRow
from tenantry.kernel.changes import UNSET
from tenantry.kernel.errors import BadUserInput
from tenantry.kernel.principal import Scope

MANAGES = requires(BuiltIn.ROLE_MANAGE, scope=Scope.TENANT)


@strawberry.input(description="A role of the tenant's own; only permissions that the caller holds.")
class RoleCreateInput:
    """Without `key`, one is made from the name."""

    name: str
    permissions: list[Permission]
    key: str | None = strawberry.UNSET
    description: str | None = strawberry.UNSET


@strawberry.input(description="What to change of a role; what is not given stays.")
class RoleUpdateInput:
    """Locked roles cannot be changed."""

    role_id: strawberry.ID
    name: str | None = strawberry.UNSET
    description: str | None = strawberry.UNSET
    permissions: list[Permission] | None = strawberry.UNSET


@strawberry.input(description="The role to delete; nobody may hold it.")
class RoleDeleteInput:
    """Which role."""

    role_id: strawberry.ID


@graph_type(rule=MANAGES)
class RoleCreated:
    """Made."""

    role: Role = found("The new role.", RoleRow)


@graph_type(rule=MANAGES)
class RoleUpdated:
    """Changed; the tokens of whoever holds it have ended, if it now allows something else."""

    role: Role = found("The role.", RoleRow)


@graph_type(rule=MANAGES)
class RoleDeleted:
    """Gone."""

    role_id: strawberry.ID = attribute("Which role is gone.")


RoleCreateResult = Annotated[
    RoleCreated | RoleNotGrantable | PlanDoesNotAllow,
    strawberry.union("RoleCreateResult", description="What came of it."),
]
RoleUpdateResult = Annotated[
    RoleUpdated | RoleLocked | RoleNotGrantable | PlanDoesNotAllow,
    strawberry.union("RoleUpdateResult", description="What came of it."),
]
RoleDeleteResult = Annotated[
    RoleDeleted | RoleLocked | RoleInUse | RoleNotGrantable,
    strawberry.union("RoleDeleteResult", description="What came of it."),
]


async def _create(call: Call, taken: RoleCreateInput) -> Outcome:
    role = await service.create_role(
        call.work,
        name=taken.name,
        permissions=taken.permissions,
        description=taken.description or None,
        key=taken.key or None,
    )
    return Outcome("RoleCreated", {"role": role.node_id})


async def _update(call: Call, taken: RoleUpdateInput) -> Outcome:
    if taken.name is None or taken.permissions is None:
        raise BadUserInput("Some input cannot be taken.", {"input": "name and permissions cannot be null"})
    role = await service.update_role(
        call.work,
        taken.role_id,
        name=taken.name if taken.name is not strawberry.UNSET else UNSET,
        description=given(taken.description),
        permissions=taken.permissions if taken.permissions is not strawberry.UNSET else UNSET,
    )
    return Outcome("RoleUpdated", {"role": role.node_id})


async def _delete(call: Call, taken: RoleDeleteInput) -> Outcome:
    await service.delete_role(call.work, taken.role_id)
    return Outcome("RoleDeleted", {"roleId": taken.role_id})


@strawberry.type
class RoleMutations:
    """A tenant's own roles."""

    role_create: RoleCreateResult = mutation(
        "Make a role of the tenant's own.",
        _create,
        takes=RoleCreateInput,
        action=AuditAction.ROLE_CREATE,
        rule=MANAGES,
    )
    role_update: RoleUpdateResult = mutation(
        "Change a role of the tenant's own.",
        _update,
        takes=RoleUpdateInput,
        action=AuditAction.ROLE_UPDATE,
        rule=MANAGES,
    )
    role_delete: RoleDeleteResult = mutation(
        "Delete a role of the tenant's own that nobody holds.",
        _delete,
        takes=RoleDeleteInput,
        action=AuditAction.ROLE_DELETE,
        rule=MANAGES,
    )
