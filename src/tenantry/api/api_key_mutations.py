"""API keys: made and ended."""

from datetime import datetime
from typing import Annotated

import strawberry

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import FRESH_SECONDS, requires
from tenantry.api.api_keys import READS, ApiKey
from tenantry.api.call import Call
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import attribute, found, graph_type, mutation
from tenantry.api.problems import PermissionNotGrantable, TooManyKeys
from tenantry.api.scalars import Permission
from tenantry.audit.actions import AuditAction
from tenantry.authentication.api_keys import service
from tenantry.authentication.api_keys.models import ApiKey as ApiKeyRow
from tenantry.kernel.principal import Scope


@strawberry.input(description="What the key is for, and what it may do.")
class ApiKeyCreateInput:
    """Without ``expires_at`` it ends when it is revoked, or with its issuer's membership."""

    name: str
    permissions: list[Permission]
    expires_at: datetime | None = strawberry.UNSET


@strawberry.input(description="The key to end.")
class ApiKeyRevokeInput:
    """Of this tenant, whoever made it."""

    api_key_id: strawberry.ID


@graph_type(rule=READS)
class ApiKeyCreated:
    """Made. Send the key as `Authorization: Bearer …`."""

    api_key: ApiKey = found("The key's entry in the list.", ApiKeyRow)
    key: str = attribute("The key itself: shown this once, and kept nowhere.")


@graph_type(rule=READS)
class ApiKeyRevokeResult:
    """Ended, at once and everywhere."""

    api_key: ApiKey = found("The key that has ended.", ApiKeyRow)


ApiKeyCreateResult = Annotated[
    ApiKeyCreated | PermissionNotGrantable | TooManyKeys,
    strawberry.union("ApiKeyCreateResult", description="What came of it."),
]


async def _create(call: Call, taken: ApiKeyCreateInput) -> Outcome:
    made = await service.create(
        call.work,
        name=taken.name,
        permissions=taken.permissions,
        expires_at=taken.expires_at or None,
        clock=call.services.clock,
    )
    return Outcome("ApiKeyCreated", {"apiKey": made.key.node_id, "key": made.text})


async def _revoke(call: Call, taken: ApiKeyRevokeInput) -> Outcome:
    key = await service.revoke(call.work, taken.api_key_id)
    return Outcome("ApiKeyRevokeResult", {"apiKey": key.node_id})


@strawberry.type
class ApiKeyMutations:
    """Making and ending keys."""

    api_key_create: ApiKeyCreateResult = mutation(
        "Make a key for a machine. It never holds more than you do, now or later.",
        _create,
        takes=ApiKeyCreateInput,
        action=AuditAction.API_KEY_CREATE,
        rule=requires(BuiltIn.APIKEY_CREATE, scope=Scope.TENANT, freshness=FRESH_SECONDS),
    )
    api_key_revoke: ApiKeyRevokeResult = mutation(
        "End a key, at once and everywhere.",
        _revoke,
        takes=ApiKeyRevokeInput,
        action=AuditAction.API_KEY_REVOKE,
        rule=requires(BuiltIn.APIKEY_REVOKE, scope=Scope.TENANT),
    )
