"""From selections to SQL: every object is text put together, every edge a sub-select."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from graphql import GraphQLField, GraphQLNonNull, GraphQLObjectType, GraphQLSchema
from graphql.execution.collect_fields import FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues, get_argument_values
from sqlalchemy import ColumnElement
from sqlmodel import SQLModel

from tenantry.access.rules import Rule
from tenantry.api.planner import edges
from tenantry.api.planner.arguments import Binds, Getter
from tenantry.api.planner.documents import Prepared
from tenantry.api.planner.doors import row_of
from tenantry.api.planner.findings import Asked, Details, Findings, Here, Problem, Refused
from tenantry.api.planner.objects import NULL, build_object, typename
from tenantry.api.planner.reach import NOTHING, WITHIN_REACH, Barred, Reach
from tenantry.api.planner.registry import Registry
from tenantry.api.planner.sources import Criteria, Realm, Row
from tenantry.kernel.errors import Forbidden, StepUpRequired, TenantRequired
from tenantry.storage.tenancy import tenant_column


class Sight(NamedTuple):
    """Of whom an operation is compiled for: the rules they do not meet, and what is in their reach."""

    refused: frozenset[Rule] = frozenset()
    reach: Reach = NOTHING
    barred: Barred = frozenset()


NO_LIMITS = Sight()


class Compiler:
    """Compiles the parts of one operation for one set of rules that the caller does not meet."""

    def __init__(
        self,
        schema: GraphQLSchema,
        registry: Registry,
        prepared: Prepared,
        variables: VariableValues,
        *,
        sample: Mapping[str, Any],
        sight: Sight = NO_LIMITS,
    ) -> None:
        self.schema = schema
        self.registry = registry
        self.operation = prepared.operation
        self.fragments = {
            name: FragmentDetails(definition) for name, definition in prepared.fragments.items()
        }
        self.variables = variables
        self.sample = sample
        self.refused = sight.refused
        self.reach = sight.reach
        self.barred = dict(sight.barred)
        self.findings = Findings()
        self.binds = Binds()
        self.caller: Row | None = None

    # --- what the operation selects -------------------------------------------------------

    def roots(self, root: GraphQLObjectType) -> dict[str, Details]:
        """The operation's root fields by response key."""
        return collect_fields(
            self.schema, self.fragments, self.variables, root, self.operation
        ).grouped_field_set

    def below(self, type_: GraphQLObjectType, details: Details) -> dict[str, Details]:
        """The fields selected inside ``details`` where the object is a ``type_``."""
        return collect_subfields(
            self.schema, self.fragments, self.variables, self.operation, type_, details
        ).grouped_field_set

    def arguments(self, definition: GraphQLField, details: Details) -> dict[str, Any]:
        """Arguments by GraphQL name, slots where a variable brings a scalar."""
        return get_argument_values(definition, details[0].node, self.variables)

    # --- rows -----------------------------------------------------------------------------

    def rows(self, table: type[SQLModel], here: Here) -> tuple[Row, Criteria]:
        """An alias of ``table`` in this realm, and the tenant's criterion on it."""
        row = row_of(table, here.realm)
        if row is None:
            self.findings.problems.append(Problem(here.path, error=TenantRequired()))
            raise Refused
        column = tenant_column(row)
        if column is None:
            return row, []
        criteria: Criteria = [column == self.the_caller.c.tenant_id]
        if table in WITHIN_REACH and here.realm is Realm.HERE:
            self.findings.reaches = True
            criteria.append(WITHIN_REACH[table](self, row, here))
        return row, criteria

    def of_type(self, name: Getter, here: Here) -> None:
        """Note that a type of resource is asked for; raise ``Refused`` where none of it is ever in reach."""
        self.findings.types.append((here.path, name))
        if here.path in self.barred:
            permission = self.barred[here.path]
            error = StepUpRequired(None) if permission is None else Forbidden(permission or None)
            self.findings.problems.append(Problem(here.path, error=error))
            raise Refused

    @property
    def the_caller(self) -> Row:
        """The row of the authority, set by whoever makes the statement."""
        if self.caller is None:
            raise RuntimeError("no caller's row has been set")
        return self.caller

    # --- objects and fields ----------------------------------------------------------------

    def object(self, type_: GraphQLObjectType, details: Details, here: Here) -> ColumnElement[Any]:
        """An object's JSON from the selections on it."""
        return build_object(self.members(type_, self.below(type_, details), here))

    def members(
        self, type_: GraphQLObjectType, selected: Mapping[str, Details], here: Here
    ) -> list[tuple[str, ColumnElement[Any]]]:
        """Key and SQL of each selected field, in order."""
        return [(key, self.field(type_, key, details, here)) for key, details in selected.items()]

    def field(self, type_: GraphQLObjectType, key: str, details: Details, here: Here) -> ColumnElement[Any]:
        """One field's JSON; null, with a finding, where the caller may not see it."""
        name = details[0].node.name.value
        if name == "__typename":
            return typename(type_.name)
        definition = type_.fields[name]
        place = here.at(key)
        try:
            self.permit(type_.name, name, place)
            return self.source(Asked(type_, name, definition, details), place)
        except Refused:
            if isinstance(definition.type, GraphQLNonNull):
                raise
            return NULL

    def permit(self, type_name: str, name: str, here: Here) -> None:
        """Note the rule; raise ``Refused`` where the caller does not meet it."""
        own = self.registry.field(type_name, name).rule
        rule = own or here.ambient or self.registry.rule(type_name, name)
        self.findings.rules.add(rule)
        if rule in self.refused:
            self.findings.problems.append(Problem(here.path, rule=rule))
            raise Refused

    def source(self, asked: Asked, here: Here) -> ColumnElement[Any]:
        """The SQL of one permitted field."""
        source = self.registry.field(asked.parent.name, asked.name).source
        made_by = edges.MADE_BY.get(type(source))
        if made_by is None:
            raise TypeError(f"{asked.parent.name}.{asked.name} has no place in a statement")
        return made_by(self, source, asked, here)
