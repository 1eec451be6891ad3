"""Blueprints as an operator handles them: foreseen, applied on the record, compared."""

import json
from collections.abc import Mapping, Sequence
from difflib import unified_diff
from functools import partial
from typing import Any

import yaml

from tenantry.app.operators import operator_entry
from tenantry.audit.actions import AuditAction
from tenantry.audit.trail import insert
from tenantry.directory.blueprints import repository
from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.blueprints.service import body_of
from tenantry.directory.provisioning.blueprints import apply_blueprint
from tenantry.directory.provisioning.forecast import RoleChange, forecast
from tenantry.directory.provisioning.platform import bootstrap_platform
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import Scope
from tenantry.storage.database import Database
from tenantry.storage.unit_of_work import UnitOfWork

COMMAND = "tenantry blueprint apply"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


async def forecasts(database: Database, documents: Sequence[BlueprintDocument]) -> list[list[RoleChange]]:
    """For each document the roles that applying it alone would change."""
    async with database.writing(None) as work:
        return [await forecast(work, document) for document in documents]


async def applied(
    database: Database, documents: Sequence[BlueprintDocument], clock: Clock = system_clock
) -> list[str]:
    """Apply all documents, or none; the keys of those that changed anything.

    One transaction, with a record for each change in the platform's trail. Raises ``Conflict``
    where two blueprints name the same system role.
    """
    changed: list[str] = []
    async with database.writing(None, before_commit=partial(_record, keys=changed, clock=clock)) as work:
        changed.extend([document.key for document in documents if await _apply(work, document)])
    return changed


async def _apply(work: UnitOfWork, document: BlueprintDocument) -> bool:
    if document.scope is Scope.SYSTEM:
        return await bootstrap_platform(work, document)
    return await apply_blueprint(work, document)


async def _record(work: UnitOfWork, keys: Sequence[str], clock: Clock) -> None:
    await work.enter(PLATFORM_TENANT_KEY)
    entries = [
        operator_entry(
            COMMAND, AuditAction.BLUEPRINT_APPLY, clock(), tenant=PLATFORM_TENANT_KEY, targets=(key,)
        )
        for key in keys
    ]
    if entries:
        await insert(work, entries)


async def difference(database: Database, document: BlueprintDocument) -> str:
    """The lines in which the document differs from what is stored, as ``diff -u`` has them; or nothing."""
    async with database.writing(None) as work:
        await work.enter(PLATFORM_TENANT_KEY)
        stored = await repository.find(work, document.key)
    before = [] if stored is None else _lines(stored.body)
    return "".join(unified_diff(before, _lines(body_of(document)), "stored", "file"))


def _lines(body: Mapping[str, Any]) -> list[str]:
    """Keys sorted, since those that are stored have no order."""
    plain = json.loads(json.dumps(body))
    return yaml.safe_dump(plain, allow_unicode=True, sort_keys=True, width=100).splitlines(keepends=True)


def printed_schema() -> str:
    """The JSON Schema of a blueprint's file, as ``docs/blueprint.schema.json`` holds it."""
    schema = {"$schema": DIALECT, **BlueprintDocument.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
