"""Refresh tokens: a session goes on without a new login, and a stolen token ends it.

A token is 256 random bits; only its SHA-256 is stored. Each is used once and leaves a successor,
all of one session being a family. A used token presented again means that two hold it, so the
family, its session and with it every access token of the session end (RFC 9700, section 4.14.2).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tenantry.audit.actions import AuditAction
from tenantry.authentication.sessions import repository
from tenantry.authentication.sessions.repository import NewSession
from tenantry.kernel.clock import Clock
from tenantry.kernel.errors import Unauthenticated
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.opaque import digest, new_salt, new_secret, successor

REFRESH_INVALID = "REFRESH_INVALID"
REFRESH_REUSED = "REFRESH_REUSED"


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A fresh token; it may be handed to the client and stored nowhere.

    ``expires_at`` is the session's own end: rotation does not prolong it.
    """

    token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"RefreshToken(expires_at={self.expires_at!r})"


@dataclass(frozen=True, slots=True)
class Renewed:
    """A family that has moved on: whose session it is, and the token that comes next."""

    session_id: UUID
    tenant_id: UUID
    user_id: UUID
    refresh: RefreshToken


async def issue(work: UnitOfWork, session: NewSession) -> RefreshToken:
    """The first token of a session just opened in the tenant entered, good for as long as it is."""
    token = new_secret()
    await repository.insert_refresh_token(work, session, digest(token))
    return RefreshToken(token, session.expires_at)


async def renew(work: UnitOfWork, token: str, *, clock: Clock, grace: timedelta) -> Renewed | Unauthenticated:
    """Use ``token`` up: its successor, or why there is none, which must be committed all the same.

    Of uses at the same moment one succeeds. A token used before ends its session, ``work`` being
    in that tenant afterwards so that it is recorded there; within ``grace`` of its use it is
    answered with the same successor again. The session may since have lost its right to act: the
    caller reads its authority before it hands anything out.

    The reasons are ``REFRESH_INVALID`` (unknown, or its session has ended) and ``REFRESH_REUSED``.
    """
    salt = new_salt()
    following = successor(token, salt)
    turn = await repository.rotate(
        work, digest(token), digest(following), salt=salt, now=clock(), grace=grace
    )
    if turn is None or turn.outcome == "ENDED":
        return Unauthenticated(REFRESH_INVALID, "This session has ended; sign in again.")
    await work.enter(turn.tenant_id, user_id=turn.user_id, node=turn.tenant_node)
    work.record(AuditAction.SESSION_REFRESH, turn.session_node)
    if turn.outcome == "REUSED":
        return Unauthenticated(REFRESH_REUSED, "This session was ended for its safety; sign in again.")
    if turn.outcome == "REPEATED":
        following = successor(token, turn.salt)
    renewed = RefreshToken(following, turn.expires_at)
    return Renewed(turn.session_id, turn.tenant_id, turn.user_id, renewed)
