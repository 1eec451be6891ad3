"""Tenants, people and sessions for tests: called in the test's body, where a reader sees them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from uuid import UUID

from sqlmodel import col, select

from tenantry.authentication.api_keys.service import MadeKey, create
from tenantry.authentication.sessions.models import Session
from tenantry.authentication.sessions.service import granted_by
from tenantry.directory.members.models import Member, MemberRole, MemberStatus
from tenantry.directory.provisioning.tenants import create_tenant
from tenantry.directory.roles.models import Role
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.clock import system_clock
from tenantry.kernel.errors import Unavailable
from tenantry.kernel.ids import PLATFORM_TENANT_KEY, NodePrefix, new_key, new_node_id
from tenantry.kernel.principal import Authority
from tests.support.database import TemporaryDatabase

PHONE_SYSTEM = "phone-system"


async def make_tenant(
    database: TemporaryDatabase, blueprint: str = PHONE_SYSTEM, slug: str | None = None, name: str = "Acme"
) -> Tenant:
    """A tenant with its blueprint's roles and nobody in it; asked once more of a machine that stood still."""
    slug = slug or f"t-{token_hex(6)}"
    try:
        return await _tenant(database, blueprint, slug, name)
    except Unavailable:
        return await _tenant(database, blueprint, slug, name)


async def _tenant(database: TemporaryDatabase, blueprint: str, slug: str, name: str) -> Tenant:
    async with database.writing(None) as work:
        return await create_tenant(work, blueprint=blueprint, slug=slug, name=name)


async def platform(database: TemporaryDatabase) -> Tenant:
    """The platform's own tenant."""
    async with database.writing(None) as work:
        await work.enter(PLATFORM_TENANT_KEY)
        return (await work.session.exec(select(Tenant))).one()


async def make_user(
    database: TemporaryDatabase, email: str, *, name: str | None = None, is_super_admin: bool = False
) -> UUID:
    """Key of the person with this address, who is made where there is none."""
    found = await database.value(
        'INSERT INTO "user" (id, node_id, email, name, is_super_admin, created_at)'
        " VALUES ($1, $2, $3, $4, $5, now())"
        " ON CONFLICT (email) DO UPDATE SET is_super_admin = excluded.is_super_admin RETURNING id",
        new_key(),
        new_node_id(NodePrefix.USER),
        email,
        name,
        is_super_admin,
    )
    return UUID(str(found))


async def make_member(
    database: TemporaryDatabase,
    tenant: Tenant,
    role: str | Iterable[str] = "agent",
    *,
    email: str | None = None,
    name: str | None = None,
    status: MemberStatus = MemberStatus.ACTIVE,
) -> Member:
    """A member with these roles (by key), bound to a person unless INVITED."""
    keys = {role} if isinstance(role, str) else set(role)
    address = email or f"{token_hex(6)}@people.example"
    bound = status is not MemberStatus.INVITED
    user_id = await make_user(database, address, name=name) if bound else None
    async with database.writing(None) as work:
        await work.enter(tenant.id)
        roles = (await work.session.exec(select(Role).where(col(Role.key).in_(keys)))).all()
        if {found.key for found in roles} != keys:
            raise LookupError(f"{tenant.blueprint} has no role among {keys} of that name")
        member = Member(
            tenant_id=tenant.id,
            user_id=user_id,
            email=address,
            name=name,
            status=status,
            is_owner=any(found.is_owner for found in roles),
            joined_at=datetime.now(UTC) if bound else None,
        )
        work.session.add(member)
        await work.session.flush()
        work.session.add_all(
            MemberRole(tenant_id=tenant.id, member_id=member.id, role_id=found.id) for found in roles
        )
        return member


async def sign_in(
    database: TemporaryDatabase, member: Member, *, ip: str | None = "192.0.2.1", lifetime: float = 604_800
) -> Authority:
    """A live session of an ACTIVE member, and what it may do now; ``lifetime`` in seconds."""
    if member.user_id is None:
        raise LookupError("an invited member has no person yet who could sign in")
    async with database.writing(None) as work:
        await work.enter(member.tenant_id, user_id=member.user_id)
        session = Session(
            tenant_id=member.tenant_id,
            user_id=member.user_id,
            member_id=member.id,
            ip=ip,
            user_agent="tests",
            expires_at=datetime.now(UTC) + timedelta(seconds=lifetime),
        )
        work.session.add(session)
    return await authority_of(database, session.id)


async def authority_of(database: TemporaryDatabase, session_id: UUID) -> Authority:
    """What a session may do now: asked again after its rights have changed."""
    row = await database.fetch("SELECT * FROM load_authority($1)", (session_id,))
    if row is None:
        raise LookupError("there is no such session")
    return granted_by(dict(row))


async def signed_in(
    database: TemporaryDatabase, tenant: Tenant, role: str | Iterable[str] = "agent"
) -> Authority:
    """A new member with these roles, signed in."""
    return await sign_in(database, await make_member(database, tenant, role))


async def make_api_key(
    database: TemporaryDatabase,
    issuer: Authority,
    *permissions: str,
    name: str = "CI",
    expires_at: datetime | None = None,
) -> MadeKey:
    """A key of this member's, in a transaction of its own."""
    async with database.writing(issuer) as work:
        return await create(
            work, name=name, permissions=permissions, expires_at=expires_at, clock=system_clock
        )


async def system_authority(database: TemporaryDatabase, role: str = "super_admin") -> Authority:
    """One of the platform's staff, signed in."""
    return await signed_in(database, await platform(database), role)
