"""What can be done with roles: granted by the subset rule; custom ones made, changed, deleted."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from sqlalchemy.exc import IntegrityError

from tenantry.access.catalogue import Catalogue
from tenantry.access.decisions import missing
from tenantry.access.grants import within
from tenantry.audit.actions import AuditAction
from tenantry.directory.blueprints.service import catalogue
from tenantry.directory.roles.errors import PlanDoesNotAllow, RoleInUse, RoleLocked, RoleNotGrantable
from tenantry.directory.roles.models import Role
from tenantry.directory.roles.repository import is_held, node_ids_of, raise_holders, role_to_change
from tenantry.directory.tenants.plans import in_force
from tenantry.directory.tenants.repository import blueprint_of_entered, plans_of_entered, wait_for_mutations
from tenantry.kernel.changes import UNSET, Unset
from tenantry.kernel.errors import BadUserInput, Conflict, NotFound
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import Authority, Scope
from tenantry.kernel.text import line, paragraph
from tenantry.storage.errors import UNIQUE_VIOLATION, sqlstate
from tenantry.storage.unit_of_work import UnitOfWork

CUSTOM_POSITION = 1_000
"""Custom roles are listed after the blueprint's."""
KEY_CHARACTERS = 60

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Grantable(Protocol):
    """A role as the subset rule looks at it."""

    @property
    def effective(self) -> Sequence[str]:
        """Every permission that it holds."""
        ...

    @property
    def conditional(self) -> Sequence[str]:
        """What it holds under a condition, as ``permission when condition``."""
        ...


async def named_by_key(work: UnitOfWork, keys: Collection[str]) -> Mapping[str, str]:
    """Node ids of the roles that a caller names by their keys, which never change.

    Raises ``NotFound`` where one of them is no role of this tenant.
    """
    found: Mapping[str, str] = await node_ids_of(work, keys) if keys else {}
    if len(found) != len(set(keys)):
        raise NotFound
    return found


async def create_role(
    work: UnitOfWork,
    *,
    name: str,
    permissions: Sequence[str] = (),
    description: str | None = None,
    key: str | None = None,
) -> Role:
    """Make a custom role; without a ``key`` the name gives it one.

    Raises ``PlanDoesNotAllow``, ``BadUserInput``, ``RoleNotGrantable`` where it would hold more than
    the caller, ``Conflict`` where the key is taken.
    """
    await _check_plan(work)
    role = Role(
        tenant_id=work.tenant,
        key=_key(name) if key is None else _checked_key(key),
        name=line(name, "name"),
        description=_description(description),
        scope=Scope.SYSTEM if work.tenant == PLATFORM_TENANT_KEY else Scope.TENANT,
        position=CUSTOM_POSITION,
    )
    _set_permissions(work, role, permissions, await _catalogue(work))
    work.session.add(role)
    try:
        await work.session.flush()
    except IntegrityError as error:
        if sqlstate(error) == UNIQUE_VIOLATION:
            raise Conflict("There is a role of this key already.") from error
        raise
    work.record(AuditAction.ROLE_CREATE, role.node_id)
    return role


async def update_role(
    work: UnitOfWork,
    role_id: str,
    *,
    name: str | Unset = UNSET,
    description: str | Unset | None = UNSET,
    permissions: Sequence[str] | Unset = UNSET,
) -> Role:
    """Change a custom role; its key stays. Whoever holds it gets a new version if its rights change.

    Raises ``NotFound``, ``BadUserInput``, ``RoleLocked``, ``PlanDoesNotAllow``, ``RoleNotGrantable``
    where the role holds, or would hold, more than the caller, and ``Conflict`` where another such
    change began at the same moment.
    """
    if permissions is not UNSET:
        # All who hold it, of whom there may be thousands, are waited for at once.
        await wait_for_mutations(work)
    role = await _custom_role(work, role_id)
    await _check_plan(work)
    before = {*role.effective, *role.conditional}
    if name is not UNSET:
        role.name = line(name, "name")
    if description is not UNSET:
        role.description = _description(description)
    if permissions is not UNSET:
        _set_permissions(work, role, permissions, await _catalogue(work))
    await work.session.flush()
    if {*role.effective, *role.conditional} != before:
        await raise_holders(work, role.id)
    work.record(AuditAction.ROLE_UPDATE, role.node_id)
    return role


async def delete_role(work: UnitOfWork, role_id: str) -> None:
    """Delete a custom role that nobody holds.

    Raises ``NotFound``, ``RoleLocked``, ``RoleInUse``, and ``RoleNotGrantable`` where the
    role holds more than the caller.
    """
    role = await _custom_role(work, role_id)
    if await is_held(work, role.id):
        raise RoleInUse
    # Those with whom it has ended: what their version has risen by the clock goes with the role.
    await raise_holders(work, role.id)
    await work.session.delete(role)
    await work.session.flush()
    work.record(AuditAction.ROLE_DELETE, role_id)


def may_grant(authority: Authority, role: Grantable) -> bool:
    """The subset rule: no one grants what they do not hold."""
    return within(authority, role.effective, role.conditional)


async def _custom_role(work: UnitOfWork, role_id: str) -> Role:
    role = await role_to_change(work, role_id)
    if role is None:
        raise NotFound
    if role.is_locked:
        raise RoleLocked
    if not may_grant(work.acting, role):
        raise RoleNotGrantable(role.node_id)
    return role


async def _check_plan(work: UnitOfWork) -> None:
    """On a plan without them a tenant keeps the roles that it has, and may delete them."""
    plans, key = await plans_of_entered(work)
    if not in_force(plans, key).custom_roles:
        raise PlanDoesNotAllow([plan.key for plan in plans if plan.custom_roles])


async def _catalogue(work: UnitOfWork) -> Catalogue:
    return catalogue((await blueprint_of_entered(work)).body)


def _set_permissions(work: UnitOfWork, role: Role, permissions: Sequence[str], known: Catalogue) -> None:
    """Only what the blueprint lists: built-in permissions come by what those cover."""
    unknown = {
        f"permissions.{place}": "there is no such permission in this tenant"
        for place, permission in enumerate(permissions)
        if permission not in known
    }
    if unknown:
        raise BadUserInput("Some input cannot be taken.", unknown)
    effective = known.effective(permissions, owner=role.is_owner)
    if missing(work.acting.permissions, effective):
        raise RoleNotGrantable(role.node_id)
    role.permissions, role.effective = list(known.ordered(permissions)), sorted(effective)
    role.conditional = []


def _description(text: str | None) -> str | None:
    return (paragraph(text, "description") or None) if text is not None else None


def _checked_key(key: str) -> str:
    if len(key) > KEY_CHARACTERS or not _KEY.fullmatch(key):
        problem = f"must be a letter, then letters, digits or underscores; at most {KEY_CHARACTERS} in all"
        raise BadUserInput("Some input cannot be taken.", {"key": problem})
    return key


def _key(name: str) -> str:
    """A key out of a name: ``Night shift`` becomes ``night_shift``."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    key = "_".join(words)[:KEY_CHARACTERS].rstrip("_")
    return key if _KEY.fullmatch(key) else f"role_{key}".rstrip("_")[:KEY_CHARACTERS]
