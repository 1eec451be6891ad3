"""A new tenant: its row, its blueprint's roles and, where known, its first owner."""

from collections.abc import Iterable
from datetime import UTC, datetime

from email_validator import EmailNotValidError, validate_email

from tenantry.audit.actions import AuditAction
from tenantry.directory.blueprints import repository as blueprints
from tenantry.directory.blueprints.models import Blueprint
from tenantry.directory.members.joining import joining
from tenantry.directory.members.models import Member, MemberRole, MemberStatus
from tenantry.directory.provisioning.blueprints import locked_roles
from tenantry.directory.roles.models import Role
from tenantry.directory.tenants.models import Tenant
from tenantry.directory.tenants.plans import checked_plan, plans_in
from tenantry.directory.tenants.service import PLAN_CHARACTERS, checked_slug, unique_slug
from tenantry.kernel.errors import BadUserInput, ScopeMismatch
from tenantry.kernel.ids import PLATFORM_TENANT_KEY, new_key
from tenantry.kernel.principal import Scope
from tenantry.kernel.text import line
from tenantry.storage.unit_of_work import UnitOfWork


async def create_tenant(
    work: UnitOfWork,
    *,
    blueprint: str,
    slug: str,
    name: str,
    owner_email: str | None = None,
    plan: str | None = None,
) -> Tenant:
    """Make a tenant and enter it; for the platform, or for an operator without an authority.

    The first owner is an ACTIVE member without a person: the first verified login with that
    address becomes it. Raises ``ScopeMismatch`` for a tenant's own authority, ``BadUserInput``,
    and ``Conflict`` where the slug is taken.
    """
    if work.authority is not None and work.authority.scope is not Scope.SYSTEM:
        raise ScopeMismatch(Scope.SYSTEM)
    tenant = Tenant(
        id=new_key(),
        slug=checked_slug(slug),
        name=line(name, "name"),
        blueprint=blueprint,
        plan=None if plan is None else line(plan, "plan", most=PLAN_CHARACTERS),
    )
    owner = None if owner_email is None else checked_email(owner_email, "ownerEmail")
    found = await _blueprint(work, blueprint)
    checked_plan(plans_in(found.body["plans"]), tenant.plan)
    roles = locked_roles(found.body, Scope.TENANT, tenant.id)
    owning = [role for role in roles if role.is_owner][:1]
    if owner is not None and not owning:
        raise BadUserInput("Some input cannot be taken.", {"ownerEmail": "this blueprint has no owner"})
    await work.enter(tenant.id)
    async with unique_slug(work):
        work.session.add(tenant)
    work.session.add_all(roles)
    if owner is not None:
        await add_waiting_member(work, email=owner, name=None, roles=owning)
    await work.session.flush()
    work.record(AuditAction.TENANT_CREATE, tenant.node_id)
    return tenant


async def add_waiting_member(
    work: UnitOfWork, *, email: str, name: str | None, roles: Iterable[Role]
) -> Member:
    """An ACTIVE member of the tenant entered, who waits for a verified login with that address.

    Raises ``SeatsExhausted``.
    """
    granted = list(roles)
    member = Member(
        tenant_id=work.tenant,
        email=email,
        name=name,
        status=MemberStatus.ACTIVE,
        is_owner=any(role.is_owner for role in granted),
        joined_at=datetime.now(UTC),
    )
    async with joining(work):
        work.session.add(member)
    work.session.add_all(
        MemberRole(tenant_id=work.tenant, member_id=member.id, role_id=role.id) for role in granted
    )
    return member


def checked_email(text: str, field: str) -> str:
    """The address in lower case, as members carry it. Raises ``BadUserInput`` naming ``field``."""
    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise BadUserInput("Some input cannot be taken.", {field: "is not an e-mail address"}) from None


async def _blueprint(work: UnitOfWork, key: str) -> Blueprint:
    if work.authority is None:
        await work.enter(PLATFORM_TENANT_KEY)
    found = await blueprints.find(work, key)
    if found is None or not any(role["scope"] == Scope.TENANT for role in found.body["roles"]):
        raise BadUserInput("Some input cannot be taken.", {"blueprint": "there is no such blueprint"})
    return found
