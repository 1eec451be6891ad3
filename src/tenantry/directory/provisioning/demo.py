"""What a developer's machine begins with: a tenant for each blueprint, with its people."""

from collections.abc import Iterable

from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.provisioning.blueprints import apply_blueprint
from tenantry.directory.provisioning.platform import add_people, add_staff, bootstrap_platform
from tenantry.directory.provisioning.tenants import create_tenant
from tenantry.directory.tenants.repository import key_of_slug
from tenantry.kernel.principal import Scope
from tenantry.storage.database import Database


async def ensure_demo(database: Database, documents: Iterable[BlueprintDocument]) -> None:
    """Apply every blueprint, and make the demo tenant of each one that has none yet.

    A tenant's slug is its blueprint's key, its plan the largest that there is. Its people, and
    the blueprint's staff on the platform, are ACTIVE members who wait for their address to sign
    in; staff come with a new demo tenant only. Harmless twice; what was changed stays.
    """
    for document in sorted(documents, key=lambda document: document.scope is not Scope.SYSTEM):
        async with database.writing(None) as work:
            if document.scope is Scope.SYSTEM:
                await bootstrap_platform(work, document)
                continue
            await apply_blueprint(work, document)
            if await key_of_slug(work, document.key) is None:
                name = f"{document.title} demo"
                plan = next(reversed(document.plans), None)
                await create_tenant(work, blueprint=document.key, slug=document.key, name=name, plan=plan)
                await add_people(work, document.people)
                await add_staff(work, document.staff)
