"""Signing people in and inviting them, as the graph's mutations do."""

from collections.abc import Iterable
from datetime import timedelta
from secrets import token_hex

from sqlmodel import select

from tenantry.authentication.login.errors import MfaRequired, TenantChoiceRequired
from tenantry.authentication.login.service import Arrival, SignedIn, accept_invitation, sign_in
from tenantry.authentication.login.terms import Terms
from tenantry.authentication.sessions.service import Client
from tenantry.directory.invitations.drafts import InvitationRequest
from tenantry.directory.invitations.service import Invited, create_invitations
from tenantry.directory.roles.models import Role
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.clock import system_clock
from tenantry.kernel.errors import Problem
from tenantry.kernel.principal import Authority, Scope
from tenantry.mail.mailbox import Mailbox
from tenantry.mail.port import Mailer
from tenantry.tokens.identity import VerifiedIdentity
from tests.support.database import TemporaryDatabase

ISSUER = "https://issuer.example"
CLIENT = Client("192.0.2.7", "tests")
TERMS = Terms(system_clock, session=timedelta(days=7), ticket=timedelta(minutes=5))
WEEK = timedelta(days=7)


def address() -> str:
    """An address that nobody has used."""
    return f"{token_hex(6)}@people.example"


def identity(
    email: str | None, *, subject: str | None = None, issuer: str = ISSUER, verified: bool = True
) -> VerifiedIdentity:
    """What an issuer says of a person; one subject for each address unless said otherwise."""
    return VerifiedIdentity(
        issuer=issuer,
        subject=subject or f"subject of {email}",
        email=email,
        email_verified=verified,
        name="Ann",
    )


def link(token: str) -> str:
    """The URL of an invitation, as a deployment would make it."""
    return f"https://app.example/accept#{token}"


def token_in(invited: Invited) -> str:
    """The token that an invitation's link carries."""
    return invited.link.rsplit("#", 1)[1]


async def login(
    database: TemporaryDatabase,
    who: VerifiedIdentity,
    *,
    tenant: str | None = None,
    scope: Scope | None = None,
    terms: Terms = TERMS,
) -> SignedIn | TenantChoiceRequired | MfaRequired:
    """Sign in, in a transaction of its own."""
    async with database.writing(None) as work:
        return await sign_in(work, Arrival(who, tenant, scope), client=CLIENT, terms=terms)


async def session_of(
    database: TemporaryDatabase,
    who: VerifiedIdentity,
    *,
    tenant: str | None = None,
    scope: Scope | None = None,
) -> SignedIn:
    """Sign in where that needs no choice and no second factor."""
    return _done(await login(database, who, tenant=tenant, scope=scope))


async def accept(
    database: TemporaryDatabase, token: str, who: VerifiedIdentity, *, terms: Terms = TERMS
) -> SignedIn:
    """Accept an invitation, in a transaction of its own."""
    async with database.writing(None) as work:
        return _done(await accept_invitation(work, token, Arrival(who), client=CLIENT, terms=terms))


def _done(outcome: SignedIn | TenantChoiceRequired | MfaRequired) -> SignedIn:
    if not isinstance(outcome, SignedIn):
        raise TypeError("this login asks for more")
    return outcome


async def role_id(database: TemporaryDatabase, tenant: Tenant, key: str) -> str:
    """Node id of a tenant's role."""
    async with database.writing(None) as work:
        await work.enter(tenant.id)
        return (await work.session.exec(select(Role).where(Role.key == key))).one().node_id


async def invite_all(
    database: TemporaryDatabase,
    inviter: Authority,
    requests: Iterable[InvitationRequest],
    *,
    mailer: Mailer | None = None,
    terms: Terms = TERMS,
) -> list[Invited | Problem]:
    """Invite, in a transaction of its own."""
    async with database.writing(inviter) as work:
        return await create_invitations(
            work, list(requests), clock=terms.clock, lifetime=WEEK, mailer=mailer or Mailbox(), link=link
        )


async def invite(
    database: TemporaryDatabase, inviter: Authority, email: str, *roles: str, terms: Terms = TERMS
) -> Invited:
    """Invite one address that nothing speaks against; ``roles`` are node ids."""
    (answer,) = await invite_all(database, inviter, [InvitationRequest(email, roles)], terms=terms)
    if isinstance(answer, Problem):
        raise answer
    return answer
