"""What can be done with a tenant's own identity providers and domains.

The tenant's administrators control the issuer, and an issuer can say anything of anyone. So its word
opens their tenant alone, for addresses of domains that they have proved to be theirs, and under an
identity that no other connection shares (ADR 18).
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy.exc import IntegrityError

from tenantry.audit.actions import AuditAction
from tenantry.authentication.connections import repository
from tenantry.authentication.connections.domains import checked_domain, domain_of, record_value
from tenantry.authentication.connections.errors import DomainNotVerified, DomainTaken
from tenantry.authentication.connections.models import Connection, EmailDomain, issuer_of
from tenantry.authentication.connections.repository import Ended, Offered, Trusted
from tenantry.directory.members.models import Member
from tenantry.directory.provisioning.tenants import add_waiting_member
from tenantry.directory.roles.errors import RoleNotGrantable
from tenantry.directory.roles.models import Role
from tenantry.directory.roles.service import may_grant
from tenantry.kernel.changes import UNSET, Unset
from tenantry.kernel.clock import Clock
from tenantry.kernel.errors import BadUserInput, Conflict, NotFound
from tenantry.kernel.text import line
from tenantry.storage.errors import UNIQUE_VIOLATION, sqlstate
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.identity import LogoutToken, VerifiedIdentity
from tenantry.tokens.opaque import digest, new_secret

CLIENT_ID_CHARACTERS = 255


async def create(
    work: UnitOfWork, *, issuer: str, client_id: str, title: str, role_ids: Sequence[str], provisioning: bool
) -> Connection:
    """Trust an issuer, whose URL the caller has checked, for tokens made for ``client_id``.

    Raises ``BadUserInput``, ``RoleNotGrantable`` for roles that the caller may not give, ``Conflict``
    where the tenant has this connection already.
    """
    connection = Connection(
        tenant_id=work.tenant,
        issuer=issuer,
        client_id=line(client_id, "clientId", most=CLIENT_ID_CHARACTERS),
        title=line(title, "title"),
        provisioning=provisioning,
    )
    roles = await _grantable(work, role_ids)
    work.session.add(connection)
    try:
        await work.session.flush()
    except IntegrityError as error:
        if sqlstate(error) == UNIQUE_VIOLATION:
            raise Conflict("This tenant trusts this issuer and client already.") from error
        raise
    await repository.set_roles(work, connection, roles)
    work.record(AuditAction.CONNECTION_CREATE, connection.node_id)
    return connection


async def update(
    work: UnitOfWork,
    connection_id: str,
    *,
    title: str | Unset = UNSET,
    provisioning: bool | Unset = UNSET,
    role_ids: Sequence[str] | Unset = UNSET,
) -> Connection:
    """Change a connection; issuer and client stay. Raises what ``create`` does, and ``NotFound``."""
    connection = await _held(work, connection_id)
    if title is not UNSET:
        connection.title = line(title, "title")
    if provisioning is not UNSET:
        connection.provisioning = provisioning
    if role_ids is not UNSET:
        await repository.set_roles(work, connection, await _grantable(work, role_ids))
    await work.session.flush()
    work.record(AuditAction.CONNECTION_UPDATE, connection.node_id)
    return connection


async def delete(work: UnitOfWork, connection_id: str) -> None:
    """Trust an issuer no more: the sessions it has opened end, and whom it has named is unbound."""
    connection = await _held(work, connection_id)
    issuer = issuer_of(connection.node_id)
    ended = await repository.end_sessions(work, [issuer])
    await repository.forget_identities(work, issuer)
    await work.session.delete(connection)
    await work.session.flush()
    work.record(AuditAction.CONNECTION_DELETE, connection_id, *(each.session_node for each in ended))


async def add_domain(work: UnitOfWork, domain: str, *, clock: Clock) -> EmailDomain:
    """Begin to prove that a domain is the tenant's. Raises ``BadUserInput``, ``Conflict`` for one listed."""
    row = EmailDomain(
        tenant_id=work.tenant, domain=checked_domain(domain), token=new_secret(), created_at=clock()
    )
    work.session.add(row)
    try:
        await work.session.flush()
    except IntegrityError as error:
        if sqlstate(error) == UNIQUE_VIOLATION:
            raise Conflict("This domain is in the list already.") from error
        raise
    work.record(AuditAction.DOMAIN_ADD, row.node_id)
    return row


async def domain(work: UnitOfWork, domain_id: str) -> EmailDomain:
    """The tenant's domain of this node id. Raises ``NotFound``."""
    row = await repository.domain_to_change(work, domain_id)
    if row is None:
        raise NotFound
    return row


async def verify_domain(
    work: UnitOfWork, domain_id: str, texts: Sequence[str], *, clock: Clock
) -> EmailDomain:
    """Take a domain as the tenant's, where its TXT records are ``texts``; harmless twice.

    Raises ``NotFound``, ``DomainNotVerified``, and ``DomainTaken`` where another tenant was first.
    """
    row = await domain(work, domain_id)
    if record_value(row.token) not in texts:
        raise DomainNotVerified
    row.verified_at = row.verified_at or clock()
    try:
        await work.session.flush()
    except IntegrityError as error:
        if sqlstate(error) == UNIQUE_VIOLATION:
            raise DomainTaken from error
        raise
    work.record(AuditAction.DOMAIN_VERIFY, row.node_id)
    return row


async def remove_domain(work: UnitOfWork, domain_id: str) -> None:
    """Give a domain up; the sessions that the tenant's connections have opened end. Raises ``NotFound``."""
    row = await domain(work, domain_id)
    issuers = [issuer_of(each.node_id) for each in await repository.all_of_tenant(work)]
    ended = await repository.end_sessions(work, issuers)
    await work.session.delete(row)
    await work.session.flush()
    work.record(AuditAction.DOMAIN_REMOVE, domain_id, *(each.session_node for each in ended))


async def sign_in_by(work: UnitOfWork, email: str) -> list[Offered]:
    """Where people with such an address sign in; says nothing about the address itself."""
    found = domain_of(email)
    return [] if found is None else await repository.of_domain(work, found)


def vouched(
    found: Collection[Trusted], identity: VerifiedIdentity, *, tenant: str | None
) -> tuple[Trusted, VerifiedIdentity] | None:
    """Whose word ``identity`` is, and the identity as it counts here; None where it counts nowhere.

    Only a verified address counts, of a domain that is verified for the very tenant that trusts the
    issuer; ``tenant`` (a node id) narrows. The identity is the connection's own, whatever the issuer
    is called.
    """
    if not identity.email_verified or identity.email is None:
        return None
    domain = domain_of(identity.email)
    for trusted in found:
        if tenant in {None, trusted.tenant_node} and domain in trusted.domains:
            return trusted, replace(identity, issuer=issuer_of(trusted.connection_node))
    return None


async def provision(work: UnitOfWork, trusted: Trusted, identity: VerifiedIdentity) -> Member | None:
    """Make whom a connection vouches for a member of its tenant, which is entered; None where it does not.

    The caller has found that they are none, and holds the address.
    """
    if not trusted.provisioning or identity.email is None:
        return None
    await work.enter(trusted.tenant_id)
    roles = await repository.roles_given(work, trusted.connection_id)
    member = await add_waiting_member(work, email=identity.email, name=None, roles=roles)
    work.record(AuditAction.MEMBER_PROVISION, member.node_id)
    return member


async def end_by_provider(
    work: UnitOfWork, token: LogoutToken, issuers: Collection[str]
) -> list[Ended] | None:
    """End what a logout token names, of sessions opened under ``issuers``; None where it was taken before."""
    seen = digest(f"{token.issuer}\n{token.jti}")
    if not await repository.use_logout_token(work, seen, expires_at=token.expires_at):
        return None
    return await repository.end_sessions(work, issuers, subject=token.subject, sid=token.sid)


async def _held(work: UnitOfWork, connection_id: str) -> Connection:
    connection = await repository.to_change(work, connection_id)
    if connection is None:
        raise NotFound
    return connection


async def _grantable(work: UnitOfWork, role_ids: Sequence[str]) -> list[Role]:
    """The roles of these node ids: the subset rule, and no owners by anyone's word."""
    found = await repository.roles_named(work, role_ids)
    unknown = {
        f"roleIds.{place}": "there is no such role"
        for place, role_id in enumerate(role_ids)
        if role_id not in found
    }
    if unknown:
        raise BadUserInput("Some input cannot be taken.", unknown)
    for role in found.values():
        if role.is_owner or not may_grant(work.acting, role):
            raise RoleNotGrantable(role.node_id)
    return list(found.values())
