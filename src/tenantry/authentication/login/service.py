"""Signing in: from a verified identity to a session in one tenant.

Refusals are raised, and nothing of them stays. ``TenantChoiceRequired`` and ``MfaRequired`` are
returned: the ticket, and the person it is for, must outlive the transaction.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

from tenantry.audit.actions import AuditAction
from tenantry.authentication.connections.repository import Trusted
from tenantry.authentication.connections.service import provision
from tenantry.authentication.factors.errors import FactorRejected
from tenantry.authentication.factors.service import is_set, prove
from tenantry.authentication.login import repository
from tenantry.authentication.login.candidates import Candidate, choices, one_for_each_tenant
from tenantry.authentication.login.entrant import Entrant
from tenantry.authentication.login.errors import (
    MemberSuspended,
    MfaRequired,
    NotInvited,
    TenantChoice,
    TenantChoiceRequired,
)
from tenantry.authentication.login.people import Person, bind, free_address, memberships, recognise
from tenantry.authentication.login.terms import Terms
from tenantry.authentication.login.tickets import challenged, issue, redeem
from tenantry.authentication.sessions.refresh import RefreshToken, renew
from tenantry.authentication.sessions.refresh import issue as issue_refresh
from tenantry.authentication.sessions.repository import Origin, origin_of
from tenantry.authentication.sessions.service import Client, Proof, authority_here, end_oldest, open_session
from tenantry.directory.invitations.errors import InvitationNotPending
from tenantry.directory.invitations.service import claim, find_by_token
from tenantry.directory.members.models import MemberStatus
from tenantry.directory.tenants.repository import LoginRules, login_rules
from tenantry.kernel.errors import Unauthenticated
from tenantry.kernel.principal import Authority, Scope
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.encryption import EncryptionKeys
from tenantry.tokens.identity import VerifiedIdentity


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session just opened or renewed, and all that a token says of it.

    ``permissions`` are what the roles list, each once; ``profile`` is the blueprint's: extra
    claim → canonical value. ``authority`` is good for reading in the same transaction.
    """

    session_id: UUID
    authority: Authority
    refresh: RefreshToken
    permissions: tuple[str, ...] = ()
    profile: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Arrival:
    """An identity that was verified in this request, and where its person wants to go.

    ``tenant`` is a node id. ``trusted`` is the connection whose word it is, which opens its own
    tenant alone; None for a provider of the settings.
    """

    identity: VerifiedIdentity
    tenant: str | None = None
    scope: Scope | None = None
    trusted: Trusted | None = None


async def sign_in(
    work: UnitOfWork, arrival: Arrival, *, client: Client, terms: Terms
) -> SignedIn | TenantChoiceRequired | MfaRequired:
    """Open a session for whoever has arrived, where they belong or are awaited.

    A session that the request came with is left behind. The first login binds issuer and subject,
    and accepts the invitation of the tenant entered, of no other: who has not accepted stays unknown
    to those who invited them.
    First logins of one person at the same moment all succeed, with one user and one identity.

    Raises ``NotInvited``, ``MemberSuspended``; ``Conflict`` where another transaction stood in
    the way.
    """
    _leave_session(work)
    person = await recognise(work, arrival.identity)
    found = await _places(work, person, arrival.trusted)
    opened = choices(found, tenant=arrival.tenant, scope=arrival.scope)
    entrant = Entrant(await bind(work, person), person.email, client, _origin(arrival.identity))
    await _settle(work, entrant.user_id, found, terms=terms)
    if len(opened) > 1:
        ticket = await issue(work, entrant, terms=terms)
        return TenantChoiceRequired([TenantChoice(each.tenant, each.name) for each in opened], ticket)
    return await _enter(work, entrant, opened[0], AuditAction.AUTHENTICATION_LOGIN, terms=terms)


async def accept_invitation(
    work: UnitOfWork, token: str, arrival: Arrival, *, client: Client, terms: Terms
) -> SignedIn | MfaRequired:
    """Accept the invitation whose mailed token this is, and sign in to its tenant.

    For a person with a second factor it is accepted once they have answered the challenge. The
    issuer must have verified the very address that was invited. Of uses at the same moment one
    succeeds. Raises ``NotInvited`` for a token that is unknown, used, expired, revoked or meant for
    another address, all alike, and ``MemberSuspended`` for a suspended tenant.
    """
    _leave_session(work)
    identity = arrival.identity
    invitation = await find_by_token(work, token, clock=terms.clock)
    if invitation is None or not identity.email_verified or invitation.email != identity.email:
        raise NotInvited
    person = await recognise(work, identity)
    places = await _places(work, person, arrival.trusted)
    found = [each for each in places if each.member_id == invitation.member_id]
    (place,) = choices(found, tenant=None, scope=None)
    entrant = Entrant(await bind(work, person), person.email, client, _origin(identity))
    if asked := await _challenge(work, entrant, place, terms=terms):
        return asked
    try:
        await claim(work, place.member_id, user_id=entrant.user_id, clock=terms.clock)
    except InvitationNotPending:
        raise NotInvited from None
    return await _open(work, entrant, place, AuditAction.AUTHENTICATION_LOGIN, terms=terms)


async def redeem_ticket(
    work: UnitOfWork, ticket: str, tenant: str, *, client: Client, terms: Terms
) -> SignedIn | MfaRequired:
    """Sign in to ``tenant`` (a node id) with the ticket of ``TenantChoiceRequired``.

    Of uses at the same moment one succeeds. Raises ``Unauthenticated`` (``TICKET_INVALID``) for
    a ticket that is unknown, used or expired, ``NotInvited`` and ``MemberSuspended``, which leave
    the ticket as it was.
    """
    _leave_session(work)
    entrant = await redeem(work, ticket, client=client, terms=terms)
    email = await free_address(work, entrant.user_id, entrant.email)
    return await _switch(work, replace(entrant, email=email), tenant, terms=terms)


async def answer_challenge(
    work: UnitOfWork, challenge: str, code: str, *, keys: EncryptionKeys, client: Client, terms: Terms
) -> SignedIn | FactorRejected:
    """Go on with a login that ``MfaRequired`` has stopped, by a code of the person's second factor.

    The challenge is used up by a right code; a wrong one must be committed, so that it counts. All
    else that could refuse is asked before the code is tried, so that a right one is never lost.
    Raises ``Unauthenticated`` (``CHALLENGE_INVALID``), ``NotInvited``, ``MemberSuspended`` where
    things have changed since, ``FactorNotSet`` and ``RateLimited``.
    """
    _leave_session(work)
    held, email = await challenged(work, challenge, terms=terms)
    email = await free_address(work, held.user_id, email)
    found = one_for_each_tenant(await repository.candidates_of(work, held.user_id, email))
    (place,) = choices([each for each in found if each.member_id == held.member_id], tenant=None, scope=None)
    await work.enter(place.tenant_id, user_id=held.user_id, node=place.tenant)
    rejected = await prove(work, held.user_id, code, keys=keys, clock=terms.clock)
    if rejected is not None:
        return rejected
    held.used_at = now = terms.clock()
    origin = Origin(held.identity_issuer, held.identity_subject, held.provider_sid)
    entrant = Entrant(held.user_id, email, client, origin, factor_at=now)
    return await _open(work, entrant, place, AuditAction.AUTHENTICATION_MFA_VERIFY, terms=terms)


async def switch_tenant(
    work: UnitOfWork, tenant: str, *, client: Client, terms: Terms
) -> SignedIn | MfaRequired:
    """Open a session of the same person in another of their tenants; the present one goes on.

    A second factor that the present one has proved, and when, holds for the new one.

    Only a tenant: whoever wants the platform signs in anew. Raises ``Unauthenticated`` without a
    session, ``NotInvited`` and ``MemberSuspended``.
    """
    acting = work.acting
    origin = await origin_of(work, acting.session_id)
    entrant = Entrant(acting.user_id, None, client, origin, factor_at=acting.factor_at)
    _leave_session(work)
    return await _switch(work, entrant, tenant, terms=terms)


async def renew_session(work: UnitOfWork, token: str, *, terms: Terms) -> SignedIn | Unauthenticated:
    """Go on with the session whose refresh token this is, as its member may now, by a token that follows.

    A refusal that is returned, not raised, has done something that must stay: a used token ended
    its session. Raises ``Unauthenticated`` where the session may not act any more, which leaves the
    token as it was.
    """
    _leave_session(work)
    renewed = await renew(work, token, clock=terms.clock, grace=terms.grace)
    if isinstance(renewed, Unauthenticated):
        return renewed
    rules = await login_rules(work)
    return await _signed_in(work, renewed.session_id, renewed.refresh, rules=rules, terms=terms)


def _leave_session(work: UnitOfWork) -> None:
    """From here on this is a login of a person proved, and not an old tenant's authority crossing."""
    work.authority = None


async def _places(work: UnitOfWork, person: Person, trusted: Trusted | None) -> list[Candidate]:
    """What the person has and what waits for them; of a connection's word, in its tenant alone."""
    found = await memberships(work, person)
    if trusted is None:
        return found
    inside = [each for each in found if each.tenant_id == trusted.tenant_id]
    if not inside and await provision(work, trusted, person.identity) is not None:
        inside = [each for each in await memberships(work, person) if each.tenant_id == trusted.tenant_id]
    return inside


def _origin(identity: VerifiedIdentity) -> Origin:
    return Origin(identity.issuer, identity.subject, identity.sid)


async def _switch(work: UnitOfWork, entrant: Entrant, tenant: str, *, terms: Terms) -> SignedIn | MfaRequired:
    found = one_for_each_tenant(await repository.candidates_of(work, entrant.user_id, entrant.email))
    (place,) = choices(found, tenant=tenant, scope=Scope.TENANT)
    await _settle(work, entrant.user_id, found, terms=terms)
    return await _enter(work, entrant, place, AuditAction.AUTHENTICATION_TENANT_SWITCH, terms=terms)


async def _settle(work: UnitOfWork, user_id: UUID, found: Iterable[Candidate], *, terms: Terms) -> None:
    """Bind members who are ACTIVE already and wait for the person, as those made with a tenant do.

    Always in the same order, so that two logins cannot block each other. Invited ones are bound
    where their invitation is accepted, and those of which a person has one only, where they enter.
    """
    for each in found:
        if each.open and not each.linked and not each.single and each.status == MemberStatus.ACTIVE:
            await work.enter(each.tenant_id, user_id=user_id)
            await repository.link_member(work, each.member_id, user_id, now=terms.clock())


async def _enter(
    work: UnitOfWork, entrant: Entrant, place: Candidate, action: AuditAction, *, terms: Terms
) -> SignedIn | MfaRequired:
    """Into the tenant, or as far as the second factor."""
    asked = await _challenge(work, entrant, place, terms=terms)
    return asked or await _open(work, entrant, place, action, terms=terms)


async def _challenge(
    work: UnitOfWork, entrant: Entrant, place: Candidate, *, terms: Terms
) -> MfaRequired | None:
    """Enter the tenant, and ask for the second factor of who has one and has not proved it."""
    await work.enter(place.tenant_id, user_id=entrant.user_id, node=place.tenant)
    if entrant.factor_at is not None or not await is_set(work, entrant.user_id):
        return None
    member = place.member_id
    return MfaRequired(await issue(work, entrant, terms=terms, member_id=member))


async def _open(
    work: UnitOfWork, entrant: Entrant, place: Candidate, action: AuditAction, *, terms: Terms
) -> SignedIn:
    """A session in the tenant entered; an invitation is accepted on the way."""
    member = await _member(work, entrant.user_id, place.member_id, terms=terms)
    session = await open_session(
        work,
        member,
        client=entrant.client,
        clock=terms.clock,
        lifetime=terms.session,
        proof=Proof(entrant.origin, entrant.factor_at),
    )
    refresh = await issue_refresh(work, session)
    rules = await login_rules(work)
    if rules.max_sessions is not None:
        await end_oldest(work, session, keep=rules.max_sessions)
    signed_in = await _signed_in(work, session.id, refresh, rules=rules, terms=terms)
    work.record(action, signed_in.authority.member)
    return signed_in


async def _signed_in(
    work: UnitOfWork, session_id: UUID, refresh: RefreshToken, *, rules: LoginRules, terms: Terms
) -> SignedIn:
    authority = await authority_here(work, session_id, clock=terms.clock)
    permissions = await repository.permissions_of(work, authority.member_id)
    return SignedIn(session_id, authority, refresh, permissions, rules.claims)


async def _member(work: UnitOfWork, user_id: UUID, member_id: UUID, *, terms: Terms) -> repository.Place:
    """The person's member in the tenant entered, ACTIVE; an invitation is accepted on the way."""
    member = await repository.member_of(work, member_id)
    if member is not None and member.user_id is None and member.status == MemberStatus.ACTIVE:
        await repository.link_member(work, member_id, user_id, now=terms.clock())
        member = await repository.member_of(work, member_id)
    if member is not None and member.status == MemberStatus.INVITED:
        with suppress(InvitationNotPending):  # another login of theirs may have been faster
            await claim(work, member_id, user_id=user_id, clock=terms.clock)
        member = await repository.member_of(work, member_id)
    if member is None or member.user_id != user_id or member.status == MemberStatus.INVITED:
        raise NotInvited
    if member.status != MemberStatus.ACTIVE:
        raise MemberSuspended
    return member
