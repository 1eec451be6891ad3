"""The platform: one more tenant, whose roles have the scope SYSTEM and whose members are the staff."""

from collections.abc import Iterable

from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.blueprints.service import save_blueprint
from tenantry.directory.blueprints.shape import PersonShape
from tenantry.directory.provisioning import repository
from tenantry.directory.provisioning.blueprints import settle_platform
from tenantry.directory.provisioning.tenants import add_waiting_member
from tenantry.directory.tenants.models import Tenant
from tenantry.directory.tenants.repository import entered
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.storage.unit_of_work import UnitOfWork


async def bootstrap_platform(work: UnitOfWork, document: BlueprintDocument) -> bool:
    """Make the platform, or bring its roles to the document; whether either was to be done.

    Its people are added once, while there are none: who was removed does not come back.
    """
    await work.enter(PLATFORM_TENANT_KEY)
    changed = await save_blueprint(work, document)
    platform = await entered(work)
    if platform is None:
        platform = Tenant(
            id=PLATFORM_TENANT_KEY, slug=document.key, name=document.title, blueprint=document.key
        )
        work.session.add(platform)
        await work.session.flush()
        changed = True
    if changed:
        await settle_platform(work)
    await add_people(work, document.people)
    return changed


async def add_people(work: UnitOfWork, people: Iterable[PersonShape]) -> None:
    """The blueprint's people as members of the tenant entered, unless it has members already."""
    if not await repository.members_count(work):
        await _add(work, people)


async def add_staff(work: UnitOfWork, people: Iterable[PersonShape]) -> None:
    """People of a product's demo who belong to the platform; ``work`` is there afterwards.

    Whoever is known there by the address already stays as they are.
    """
    await work.enter(PLATFORM_TENANT_KEY)
    known = await repository.addresses(work)
    await _add(work, [person for person in people if person.email.lower() not in known])


async def _add(work: UnitOfWork, people: Iterable[PersonShape]) -> None:
    roles = {role.key: role for role in await repository.lock_roles(work)}
    for person in people:
        granted = [roles[key] for key in person.roles]
        await add_waiting_member(work, email=person.email.lower(), name=person.name, roles=granted)
    await work.session.flush()
