"""Decisions asked for beforehand: what the caller may, what another member may, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import strawberry
from sqlalchemy import Boolean, ColumnElement, cast

from tenantry.access.questions import Reason
from tenantry.access.rules import authenticated
from tenantry.api.call import Call
from tenantry.api.members import Member
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, expression, found, graph_type, left, one
from tenantry.api.planner.sources import Named, Row, Rows
from tenantry.api.roles import Role
from tenantry.api.scalars import Permission
from tenantry.directory.members.models import Member as MemberRow
from tenantry.directory.roles.models import Role as RoleRow
from tenantry.kernel.errors import BadUserInput

SIGNED_IN = authenticated()
MOST = 50
"""Decisions that are asked for at once."""


@strawberry.input(description="Something to ask about the caller.")
class CanInput:
    """As the arguments of `can`."""

    permission: Permission
    on: strawberry.ID | None = strawberry.UNSET


@strawberry.input(description="Something to ask about a member: the caller, or whoever `subject` names.")
class EvaluationInput:
    """`subject` is a member's id or their person's; `type` what the object must be, by the blueprint."""

    permission: Permission
    subject: strawberry.ID | None = strawberry.UNSET
    on: strawberry.ID | None = strawberry.UNSET
    type: str | None = strawberry.UNSET


@graph_type(rule=SIGNED_IN)
class Decision:
    """Whether it may be done, and if not, why."""

    allowed: bool = attribute("Whether it may be done.")
    reason: str | None = attribute(
        "Why not: CONDITIONAL (it depends on the object, and none is named; or on the request that another "
        "person would make), CONDITION_NOT_MET, FORBIDDEN (nothing gives the permission), MEMBER_INACTIVE, "
        "NOT_FOUND or STEP_UP_REQUIRED."
    )


def _of_value(key: str) -> Any:
    def sql(row: Row, _caller: Row, _rows: Rows) -> ColumnElement[str]:
        return row.c.value[key].astext

    return sql


def _holds(row: Row, _caller: Row, _rows: Rows) -> ColumnElement[bool]:
    return cast(row.c.value["holds"].astext, Boolean())


@graph_type(rule=SIGNED_IN)
class AccessPath:
    """One way from a member to a permission."""

    role: Role = one(
        "The role that they hold.",
        RoleRow,
        lambda row, role: [role.c.node_id == row.c.value["role"].astext],
    )
    grant: str = expression(
        "The permission that the role lists: the one asked for or one that covers it; `owner` for what "
        "an owner's role may do besides.",
        _of_value("grant"),
    )
    condition: str | None = expression(
        "What it depends on, in the language of conditions.", _of_value("condition")
    )
    holds: bool | None = expression(
        "Whether this way is open; null where it depends on an object, and none is known, or on the "
        "request that the other person would make.",
        _holds,
    )


@graph_type(rule=SIGNED_IN)
class AccessExplanation:
    """Why a member may do something, or why not."""

    allowed: bool = attribute("Whether they may.")
    reason: str | None = attribute("Why not, as `Decision.reason` says it.")
    member: Member = found("Of whom this is told.", MemberRow, trusted=SIGNED_IN)
    permission: Permission = attribute("What was asked for.")
    paths: list[AccessPath] = left("Every way that there is from the member to the permission.")
    roles_that_grant: list[Role] = found(
        "The tenant's roles that give the permission, some under a condition.",
        RoleRow,
        order=lambda role: [role.c.position, role.c.node_id],
    )


# --- functions ------------------------------------------------------------------------------------


async def can(call: Call, arguments: Mapping[str, Any]) -> object:
    """``Viewer.can``."""
    return _told(await call.asked.objection(arguments["permission"], arguments.get("on")))


async def can_all(call: Call, arguments: Mapping[str, Any]) -> object:
    """``Viewer.canAll``."""
    return [await can(call, each) for each in _bounded(arguments)]


async def evaluate(call: Call, arguments: Mapping[str, Any]) -> object:
    """``Query.evaluateAccess``."""
    checks = _bounded(arguments)
    return [
        _told(
            await call.asked.objection(
                each["permission"], each.get("on"), type_name=each.get("type"), of=each.get("subject")
            )
        )
        for each in checks
    ]


async def explain(call: Call, arguments: Mapping[str, Any]) -> object:
    """``Query.explainAccess``."""
    permission = arguments["permission"]
    found_ = await call.asked.explain(arguments["memberId"], permission, arguments.get("on"))
    return Outcome(
        "AccessExplanation",
        {
            **_told(found_.reason).values,
            "member": found_.member,
            "permission": permission,
            "paths": [asdict(each) for each in found_.ways],
            "rolesThatGrant": found_.roles,
        },
    )


def _told(reason: Reason | None) -> Outcome:
    return Outcome("Decision", {"allowed": reason is None, "reason": None if reason is None else str(reason)})


def _bounded(arguments: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    checks: Sequence[Mapping[str, Any]] = arguments["checks"]
    if len(checks) > MOST:
        raise BadUserInput("Some input cannot be taken.", {"checks": f"take at most {MOST}"})
    return checks


# --- what they name -------------------------------------------------------------------------------


def of_one(arguments: Mapping[str, Any]) -> Named:
    """What one question names."""
    on, subject = arguments.get("on"), arguments.get("subject", arguments.get("memberId"))
    return Named(frozenset([on] if on else ()), frozenset([subject] if subject else ()))


def of_all(arguments: Mapping[str, Any]) -> Named:
    """What several questions name; nothing is looked up for more than are taken."""
    named = Named()
    for each in arguments["checks"][:MOST]:
        named = named.joined(of_one(each))
    return named
