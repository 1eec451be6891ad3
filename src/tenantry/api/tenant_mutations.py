"""Changing tenants: by the platform, and by the tenant's own people."""

import strawberry

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import authenticated, requires
from tenantry.api.call import Call
from tenantry.api.outcomes import Outcome
from tenantry.api.planner.fields import found, graph_type, mutation
from tenantry.api.tenants import Tenant
from tenantry.audit.actions import AuditAction
from tenantry.directory.provisioning import tenants as provisioning
from tenantry.directory.tenants import service
from tenantry.directory.tenants.models import Tenant as TenantRow
from tenantry.kernel.errors import BadUserInput
from tenantry.kernel.principal import Scope

SIGNED_IN = authenticated()


@strawberry.input(description="A new tenant, and the address of its first owner.")
class TenantCreateInput:
    """What a tenant needs."""

    blueprint: str
    slug: str
    name: str
    owner_email: str | None = strawberry.UNSET
    plan: str | None = strawberry.UNSET


@strawberry.input(description="What to change; a platform token names the tenant.")
class TenantUpdateInput:
    """What is not given stays."""

    tenant_id: strawberry.ID | None = strawberry.UNSET
    name: str | None = strawberry.UNSET
    slug: str | None = strawberry.UNSET
    mfa_required: bool | None = strawberry.UNSET


@strawberry.input(description="The tenant in which nobody shall act for now.")
class TenantSuspendInput:
    """Which tenant."""

    tenant_id: strawberry.ID


@strawberry.input(description="The tenant that shall work again.")
class TenantReactivateInput:
    """Which tenant."""

    tenant_id: strawberry.ID


@strawberry.input(description="The plan; a platform token names the tenant.")
class TenantPlanSetInput:
    """Null takes the plan away."""

    plan: str | None
    tenant_id: strawberry.ID | None = strawberry.UNSET


@graph_type(rule=SIGNED_IN)
class TenantCreateResult:
    """Made."""

    tenant: Tenant = found("The new tenant.", TenantRow)


@strawberry.type
class TenantResult:
    """What comes of changing a tenant: the tenant as it is now."""

    tenant: Tenant = found("The tenant.", TenantRow)


@graph_type(rule=SIGNED_IN)
class TenantUpdateResult(TenantResult):
    """Changed."""


@graph_type(rule=SIGNED_IN)
class TenantSuspendResult(TenantResult):
    """Suspended."""


@graph_type(rule=SIGNED_IN)
class TenantReactivateResult(TenantResult):
    """Working again."""


@graph_type(rule=SIGNED_IN)
class TenantPlanSetResult(TenantResult):
    """Changed."""


async def _create(call: Call, taken: TenantCreateInput) -> Outcome:
    tenant = await provisioning.create_tenant(
        call.work,
        blueprint=taken.blueprint,
        slug=taken.slug,
        name=taken.name,
        owner_email=taken.owner_email or None,
        plan=taken.plan or None,
    )
    return Outcome("TenantCreateResult", {"tenant": tenant.node_id})


async def _update(call: Call, taken: TenantUpdateInput) -> Outcome:
    tenant = await service.update_tenant(
        call.work,
        name=taken.name or None,
        slug=taken.slug or None,
        mfa_required=taken.mfa_required if isinstance(taken.mfa_required, bool) else None,
        tenant_id=_named(call, taken.tenant_id),
    )
    return Outcome("TenantUpdateResult", {"tenant": tenant.node_id})


async def _suspend(call: Call, taken: TenantSuspendInput) -> Outcome:
    tenant = await service.suspend_tenant(call.work, taken.tenant_id)
    return Outcome("TenantSuspendResult", {"tenant": tenant.node_id})


async def _reactivate(call: Call, taken: TenantReactivateInput) -> Outcome:
    tenant = await service.reactivate_tenant(call.work, taken.tenant_id)
    return Outcome("TenantReactivateResult", {"tenant": tenant.node_id})


async def _set_plan(call: Call, taken: TenantPlanSetInput) -> Outcome:
    tenant = await service.set_plan(call.work, taken.plan, tenant_id=_named(call, taken.tenant_id))
    return Outcome("TenantPlanSetResult", {"tenant": tenant.node_id})


def _named(call: Call, tenant_id: strawberry.ID | None) -> str | None:
    """The tenant that the input names: the caller's own, or by the platform any."""
    own = call.authority
    if not tenant_id or own is None or own.scope is Scope.SYSTEM or tenant_id == own.tenant:
        return None if own is not None and own.scope is Scope.TENANT else tenant_id or None
    raise BadUserInput(
        "A tenant's token changes its own tenant.", {"input.tenantId": "not this token's tenant"}
    )


@strawberry.type
class TenantMutations:
    """Changing tenants."""

    tenant_create: TenantCreateResult = mutation(
        "Make a tenant from a blueprint.",
        _create,
        takes=TenantCreateInput,
        action=AuditAction.TENANT_CREATE,
        rule=requires(BuiltIn.TENANT_CREATE, scope=Scope.SYSTEM),
    )
    tenant_update: TenantUpdateResult = mutation(
        "Change a tenant's name or slug, or ask its members for a second factor; that ends their "
        "access tokens, and those that follow do nothing before the factor.",
        _update,
        takes=TenantUpdateInput,
        action=AuditAction.TENANT_UPDATE,
        rule=requires(BuiltIn.TENANT_UPDATE),
    )
    tenant_suspend: TenantSuspendResult = mutation(
        "Let nobody act in a tenant; every token of it ends at once.",
        _suspend,
        takes=TenantSuspendInput,
        action=AuditAction.TENANT_SUSPEND,
        rule=requires(BuiltIn.TENANT_SUSPEND, scope=Scope.SYSTEM),
    )
    tenant_reactivate: TenantReactivateResult = mutation(
        "Let a suspended tenant work again.",
        _reactivate,
        takes=TenantReactivateInput,
        action=AuditAction.TENANT_REACTIVATE,
        rule=requires(BuiltIn.TENANT_SUSPEND, scope=Scope.SYSTEM),
    )
    tenant_plan_set: TenantPlanSetResult = mutation(
        "Put a tenant on a plan.",
        _set_plan,
        takes=TenantPlanSetInput,
        action=AuditAction.TENANT_PLAN_SET,
        rule=requires(BuiltIn.TENANT_PLAN),
    )
