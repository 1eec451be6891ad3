"""Asking people in."""

from datetime import datetime, timedelta
from typing import Annotated

import strawberry

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import requires
from tenantry.api.call import Call
from tenantry.api.invitations import Invitation
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, found, graph_type, mutation
from tenantry.api.problems import (
    AlreadyMember,
    InvalidEmail,
    InvitationNotPending,
    InvitationPending,
    RoleNotGrantable,
    SeatsExhausted,
    TooManyRoles,
    outcome_of,
)
from tenantry.audit.actions import AuditAction
from tenantry.directory.invitations import service
from tenantry.directory.invitations.drafts import InvitationRequest
from tenantry.directory.invitations.models import Invitation as InvitationRow
from tenantry.directory.invitations.service import Invited
from tenantry.directory.roles.service import named_by_key
from tenantry.kernel.errors import Problem
from tenantry.kernel.principal import Scope

INVITES = requires(BuiltIn.MEMBER_INVITE, scope=Scope.TENANT)


@strawberry.input(description="One address to ask in; roles are named by id, by key, or both.")
class InvitationInput:
    """Whom, and as what."""

    email: str
    role_ids: list[strawberry.ID]
    name: str | None = strawberry.UNSET
    role_keys: list[str] = strawberry.field(default_factory=list[str])
    membership_expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Until when the person will belong here, for guests."
    )


@strawberry.input(description="At most a hundred addresses.")
class InvitationsCreateInput:
    """Whom to ask in."""

    invitations: list[InvitationInput]


@strawberry.input(description="The invitation to send again, with a new link.")
class InvitationResendInput:
    """Which invitation."""

    invitation_id: strawberry.ID


@strawberry.input(description="The invitation to take back.")
class InvitationRevokeInput:
    """Which invitation."""

    invitation_id: strawberry.ID


@graph_type(rule=INVITES)
class InvitationCreated:
    """Asked in; the mail is on its way."""

    invitation: Invitation = found("The invitation.", InvitationRow)
    link: str | None = attribute("The mailed link, where the caller may hand it over: in development.")


InvitationCreateResult = Annotated[
    InvitationCreated
    | AlreadyMember
    | InvitationPending
    | RoleNotGrantable
    | TooManyRoles
    | InvalidEmail
    | SeatsExhausted,
    strawberry.union("InvitationCreateResult", description="What came of one address."),
]


@graph_type(rule=INVITES)
class InvitationsCreatePayload:
    """One result for each address, in order."""

    results: list[InvitationCreateResult] = attribute("What came of each address.")


@graph_type(rule=INVITES)
class InvitationResent:
    """Sent again; the old link is dead."""

    invitation: Invitation = found("The invitation.", InvitationRow)
    link: str | None = attribute("The mailed link, where the caller may hand it over: in development.")


@graph_type(rule=requires(BuiltIn.INVITATION_REVOKE, scope=Scope.TENANT))
class InvitationRevoked:
    """Taken back; the link is dead."""

    invitation: Invitation = found("The invitation.", InvitationRow)


InvitationResendResult = Annotated[
    InvitationResent | InvitationNotPending | RoleNotGrantable,
    strawberry.union("InvitationResendResult", description="What came of it."),
]
InvitationRevokeResult = Annotated[
    InvitationRevoked | InvitationNotPending,
    strawberry.union("InvitationRevokeResult", description="What came of it."),
]


async def _create(call: Call, taken: InvitationsCreateInput) -> Outcome:
    named = await named_by_key(call.work, {key for each in taken.invitations for key in each.role_keys})
    requests = [
        InvitationRequest(
            each.email,
            (*each.role_ids, *(named[key] for key in each.role_keys)),
            each.name or None,
            each.membership_expires_at or None,
        )
        for each in taken.invitations
    ]
    services = call.services
    made = await service.create_invitations(
        call.work,
        requests,
        clock=services.clock,
        lifetime=timedelta(seconds=services.settings.invitation_seconds),
        mailer=services.mailer,
        link=lambda token: _link(call, token),
    )
    results = [outcome_of(each) if isinstance(each, Problem) else _made(call, each) for each in made]
    return Outcome("InvitationsCreatePayload", {"results": results})


async def _resend(call: Call, taken: InvitationResendInput) -> Outcome:
    services = call.services
    made = await service.resend(
        call.work,
        taken.invitation_id,
        clock=services.clock,
        lifetime=timedelta(seconds=services.settings.invitation_seconds),
        mailer=services.mailer,
        link=lambda token: _link(call, token),
    )
    return _made(call, made, "InvitationResent")


async def _revoke(call: Call, taken: InvitationRevokeInput) -> Outcome:
    invitation = await service.revoke(call.work, taken.invitation_id)
    return Outcome("InvitationRevoked", {"invitation": invitation.node_id})


def _made(call: Call, invited: Invited, type_name: str = "InvitationCreated") -> Outcome:
    """The link is answered on a developer's machine only: elsewhere the mail alone proves the address."""
    link = invited.link if call.services.settings.development else None
    return Outcome(type_name, {"invitation": invited.invitation.node_id, "link": link})


def _link(call: Call, token: str) -> str:
    """The token stands in the fragment, which no server and no log ever sees."""
    return f"{call.services.settings.invitation_page}#{token}"


@strawberry.type
class InvitationMutations:
    """Asking people in."""

    invitations_create: InvitationsCreatePayload = mutation(
        "Ask people in, each by a mailed link; one result for each address.",
        _create,
        takes=InvitationsCreateInput,
        action=AuditAction.INVITATION_CREATE,
        rule=INVITES,
    )
    invitation_resend: InvitationResendResult = mutation(
        "Send an invitation again, with a new link and a new term.",
        _resend,
        takes=InvitationResendInput,
        action=AuditAction.INVITATION_RESEND,
        rule=INVITES,
    )
    invitation_revoke: InvitationRevokeResult = mutation(
        "Take an invitation back.",
        _revoke,
        takes=InvitationRevokeInput,
        action=AuditAction.INVITATION_REVOKE,
        rule=requires(BuiltIn.INVITATION_REVOKE, scope=Scope.TENANT),
    )
