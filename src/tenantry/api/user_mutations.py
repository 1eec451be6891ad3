"""What people change of themselves, whatever tenant they act in."""

import strawberry

from tenantry.access.rules import authenticated
from tenantry.api.call import Call
from tenantry.api.changes import given
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import found, graph_type, mutation
from tenantry.api.users import User
from tenantry.audit.actions import AuditAction
from tenantry.directory.members import service
from tenantry.directory.members.models import User as UserRow

SIGNED_IN = authenticated()


@strawberry.input(description="What to change of oneself; what is not given stays.")
class ProfileUpdateInput:
    """Null takes the name away."""

    name: str | None = strawberry.UNSET


@graph_type(rule=SIGNED_IN)
class ProfileUpdateResult:
    """Changed."""

    user: User = found("The caller, as everyone sees them.", UserRow)


async def _update(call: Call, taken: ProfileUpdateInput) -> Outcome:
    user = await service.update_profile(call.work, name=given(taken.name))
    return Outcome("ProfileUpdateResult", {"user": user.node_id})


@strawberry.type
class UserMutations:
    """What people change of themselves."""

    profile_update: ProfileUpdateResult = mutation(
        "Change one's own name.",
        _update,
        takes=ProfileUpdateInput,
        action=AuditAction.USER_UPDATE,
        rule=SIGNED_IN,
    )
