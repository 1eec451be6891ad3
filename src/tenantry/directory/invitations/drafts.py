"""Invitations in the making: what speaks against an address, and putting the rest in place."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from email_validator import EmailNotValidError, validate_email

from tenantry.directory.invitations.errors import AlreadyMember, InvalidEmail, InvitationPending
from tenantry.directory.invitations.models import InvitationStatus
from tenantry.directory.invitations.repository import (
    NewInvitation,
    OfferedRole,
    insert_invitations,
    members_at,
    pending_at,
)
from tenantry.directory.members.errors import SeatsExhausted, TooManyRoles
from tenantry.directory.members.models import MemberStatus
from tenantry.directory.roles.errors import RoleNotGrantable
from tenantry.directory.roles.service import may_grant
from tenantry.kernel.errors import BadUserInput, Problem
from tenantry.kernel.text import line
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.opaque import new_secret


@dataclass(frozen=True, slots=True)
class InvitationRequest:
    """One address to invite, with the node ids of the roles it is to have."""

    email: str = field(repr=False)
    role_ids: tuple[str, ...] = ()
    name: str | None = field(default=None, repr=False)
    membership_expires_at: datetime | None = None
    """Until when the person will belong, for guests; None for good."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every address of one request."""

    roles: Mapping[str, OfferedRole]
    """Those asked for, by node id."""
    max_roles: int | None
    now: datetime
    expires_at: datetime
    free_seats: int | None = None
    """Of the tenant's plan; None for any number. An invitation takes none, whoever accepts it does."""


def draft_all(
    work: UnitOfWork,
    requests: Sequence[InvitationRequest],
    emails: Sequence[str | None],
    *,
    taken: Mapping[str, Problem],
    terms: Terms,
) -> list[NewInvitation | Problem]:
    """A draft or a refusal for each request, in their order; ``emails`` are their addresses, normalised.

    Raises ``BadUserInput`` for an end of a membership that has come, or that an owner would have.
    """
    answers: list[NewInvitation | Problem] = []
    spoken_for = dict(taken)
    for request, email in zip(requests, emails, strict=True):
        if email is None:
            answers.append(InvalidEmail())
            continue
        roles = [terms.roles[role] for role in dict.fromkeys(request.role_ids)]
        problem = spoken_for.get(email) or _refused(work, roles, terms)
        name = None if request.name is None else line(request.name, "name")
        end = _checked_end(request.membership_expires_at, roles, terms)
        answers.append(
            problem or NewInvitation(email, name, roles, terms.now, terms.expires_at, new_secret(), end)
        )
        spoken_for.setdefault(email, problem or InvitationPending())
    return answers


async def place(work: UnitOfWork, drafts: Sequence[NewInvitation]) -> list[NewInvitation]:
    """Put the drafts into the database; returns those whose address nobody took in the meantime."""
    # The platform's staff are members of the platform, not of the tenant they invite into.
    inviter = work.acting.member_id if work.acting.tenant_id == work.tenant else None
    placed = await insert_invitations(work, drafts, inviter_id=inviter)
    return [draft for draft in drafts if draft.email in placed]


def normalised(address: str) -> str | None:
    """The address as it is stored and compared, in lower case; None where the text is none.

    Syntax only (RFC 5321, RFC 6531): no name is looked up.
    """
    try:
        return validate_email(address, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


async def clear_the_way(work: UnitOfWork, emails: Collection[str], *, now: datetime) -> dict[str, Problem]:
    """What the addresses are taken by; what is left of dead invitations is cleared away."""
    members = {member.email: member for member in await members_at(work, emails)}
    pending = {invitation.email: invitation for invitation in await pending_at(work, emails)}
    # Without a member it is dead (somebody removed them). One that is looked at later than the
    # members may have a newer member than those, so the invitation itself is asked.
    living = {email for email, found in pending.items() if found.expires_at > now and found.member_id}
    taken: dict[str, Problem] = {email: InvitationPending() for email in living}
    for email, member in members.items():
        if member.status != MemberStatus.INVITED:
            taken[email] = AlreadyMember()
        elif email not in living:
            await work.session.delete(member)
    for email, invitation in pending.items():
        if email not in taken:
            expired = invitation.expires_at <= now
            invitation.status = InvitationStatus.EXPIRED if expired else InvitationStatus.REVOKED
    await work.session.flush()
    return taken


def _checked_end(end: datetime | None, roles: Sequence[OfferedRole], terms: Terms) -> datetime | None:
    if end is not None and (end <= terms.now or any(role.is_owner for role in roles)):
        wrong = "must be in the future" if end <= terms.now else "an owner's membership has no end"
        raise BadUserInput("Some input cannot be taken.", {"membershipExpiresAt": wrong})
    return end


def _refused(work: UnitOfWork, roles: Sequence[OfferedRole], terms: Terms) -> Problem | None:
    """What speaks against asking somebody in for these roles."""
    if terms.free_seats is not None and terms.free_seats <= 0:
        return SeatsExhausted()
    if terms.max_roles is not None and len(roles) > terms.max_roles:
        return TooManyRoles(terms.max_roles)
    if not all(may_grant(work.acting, role) for role in roles):
        return RoleNotGrantable()
    return None
