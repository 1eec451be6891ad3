"""Ending sessions: one's own, one or all others."""

import strawberry

from tenantry.access.rules import authenticated
from tenantry.api.call import Call
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, found, graph_type, mutation
from tenantry.api.sessions import Session
from tenantry.audit.actions import AuditAction
from tenantry.authentication.sessions import service
from tenantry.authentication.sessions.models import Session as SessionRow

SIGNED_IN = authenticated()


@strawberry.input(description="The session to end.")
class SessionRevokeInput:
    """One of one's own."""

    session_id: strawberry.ID


@graph_type(rule=SIGNED_IN)
class SessionRevokeResult:
    """Ended."""

    session: Session = found("The session, revoked.", SessionRow)


@graph_type(rule=SIGNED_IN)
class SessionRevokeOthersPayload:
    """Ended."""

    count: int = attribute("How many sessions were ended.")


async def _revoke(call: Call, taken: SessionRevokeInput) -> Outcome:
    session = await service.revoke_session(call.work, taken.session_id)
    return Outcome("SessionRevokeResult", {"session": session.node_id})


async def _revoke_others(call: Call) -> Outcome:
    return Outcome("SessionRevokeOthersPayload", {"count": await service.revoke_other_sessions(call.work)})


@strawberry.type
class SessionMutations:
    """Ending sessions."""

    session_revoke: SessionRevokeResult = mutation(
        "End one of one's own sessions, at once and everywhere.",
        _revoke,
        takes=SessionRevokeInput,
        action=AuditAction.SESSION_REVOKE,
        rule=SIGNED_IN,
    )
    session_revoke_others: SessionRevokeOthersPayload = mutation(
        "End all of one's sessions in this tenant but the present one.",
        _revoke_others,
        action=AuditAction.SESSION_REVOKE_OTHERS,
        rule=SIGNED_IN,
    )
