"""What can be done with invitations: create, send again, revoke, and let the invited person in."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

from tenantry.audit.actions import AuditAction
from tenantry.directory.invitations.drafts import (
    InvitationRequest,
    Terms,
    clear_the_way,
    draft_all,
    normalised,
    place,
)
from tenantry.directory.invitations.errors import InvitationNotPending, InvitationPending
from tenantry.directory.invitations.letter import Letter, send_letters
from tenantry.directory.invitations.models import Invitation, InvitationStatus
from tenantry.directory.invitations.repository import (
    FoundInvitation,
    NewInvitation,
    invitation_by_token,
    invitation_to_change,
    living_of,
    member_to_change,
    roles_of,
    surroundings,
)
from tenantry.directory.members.joining import joining
from tenantry.directory.members.models import Member, MemberStatus
from tenantry.directory.roles.errors import RoleNotGrantable
from tenantry.directory.roles.service import may_grant
from tenantry.directory.tenants.repository import entered
from tenantry.kernel.clock import Clock
from tenantry.kernel.errors import BadUserInput, Forbidden, NotFound, Problem
from tenantry.mail.port import Mailer
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.opaque import digest, new_secret

MAX_REQUESTS = 100

Link = Callable[[str], str]
"""Makes the URL that the invited person opens out of the invitation's token."""


@dataclass(frozen=True, slots=True)
class Invited:
    """A pending invitation and its link; the token in it is kept nowhere."""

    invitation: Invitation | NewInvitation
    link: str = field(repr=False)


async def create_invitations(
    work: UnitOfWork,
    requests: Sequence[InvitationRequest],
    *,
    clock: Clock,
    lifetime: timedelta,
    mailer: Mailer,
    link: Link,
) -> list[Invited | Problem]:
    """Invite each address; answers in the order of ``requests``, and a refusal stops only its own.

    Runs as many statements for a hundred addresses as for one. Raises ``BadUserInput`` for more
    than a hundred, and ``NotFound`` when a role is not this tenant's.
    """
    if len(requests) > MAX_REQUESTS:
        raise BadUserInput(f"Invite at most {MAX_REQUESTS} addresses at once.", {"invitations": "too many"})
    now = clock()
    emails = [normalised(request.email) for request in requests]
    asked = {email for email in emails if email}
    wanted = {role for request in requests for role in request.role_ids}
    found = await surroundings(work, emails=asked, role_ids=wanted)
    if found is None or len(found.roles) != len(wanted):
        raise NotFound
    taken = await clear_the_way(work, asked, now=now) if found.known else {}
    terms = Terms(found.roles, found.max_roles, now, now + lifetime, free_seats=found.free_seats)
    drafts = draft_all(work, requests, emails, taken=taken, terms=terms)
    placed = {
        draft.email: Invited(draft, link(draft.token))
        for draft in await place(work, [draft for draft in drafts if isinstance(draft, NewInvitation)])
    }
    for invited in placed.values():
        work.record(AuditAction.INVITATION_CREATE, invited.invitation.node_id)
    _post(work, placed.values(), mailer, tenant=found.tenant)
    return [
        placed.get(draft.email, InvitationPending()) if isinstance(draft, NewInvitation) else draft
        for draft in drafts
    ]


async def resend(
    work: UnitOfWork, invitation_id: str, *, clock: Clock, lifetime: timedelta, mailer: Mailer, link: Link
) -> Invited:
    """Send a pending invitation again, an expired one too, with a new link; the old one is dead.

    A new link is a new grant: raises ``RoleNotGrantable`` where the roles hold more than the
    caller. Also raises ``NotFound`` and ``InvitationNotPending``.
    """
    invitation, member = await _pending(work, invitation_id)
    tenant = await entered(work)
    if tenant is None:
        raise NotFound
    if not await _could_grant(work, member):
        raise RoleNotGrantable
    token = new_secret()
    invitation.token_hash, invitation.expires_at = digest(token), clock() + lifetime
    work.record(AuditAction.INVITATION_RESEND, invitation.node_id)
    invited = Invited(invitation, link(token))
    _post(work, [invited], mailer, tenant=tenant.name)
    return invited


async def revoke(work: UnitOfWork, invitation_id: str) -> Invitation:
    """Take a pending invitation back; the member who had not come yet goes with it.

    Raises ``Forbidden`` where that member would hold more than the caller, ``NotFound`` and
    ``InvitationNotPending``.
    """
    invitation, member = await _pending(work, invitation_id)
    if not await _could_grant(work, member):
        raise Forbidden
    invitation.status = InvitationStatus.REVOKED
    await work.session.flush()
    await work.session.delete(member)
    await work.session.flush()
    work.record(AuditAction.INVITATION_REVOKE, invitation.node_id)
    return invitation


async def find_by_token(work: UnitOfWork, token: str, *, clock: Clock) -> FoundInvitation | None:
    """The living invitation that a mailed token opens; None for any other text.

    Whoever presents the token must still prove that the invited address is theirs.
    """
    return await invitation_by_token(work, digest(token), now=clock())


async def claim(work: UnitOfWork, member_id: UUID, *, user_id: UUID, clock: Clock) -> Member:
    """Use up an invited member's living invitation: ACTIVE from now on, and bound to ``user_id``.

    The caller has entered the tenant and verified that the invited address is the person's. Of
    calls at the same moment one succeeds. Raises ``InvitationNotPending``, ``SeatsExhausted``,
    ``SingleMembership``.
    """
    member = await member_to_change(work, member_id)
    invitation = await living_of(work, member_id, now=clock())
    if member is None or invitation is None or member.status != MemberStatus.INVITED:
        raise InvitationNotPending
    if member.user_id not in {None, user_id}:
        raise InvitationNotPending
    async with joining(work):
        invitation.status, invitation.accepted_at = InvitationStatus.ACCEPTED, clock()
        member.status, member.joined_at, member.user_id = MemberStatus.ACTIVE, clock(), user_id
        member.version += 1
    work.record(AuditAction.INVITATION_ACCEPT, invitation.node_id, member.node_id)
    return member


async def _pending(work: UnitOfWork, invitation_id: str) -> tuple[Invitation, Member]:
    """The invitation and its member, both held for a change."""
    invitation = await invitation_to_change(work, invitation_id)
    if invitation is None:
        raise NotFound
    if invitation.status != InvitationStatus.PENDING or invitation.member_id is None:
        raise InvitationNotPending
    member = await member_to_change(work, invitation.member_id)
    if member is None or member.status != MemberStatus.INVITED:
        raise InvitationNotPending
    return invitation, member


async def _could_grant(work: UnitOfWork, member: Member) -> bool:
    """Whether the caller could have given the member what it is to hold."""
    return all(may_grant(work.acting, role) for role in await roles_of(work, member.id))


def _post(work: UnitOfWork, invited: Iterable[Invited], mailer: Mailer, *, tenant: str) -> None:
    """Send the letters once the transaction has committed; they die with a rollback."""
    letters = [
        Letter(each.invitation.node_id, each.invitation.email, tenant, each.link, each.invitation.expires_at)
        for each in invited
    ]
    if letters:
        work.after_commit(partial(send_letters, mailer, letters))
