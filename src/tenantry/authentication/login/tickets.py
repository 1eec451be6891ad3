"""Tickets: what stands in for a token while a person chooses a tenant, or finds their second factor.

A ticket is 256 random bits and, behind them, the address that the issuer had verified, by which
invitations may wait. Only the SHA-256 of the whole is stored: a changed address is an unknown
ticket, and the address of someone who has not chosen yet is kept nowhere.
"""

import base64
from uuid import UUID

from tenantry.authentication.login import repository
from tenantry.authentication.login.entrant import Entrant
from tenantry.authentication.login.models import LoginTicket
from tenantry.authentication.login.terms import Terms
from tenantry.authentication.sessions.service import Client
from tenantry.kernel.errors import Unauthenticated
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.opaque import digest, new_secret

CHALLENGE_INVALID = "CHALLENGE_INVALID"
TICKET_INVALID = "TICKET_INVALID"
SEPARATOR = "."


async def issue(work: UnitOfWork, entrant: Entrant, *, terms: Terms, member_id: UUID | None = None) -> str:
    """A ticket for this person, good for one use within ``terms.ticket``.

    With ``member_id`` it is a challenge: good for that member's tenant, with a second factor.
    """
    address = base64.urlsafe_b64encode((entrant.email or "").encode()).decode()
    ticket = f"{new_secret()}{SEPARATOR}{address}"
    row = LoginTicket(
        ticket_hash=digest(ticket),
        user_id=entrant.user_id,
        expires_at=terms.clock() + terms.ticket,
        member_id=member_id,
        identity_issuer=entrant.origin.issuer,
        identity_subject=entrant.origin.subject,
        provider_sid=entrant.origin.sid,
    )
    await repository.insert_ticket(work, row)
    return ticket


async def redeem(work: UnitOfWork, ticket: str, *, client: Client, terms: Terms) -> Entrant:
    """Use a ticket up: whose it is, with the address that was verified when it was issued.

    Of uses at the same moment one succeeds. Raises ``Unauthenticated`` (``TICKET_INVALID``) for
    a ticket that is unknown, used or expired.
    """
    used = await repository.use_ticket(work, digest(ticket), now=terms.clock())
    if used is None:
        raise Unauthenticated(TICKET_INVALID, "This choice has lapsed; sign in again.")
    user_id, origin = used
    return Entrant(user_id, _address(ticket), client, origin)


async def challenged(work: UnitOfWork, challenge: str, *, terms: Terms) -> tuple[LoginTicket, str | None]:
    """Whom a challenge asks, held until ``work`` ends, and the address verified when it was issued.

    Setting its ``used_at`` uses it up. Raises ``Unauthenticated`` (``CHALLENGE_INVALID``) for one
    that is unknown, used or expired.
    """
    held = await repository.hold_challenge(work, digest(challenge), now=terms.clock())
    if held is None:
        raise Unauthenticated(CHALLENGE_INVALID, "This login has lapsed; sign in again.")
    return held, _address(challenge)


def _address(ticket: str) -> str | None:
    _, _, address = ticket.partition(SEPARATOR)
    return base64.urlsafe_b64decode(address).decode() or None
