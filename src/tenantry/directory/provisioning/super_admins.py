"""Super-admins: a flag of the person, which counts where they act for the platform (ADR 9).

For the command line alone, as the role that owns the schema: the role that serves may not write it.
"""

from tenantry.audit.actions import AuditAction
from tenantry.directory.members.repository import close_gates
from tenantry.directory.provisioning import repository
from tenantry.directory.provisioning.tenants import add_waiting_member
from tenantry.directory.tenants.repository import entered
from tenantry.kernel.errors import Conflict
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.storage.unit_of_work import UnitOfWork


async def grant(work: UnitOfWork, email: str) -> bool:
    """Make the person of this address, lower-case, a super-admin; whether they were none.

    Whoever is not of the platform's staff yet is from now on, without a role, and signs in by proving the
    address. Raises ``Conflict`` where there is no platform as yet.
    """
    await work.enter(PLATFORM_TENANT_KEY)
    if await entered(work) is None:
        raise Conflict("There is no platform yet; apply its blueprint first.")
    user = await repository.flag_super_admin(work, email)
    if user is None:
        return False
    staff = await repository.members_of_person(work, email)
    if not staff:
        await add_waiting_member(work, email=email, name=None, roles=())
    await repository.raise_versions(work, staff)
    work.record(AuditAction.ADMIN_GRANT, user)
    return True


async def revoke(work: UnitOfWork, email: str) -> bool:
    """Make the person of this address none any more, at once; whether they were one."""
    await work.enter(PLATFORM_TENANT_KEY)
    staff = await repository.members_of_person(work, email)
    await close_gates(work, keys=staff)
    user = await repository.unflag_super_admin(work, email)
    if user is None:
        return False
    await repository.raise_versions(work, staff)
    work.record(AuditAction.ADMIN_REVOKE, user)
    return True
