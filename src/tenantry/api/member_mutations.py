"""Changing members."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

import strawberry

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import FRESH_SECONDS, Rule, requires
from tenantry.api.call import Call
from tenantry.api.changes import given
from tenantry.api.members import Member
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, found, graph_type, mutation
from tenantry.api.problems import LastOwner, RoleNotGrantable, TooManyRoles
from tenantry.audit.actions import AuditAction
from tenantry.directory.members import service
from tenantry.directory.members.models import Member as MemberRow
from tenantry.directory.roles.service import named_by_key
from tenantry.kernel.principal import Scope


def _here(permission: BuiltIn) -> Rule:
    return requires(permission, scope=Scope.TENANT)


UPDATES, SUSPENDS, REMOVES = map(
    _here, (BuiltIn.MEMBER_UPDATE, BuiltIn.MEMBER_SUSPEND, BuiltIn.MEMBER_REMOVE)
)
ASSIGNS, OWNS = map(_here, (BuiltIn.ROLE_ASSIGN, BuiltIn.MEMBER_OWN))


@strawberry.input(description="What to change of a member; what is not given stays.")
class MemberUpdateInput:
    """Null takes a value away."""

    member_id: strawberry.ID
    name: str | None = strawberry.UNSET
    extension: str | None = strawberry.UNSET
    expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET,
        description="Until when they belong; asks for `member:suspend`. Not for owners, nor for oneself.",
    )


@strawberry.input(description="The roles the member shall hold, by id, by key, or both; and no others.")
class MemberRolesSetInput:
    """Whose roles, and which."""

    member_id: strawberry.ID
    role_ids: list[strawberry.ID]
    role_keys: list[str] = strawberry.field(default_factory=list[str])
    expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET,
        description="Until when the roles are held that are new, or held for a time already; "
        "null for good. What is held for good stays so.",
    )


@strawberry.input(description="The member who shall not act for now.")
class MemberSuspendInput:
    """Which member."""

    member_id: strawberry.ID


@strawberry.input(description="The member who may act again.")
class MemberReactivateInput:
    """Which member."""

    member_id: strawberry.ID


@strawberry.input(description="The member who shall leave.")
class MemberRemoveInput:
    """Which member."""

    member_id: strawberry.ID


@strawberry.input(description="The member who becomes an owner in the caller's place.")
class OwnershipTransferInput:
    """With `keep`, beside the caller."""

    member_id: strawberry.ID
    keep: bool = False


@strawberry.type
class MemberResult:
    """What comes of changing a member: the member as they are now."""

    member: Member = found("The member.", MemberRow)


@graph_type(rule=UPDATES)
class MemberUpdateResult(MemberResult):
    """Changed."""


@graph_type(rule=ASSIGNS)
class MemberRolesSet(MemberResult):
    """Changed; the member's tokens have ended."""


@graph_type(rule=SUSPENDS)
class MemberSuspendedNow(MemberResult):
    """Suspended; the member's tokens have ended."""


@graph_type(rule=SUSPENDS)
class MemberReactivateResult(MemberResult):
    """May act again."""


@graph_type(rule=REMOVES)
class MemberRemoved:
    """Gone; the member's tokens have ended."""

    member_id: strawberry.ID = attribute("Who has left.")


@graph_type(rule=OWNS)
class OwnershipTransferred:
    """The new owner."""

    member: Member = found("The new owner.", MemberRow)


MemberRolesSetResult = Annotated[
    MemberRolesSet | LastOwner | RoleNotGrantable | TooManyRoles,
    strawberry.union("MemberRolesSetResult", description="What came of it."),
]
MemberSuspendResult = Annotated[
    MemberSuspendedNow | LastOwner, strawberry.union("MemberSuspendResult", description="What came of it.")
]
MemberRemoveResult = Annotated[
    MemberRemoved | LastOwner, strawberry.union("MemberRemoveResult", description="What came of it.")
]
OwnershipTransferResult = Annotated[
    OwnershipTransferred | LastOwner,
    strawberry.union("OwnershipTransferResult", description="What came of it."),
]


async def _update(call: Call, taken: MemberUpdateInput) -> Outcome:
    member = await service.update_member(
        call.work,
        taken.member_id,
        name=given(taken.name),
        extension=given(taken.extension),
        expires_at=given(taken.expires_at),
        clock=call.services.clock,
    )
    return Outcome("MemberUpdateResult", {"member": member.node_id})


async def _set_roles(call: Call, taken: MemberRolesSetInput) -> Outcome:
    named = await named_by_key(call.work, taken.role_keys)
    member = await service.set_roles(
        call.work,
        taken.member_id,
        [*taken.role_ids, *named.values()],
        expires_at=given(taken.expires_at),
        clock=call.services.clock,
    )
    return Outcome("MemberRolesSet", {"member": member.node_id})


async def _suspend(call: Call, taken: MemberSuspendInput) -> Outcome:
    member = await service.suspend_member(call.work, taken.member_id)
    return Outcome("MemberSuspendedNow", {"member": member.node_id})


async def _reactivate(call: Call, taken: MemberReactivateInput) -> Outcome:
    member = await service.reactivate_member(call.work, taken.member_id)
    return Outcome("MemberReactivateResult", {"member": member.node_id})


async def _remove(call: Call, taken: MemberRemoveInput) -> Outcome:
    await service.remove_member(call.work, taken.member_id)
    return Outcome("MemberRemoved", {"memberId": taken.member_id})


async def _transfer(call: Call, taken: OwnershipTransferInput) -> Outcome:
    member = await service.transfer_ownership(call.work, taken.member_id, keep=taken.keep)
    return Outcome("OwnershipTransferred", {"member": member.node_id})


@strawberry.type
class MemberMutations:
    """Changing members."""

    member_update: MemberUpdateResult = mutation(
        "Change a member's name or extension, and until when they belong here.",
        _update,
        takes=MemberUpdateInput,
        action=AuditAction.MEMBER_UPDATE,
        rule=UPDATES,
    )
    member_roles_set: MemberRolesSetResult = mutation(
        "Give a member these roles and no others; only roles whose permissions the caller holds.",
        _set_roles,
        takes=MemberRolesSetInput,
        action=AuditAction.MEMBER_ROLES_SET,
        rule=ASSIGNS,
    )
    member_suspend: MemberSuspendResult = mutation(
        "Let a member not act for now.",
        _suspend,
        takes=MemberSuspendInput,
        action=AuditAction.MEMBER_SUSPEND,
        rule=SUSPENDS,
    )
    member_reactivate: MemberReactivateResult = mutation(
        "Let a suspended member act again.",
        _reactivate,
        takes=MemberReactivateInput,
        action=AuditAction.MEMBER_REACTIVATE,
        rule=SUSPENDS,
    )
    member_remove: MemberRemoveResult = mutation(
        "Remove a member; whoever is removed loses everything here at once.",
        _remove,
        takes=MemberRemoveInput,
        action=AuditAction.MEMBER_REMOVE,
        rule=REMOVES,
    )
    ownership_transfer: OwnershipTransferResult = mutation(
        "Hand the tenant over to another member.",
        _transfer,
        takes=OwnershipTransferInput,
        action=AuditAction.MEMBER_TRANSFER_OWNERSHIP,
        rule=replace(OWNS, freshness=FRESH_SECONDS),
    )
