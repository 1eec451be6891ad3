"""Who there is to be on a developer's machine."""

from collections.abc import Iterable

from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.blueprints.shape import PersonShape
from tenantry.kernel.principal import Scope
from tenantry.web.development.identity_provider import DemoPerson

PLATFORM_TITLE = "Platform"


def demo_people(documents: Iterable[BlueprintDocument]) -> list[DemoPerson]:
    """The people of all blueprints, as the development provider offers them; the platform's come last."""
    found = list(documents)
    staff = [_person(document, person, Scope.SYSTEM) for document in found for person in _staff(document)]
    members = [
        _person(document, person, Scope.TENANT)
        for document in found
        if document.scope is Scope.TENANT
        for person in document.people
    ]
    return [*members, *staff]


def _staff(document: BlueprintDocument) -> Iterable[PersonShape]:
    return document.people if document.scope is Scope.SYSTEM else document.staff


def _person(document: BlueprintDocument, person: PersonShape, scope: Scope) -> DemoPerson:
    titles = {key: role.title for key, role in document.roles_of(scope).items()}
    tenant = PLATFORM_TITLE if scope is Scope.SYSTEM else f"{document.title} demo"
    return DemoPerson(person.email, person.name, tenant, tuple(titles[role] for role in person.roles))
