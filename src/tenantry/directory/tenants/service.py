"""What happens to one tenant: renamed, suspended, reactivated, put on a plan.

Made and filled it is in ``directory.provisioning``. ``tenant_id`` is a node id; the
platform must name one, and enters it; a tenant's own authority may name its own.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.exc import IntegrityError

from tenantry.audit.actions import AuditAction
from tenantry.directory.tenants import repository
from tenantry.directory.tenants.models import Tenant
from tenantry.directory.tenants.plans import checked_plan, in_force
from tenantry.kernel.errors import BadUserInput, Conflict, NotFound, ScopeMismatch, TenantRequired
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import Scope
from tenantry.kernel.text import line
from tenantry.storage.errors import UNIQUE_VIOLATION, sqlstate
from tenantry.storage.unit_of_work import UnitOfWork

SLUG_CHARACTERS = 63
"""A slug may become a label of a host name (RFC 1035, section 2.3.4)."""
PLAN_CHARACTERS = 60

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


async def update_tenant(
    work: UnitOfWork,
    *,
    name: str | None = None,
    slug: str | None = None,
    mfa_required: bool | None = None,
    tenant_id: str | None = None,
) -> Tenant:
    """Rename, or ask every member for a second factor; None leaves as it is.

    Asking ends every access token of the tenant: what its members may do until they have proved
    their factor is said by the next. Raises ``BadUserInput``, ``Conflict`` where the slug is taken.
    """
    changes: dict[str, object] = {
        **({} if name is None else {"name": line(name, "name")}),
        **({} if slug is None else {"slug": checked_slug(slug)}),
    }
    tenant = await _lock(work, tenant_id, alone=mfa_required is not None)
    if mfa_required not in {None, tenant.mfa_required}:
        changes |= {"mfa_required": mfa_required, "version": tenant.version + 1}
    async with unique_slug(work):
        tenant.sqlmodel_update(changes)
    work.record(AuditAction.TENANT_UPDATE, tenant.node_id)
    return tenant


async def suspend_tenant(work: UnitOfWork, tenant_id: str) -> Tenant:
    """Stop every member at once: no token of the tenant holds any more. Harmless twice."""
    return await _set_suspended(work, tenant_id, suspended=True)


async def reactivate_tenant(work: UnitOfWork, tenant_id: str) -> Tenant:
    """Let members sign in again; tokens from before the suspension stay dead. Harmless twice."""
    return await _set_suspended(work, tenant_id, suspended=False)


async def set_plan(work: UnitOfWork, plan: str | None, tenant_id: str | None = None) -> Tenant:
    """Put the tenant on a plan of its blueprint, or a word of the product's own where that has none.

    None takes it away, which leaves what the smallest gives. Raises ``BadUserInput``, and ``Conflict``
    where more people have joined than the plan has seats. Whoever joins meanwhile waits (migration 0014).
    """
    wanted = None if plan is None else line(plan, "plan", most=PLAN_CHARACTERS)
    tenant = await _lock(work, tenant_id)
    plans, _ = await repository.plans_of_entered(work)
    most = in_force(plans, checked_plan(plans, wanted)).max_members
    if most is not None and (taken := await repository.seats_taken(work)) > most:
        raise Conflict(f"{taken} people have joined, and this plan has {most} seats.")
    tenant.plan = wanted
    await work.session.flush()
    work.record(AuditAction.TENANT_PLAN_SET, tenant.node_id)
    return tenant


def checked_slug(slug: str) -> str:
    """The slug itself: lower-case letters and digits, joined by single hyphens, 2 to 63 in all."""
    if not (2 <= len(slug) <= SLUG_CHARACTERS and _SLUG.fullmatch(slug)):
        problem = "must be 2 to 63 lower-case letters and digits, joined by single hyphens"
        raise BadUserInput("Some input cannot be taken.", {"slug": problem})
    return slug


@asynccontextmanager
async def unique_slug(work: UnitOfWork) -> AsyncGenerator[None]:
    """Write what the block changed; another tenant's slug becomes ``Conflict``."""
    yield
    try:
        await work.session.flush()
    except IntegrityError as error:
        if sqlstate(error) == UNIQUE_VIOLATION:
            raise Conflict("This slug is taken.") from error
        raise


async def _set_suspended(work: UnitOfWork, tenant_id: str, *, suspended: bool) -> Tenant:
    if work.acting.scope is not Scope.SYSTEM:
        raise ScopeMismatch(Scope.SYSTEM)
    tenant = await _lock(work, tenant_id, alone=True)
    if tenant.suspended is not suspended:
        tenant.suspended = suspended
        tenant.version += 1
        await work.session.flush()
    work.record(AuditAction.TENANT_SUSPEND if suspended else AuditAction.TENANT_REACTIVATE, tenant.node_id)
    return tenant


async def _lock(work: UnitOfWork, tenant_id: str | None, *, alone: bool = False) -> Tenant:
    """The tenant meant, entered and held; ``alone``, with no mutation running in it. The caller is outside.

    Raises ``NotFound``, ``TenantRequired``.
    """
    if work.acting.scope is Scope.SYSTEM:
        if tenant_id is None and work.tenant == PLATFORM_TENANT_KEY:
            raise TenantRequired
        if tenant_id is not None:
            await _cross(work, tenant_id)
    elif tenant_id not in {None, work.acting.tenant}:
        raise NotFound
    if alone:
        await repository.wait_for_mutations(work)
    tenant = await repository.lock_entered(work)
    if tenant is None:
        raise NotFound
    return tenant


async def _cross(work: UnitOfWork, tenant_id: str) -> None:
    key = await repository.key_of(work, tenant_id)
    if key is None or key == PLATFORM_TENANT_KEY:
        raise NotFound
    await work.enter(key)
