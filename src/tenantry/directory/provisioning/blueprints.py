"""Applying a blueprint: its row, and the locked roles of every tenant that follows it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tenantry.access.catalogue import Catalogue
from tenantry.access.grants import Grant, parse_grant
from tenantry.directory.blueprints import repository as blueprints
from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.blueprints.service import body_of, catalogue, save_blueprint
from tenantry.directory.blueprints.shape import PLATFORM
from tenantry.directory.provisioning import repository
from tenantry.directory.roles.models import Role
from tenantry.directory.tenants.repository import (
    entered,
    keys_of_blueprint,
    raise_version,
    wait_for_mutations,
)
from tenantry.kernel.errors import Conflict
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import Scope
from tenantry.storage.unit_of_work import UnitOfWork

Meaning = tuple[set[str], bool, bool]


async def apply_blueprint(work: UnitOfWork, document: BlueprintDocument) -> bool:
    """Bring the database to the document; whether anything changed.

    For the platform's operator: ``work`` has no authority, or one of scope SYSTEM, and is
    in the platform's tenant afterwards. Whoever holds a role whose effective permissions
    change gets a new version, which ends the tokens that name the old one. Raises
    ``Conflict`` where another blueprint has a system role of the same key.
    """
    await work.enter(PLATFORM_TENANT_KEY)
    before = await blueprints.find(work, document.key)
    was = None if before is None else before.body.get("resources")
    if not await save_blueprint(work, document):
        return False
    body = body_of(document)
    for tenant in await keys_of_blueprint(work, document.key):
        await work.enter(tenant)
        if body["resources"] != was:
            # What opens an object is decided from the authority, which holds for one version only.
            await wait_for_mutations(work)
            await raise_version(work)
        await settle_roles(work, body, Scope.TENANT)
    await work.enter(PLATFORM_TENANT_KEY)
    if await entered(work) is not None:
        await settle_platform(work)
    return True


async def settle_platform(work: UnitOfWork) -> None:
    """Make the roles of the platform, which is entered, those of all blueprints together.

    A role's key stands in tokens as its document spells it, so no two blueprints share one:
    raises ``Conflict`` where they would.
    """
    await wait_for_mutations(work)
    found = sorted(await blueprints.every(work), key=lambda each: each.key != PLATFORM)
    roles: list[Any] = []
    origin: dict[str, str] = {}
    for blueprint in found:
        for role in blueprint.body["roles"]:
            if role["scope"] != Scope.SYSTEM:
                continue
            first = origin.setdefault(role["key"], blueprint.key)
            if first != blueprint.key:
                message = f"{blueprint.key}: the system role {role['key']} is one of {first} already."
                raise Conflict(message)
            roles.append(role)
    await settle_roles(work, {"permissions": [], "roles": roles}, Scope.SYSTEM)


async def settle_roles(work: UnitOfWork, body: Mapping[str, Any], scope: Scope) -> None:
    """Make, change and unlock the roles of the tenant entered, so that they follow the body.

    A locked role that the blueprint no longer names is deleted, or becomes a custom role
    where somebody holds it. A custom role that bears the key of a new one is taken over.
    """
    known = catalogue(body)
    roles = {role.key: role for role in await repository.lock_roles(work)}
    effective = {role.id: _meaning(role) for role in roles.values()}
    wanted = locked_roles(body, scope, work.tenant)
    for made in wanted:
        role = roles.pop(made.key, None)
        if role is None:
            work.session.add(made)
        else:
            _follow(role, made)
            _note(effective, role)
    await _leave(work, roles, known)
    for role in roles.values():
        _note(effective, role)
    await work.session.flush()
    if effective:
        await repository.settle_holders(work, effective)


def locked_roles(body: Mapping[str, Any], scope: Scope, tenant: UUID) -> list[Role]:
    """The blueprint's roles of one scope, as new rows of ``tenant``."""
    entries = [entry for entry in body["roles"] if entry["scope"] == scope]
    return [
        Role(
            tenant_id=tenant,
            key=entry["key"],
            name=entry["title"],
            description=entry["description"] or None,
            scope=scope,
            is_locked=True,
            is_owner=entry["owner"],
            mfa_required=entry["mfa_required"],
            position=position,
            permissions=entry["permissions"],
            effective=entry["effective"],
            conditional=[
                str(Grant(permission, condition))
                for permission, conditions in entry.get("conditional", {}).items()
                for condition in conditions
            ],
        )
        for position, entry in enumerate(entries)
    ]


def _follow(role: Role, made: Role) -> None:
    kept = {"tenant_id", "id", "node_id", "created_at"}
    role.sqlmodel_update(made.model_dump(exclude=kept))


def _meaning(role: Role) -> Meaning:
    """What a role is for who holds it."""
    return {*role.effective, *role.conditional}, role.is_owner, role.mfa_required


def _note(before: dict[UUID, Meaning], role: Role) -> None:
    """Leave in ``before`` only what has changed since."""
    if before.get(role.id) == _meaning(role):
        del before[role.id]


async def _leave(work: UnitOfWork, roles: Mapping[str, Role], known: Catalogue) -> None:
    """What the blueprint does not name: custom roles, and locked ones it named before."""
    held = await repository.held(work) if any(role.is_locked for role in roles.values()) else set[UUID]()
    for role in roles.values():
        if role.is_locked and role.id not in held:
            await work.session.delete(role)
        else:
            role.is_locked = False
            role.effective = sorted(kept(role, known))
            role.conditional = [
                grant for grant in role.conditional if known.effective([parse_grant(grant).permission])
            ]


def kept(role: Role, known: Catalogue) -> frozenset[str]:
    """What a role that the blueprint does not name may do under its catalogue.

    What the role has lost, or holds under a condition only, does not come back as a plain grant.
    """
    plain = [name for name in role.permissions if name in role.effective]
    return known.effective(plain, owner=role.is_owner)
