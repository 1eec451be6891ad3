"""What applying a blueprint would change: who gains and who loses what, before anything does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tenantry.access.catalogue import Catalogue
from tenantry.access.grants import Grant
from tenantry.directory.blueprints import repository as blueprints
from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.blueprints.service import body_of
from tenantry.directory.provisioning import repository
from tenantry.directory.provisioning.blueprints import kept
from tenantry.directory.roles.models import Role
from tenantry.directory.tenants.repository import entered, keys_of_blueprint
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import Scope
from tenantry.storage.unit_of_work import UnitOfWork

FACTOR = "(acts only with a second factor)"

Name = tuple[Scope, str, str | None]
"""Of a role: its scope, its key, and the slug of its tenant where it is a custom one."""


class Fate(StrEnum):
    """What would become of a role; a locked one that somebody holds stays as a custom one."""

    CHANGED = "changed"
    GONE = "gone"
    NEW = "new"
    STAYS = "stays as a custom role"


@dataclass(frozen=True, slots=True)
class RoleChange:
    """One role that would be another, and how many members of how many tenants hold it.

    ``gains`` and ``loses`` are sorted: permissions, covered ones too, perhaps with ``when`` and a
    condition. A custom role names its ``tenant`` by slug; a locked one is counted over all.
    """

    scope: Scope
    role: str
    tenant: str | None
    fate: Fate
    gains: tuple[str, ...]
    loses: tuple[str, ...]
    members: int
    tenants: int


@dataclass(slots=True)
class _Tally:
    fate: Fate
    before: frozenset[str]
    after: frozenset[str]
    members: int = 0
    tenants: int = 0

    def add(self, holders: int) -> "_Tally":
        self.members += holders
        self.tenants += bool(holders)
        return self


async def forecast(work: UnitOfWork, document: BlueprintDocument) -> list[RoleChange]:
    """Every role that ``apply_blueprint`` would change, in the order of the file; writes and locks nothing.

    For the platform's operator, as applying is: ``work`` is in the platform afterwards.
    """
    await work.enter(PLATFORM_TENANT_KEY)
    stored = await blueprints.find(work, document.key)
    tallies = _declared({"roles": []} if stored is None else stored.body, body_of(document))
    await _count(work, tallies, Scope.SYSTEM, document)
    for tenant in await keys_of_blueprint(work, document.key) if document.scope is Scope.TENANT else ():
        await work.enter(tenant)
        await _count(work, tallies, Scope.TENANT, document)
    await work.enter(PLATFORM_TENANT_KEY)
    return list(_changes(tallies))


def _declared(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[Name, _Tally]:
    """The locked roles of both bodies, those of the newer first."""
    old, new = _held(before), _held(after)
    nothing = frozenset[str]()
    found: dict[Name, _Tally] = {}
    for name in dict.fromkeys([*new, *old]):
        fate = Fate.NEW if name not in old else Fate.GONE if name not in new else Fate.CHANGED
        found[(*name, None)] = _Tally(fate, old.get(name, nothing), new.get(name, nothing))
    return found


def _held(body: Mapping[str, Any]) -> dict[tuple[Scope, str], frozenset[str]]:
    """By role all that it holds, as grants."""
    return {(Scope(role["scope"]), role["key"]): frozenset(_grants(role)) for role in body["roles"]}


def _grants(role: Mapping[str, Any]) -> Iterator[str]:
    yield from role["effective"]
    for permission, conditions in role.get("conditional", {}).items():
        yield from (str(Grant(permission, condition)) for condition in conditions)
    if role["mfa_required"]:
        yield FACTOR


async def _count(
    work: UnitOfWork, tallies: dict[Name, _Tally], scope: Scope, document: BlueprintDocument
) -> None:
    """Count who holds the locked roles in the tenant entered, and say what becomes of the others."""
    tenant = await entered(work)
    for role, holders in await repository.roles_with_holders(work):
        locked = tallies.get((scope, role.key, None))
        if locked is not None and role.is_locked and (locked.fate is not Fate.GONE or not holders):
            locked.add(holders)
        elif tenant is not None and (scope is Scope.TENANT or locked is not None):
            fate, after = _left(role, locked, document.catalogue)
            tally = _Tally(fate, frozenset(role.effective), after).add(holders)
            tallies[scope, role.key, tenant.slug] = tally


def _left(role: Role, locked: _Tally | None, known: Catalogue) -> tuple[Fate, frozenset[str]]:
    """What becomes of a role that is not the blueprint's (any more), or is taken over by it."""
    if locked is not None and locked.fate is not Fate.GONE:
        return Fate.CHANGED, locked.after
    return Fate.STAYS if role.is_locked else Fate.CHANGED, kept(role, known)


def _changes(tallies: Mapping[Name, _Tally]) -> Iterator[RoleChange]:
    for (scope, key, tenant), tally in tallies.items():
        gains, loses = tally.after - tally.before, tally.before - tally.after
        if gains or loses or tally.fate is not Fate.CHANGED:
            told = tuple(sorted(gains)), tuple(sorted(loses))
            yield RoleChange(scope, key, tenant, tally.fate, *told, tally.members, tally.tenants)
