"""The declarations of a schema by name, checked when it is built: no field without a rule."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema
from sqlmodel import SQLModel
from strawberry.types.field import StrawberryField

from tenantry.access.rules import Rule
from tenantry.api.planner.fields import PLAN
from tenantry.api.planner.sources import Column, FieldPlan, TypePlan
from tenantry.kernel.ids import NodePrefix

DEFINITION = "strawberry-definition"


class UnplannedField(TypeError):
    """A type or a field that the planner knows nothing of, or that nobody guards."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Every type's plan by GraphQL name, and the types that ``node`` can find by letter."""

    types: Mapping[str, TypePlan]
    nodes: Mapping[str, str]

    def field(self, type_name: str, field_name: str) -> FieldPlan:
        """The plan of one field."""
        return self.types[type_name].fields[field_name]

    def rule(self, type_name: str, field_name: str) -> Rule:
        """Who may: the field's own rule, or its type's."""
        plan = self.types[type_name]
        rule = plan.fields[field_name].rule or plan.rule
        if rule is None:
            raise UnplannedField(f"{type_name}.{field_name} has no rule")
        return rule

    def rules(self) -> Iterator[tuple[str, str, Rule]]:
        """Each (type, field, rule) of the schema, for checks and documents."""
        for name, plan in sorted(self.types.items()):
            for field_name in plan.fields:
                yield name, field_name, self.rule(name, field_name)


def build_registry(schema: GraphQLSchema) -> Registry:
    """Collect every declaration. Raises ``UnplannedField`` for one without source or rule."""
    types: dict[str, TypePlan] = {}
    for name, graphql_type in schema.type_map.items():
        if isinstance(graphql_type, GraphQLObjectType) and not name.startswith("__"):
            types[name] = _type_plan(graphql_type)
    nodes = {str(prefix): name for prefix, name in _NODES.items() if name in types}
    registry = Registry(types, nodes)
    for _ in registry.rules():
        pass
    return registry


_NODES = {
    NodePrefix.API_KEY: "ApiKey",
    NodePrefix.AUDIT_EVENT: "AuditEvent",
    NodePrefix.EMAIL_DOMAIN: "EmailDomain",
    NodePrefix.IDENTITY_PROVIDER: "IdentityProvider",
    NodePrefix.INVITATION: "Invitation",
    NodePrefix.MEMBER: "Member",
    NodePrefix.RESOURCE: "Resource",
    NodePrefix.ROLE: "Role",
    NodePrefix.SESSION: "Session",
    NodePrefix.TEAM: "Team",
    NodePrefix.TENANT: "Tenant",
    NodePrefix.USER: "User",
    NodePrefix.WEBHOOK_DELIVERY: "WebhookDelivery",
    NodePrefix.WEBHOOK_ENDPOINT: "WebhookEndpoint",
}


def _type_plan(graphql_type: GraphQLObjectType) -> TypePlan:
    definition: Any = graphql_type.extensions.get(DEFINITION)
    plan = getattr(getattr(definition, "origin", None), PLAN, None)
    if not isinstance(plan, TypePlan):
        raise UnplannedField(f"type {graphql_type.name}: declare it with graph_type(rule=…)")
    fields = {
        name: _field_plan(graphql_type.name, name, field) for name, field in graphql_type.fields.items()
    }
    return replace(plan, fields=fields)


def _field_plan(type_name: str, name: str, field: GraphQLField) -> FieldPlan:
    definition = field.extensions.get(DEFINITION)
    plan = definition.metadata.get(PLAN) if isinstance(definition, StrawberryField) else None
    if not isinstance(plan, FieldPlan) or not isinstance(definition, StrawberryField):
        raise UnplannedField(
            f"{type_name}.{name}: declare it with column(), one(), many(), … of api.planner.fields"
        )
    if isinstance(plan.source, Column) and plan.source.name is None:
        return FieldPlan(Column(definition.python_name), plan.rule)
    return plan


def table_for(registry: Registry, type_name: str) -> type[SQLModel]:
    """The table behind a type that ``node`` can find."""
    table = registry.types[type_name].table
    if table is None:
        raise UnplannedField(f"type {type_name} has no table")
    return table
