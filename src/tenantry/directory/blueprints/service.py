"""Blueprints in the database: what running needs of a document, and only that.

The body holds lists where the file has mappings, since ``jsonb`` keeps no order of keys.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from tenantry.access.catalogue import Catalogue, PermissionInfo, Risk
from tenantry.directory.blueprints import repository
from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.blueprints.models import Blueprint
from tenantry.kernel.principal import Scope
from tenantry.storage.unit_of_work import UnitOfWork


async def save_blueprint(work: UnitOfWork, document: BlueprintDocument) -> bool:
    """Keep the document's running part; whether it differs from what was kept.

    Tenants' roles are not touched: ``directory.provisioning`` does both.
    """
    body = body_of(document)
    digest = sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()
    return await repository.save(
        work, Blueprint(key=document.key, title=document.title, body=body, digest=digest)
    )


def body_of(document: BlueprintDocument) -> dict[str, Any]:
    """The document without its people, as it is stored; ordered as the file is."""
    shared = {"title", "description", "membership", "max_roles", "max_sessions", "orphan_lock", "claims"}
    parts = document.model_dump(mode="json", include={"plans", "resources"})
    return {
        **document.model_dump(mode="json", include=shared),
        "permissions": [_permission(info) for info in document.catalogue.values()],
        "roles": [role for scope in (Scope.SYSTEM, Scope.TENANT) for role in _roles(document, scope)],
        "plans": [{"key": key, **plan} for key, plan in parts["plans"].items()],
        "resources": [{"type": kind, **body} for kind, body in parts["resources"].items()],
    }


def catalogue(body: Mapping[str, Any]) -> Catalogue:
    """The permissions of a stored body, in the order of the file."""
    return Catalogue(
        PermissionInfo(
            name=entry["name"],
            title=entry["title"],
            group=entry["group"],
            description=entry["description"],
            risk=Risk(entry["risk"]),
            covers=tuple(entry["covers"]),
            freshness=entry["freshness"],
        )
        for entry in body["permissions"]
    )


def _permission(info: PermissionInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "title": info.title,
        "group": info.group,
        "description": info.description,
        "risk": str(info.risk),
        "covers": list(info.covers),
        "freshness": info.freshness,
    }


def _roles(document: BlueprintDocument, scope: Scope) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "title": role.title,
            "description": role.description,
            "scope": str(scope),
            "owner": role.owner,
            "mfa_required": role.mfa_required,
            "permissions": list(document.resolved_grants(key, scope=scope)),
            "effective": sorted(document.effective_grants(key, scope=scope)),
            "conditional": document.conditional_grants(key, scope=scope),
        }
        for key, role in document.roles_of(scope).items()
    ]
