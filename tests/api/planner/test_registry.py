"""What a schema must declare to be built: a rule and a source for each field, a tenant for each table."""

from typing import Any

import pytest
import strawberry
from graphql import GraphQLObjectType
from sqlalchemy import ColumnElement, func, select
from strawberry.schema.config import StrawberryConfig

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import Rule, authenticated, public
from tenantry.api.nodes import Connection
from tenantry.api.planner.arguments import Values
from tenantry.api.planner.documents import Documents
from tenantry.api.planner.fields import column, connection, expression, graph_type, nested, one
from tenantry.api.planner.plans import PlanMaker, Shaped
from tenantry.api.planner.registry import Registry, UnplannedField, build_registry
from tenantry.api.planner.sources import Connection as Pages
from tenantry.api.planner.sources import Order, Row, Rows, table_of
from tenantry.api.scalars import SCALARS
from tenantry.api.schema import bare_schema
from tenantry.directory.members.models import Member
from tenantry.directory.tenants.models import Tenant
from tenantry.settings import Limits
from tenantry.storage.statements import TenantForgotten


def registry_of(query: type) -> tuple[Any, Registry]:
    """The schema of one query type, and its registry."""
    schema = strawberry.Schema(query, config=StrawberryConfig(scalar_map=SCALARS))._schema
    return schema, build_registry(schema)


def plan(query: type, text: str) -> Any:
    """The plan of one operation over one query type."""
    schema, registry = registry_of(query)
    prepared = Documents(schema, Limits()).prepare(text, None, tokens=1_000)
    return PlanMaker(schema, registry).plan(Shaped(prepared, {}, {}), frozenset())


# --- every field has a rule and a source ----------------------------------------------------------


def test_every_field_of_the_schema_has_a_rule_that_is_printed_with_it() -> None:
    schema = bare_schema()
    registry = build_registry(schema._schema)
    rules = {(kind, name) for kind, name, _ in registry.rules()}
    declared = {
        (kind.name, name)
        for kind in schema._schema.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
        for name in kind.fields
    }
    assert rules == declared


def test_every_permission_that_a_rule_names_is_one_there_is() -> None:
    named = {
        permission
        for _, _, rule in build_registry(bare_schema()._schema).rules()
        for each in rule.any_of
        for permission in each
    }
    assert named == {str(each) for each in BuiltIn}


@strawberry.type
class Bare:
    """Neither rule nor source."""

    name: str


@graph_type(rule=None)
class Ruleless:
    """A field whose type has no rule either."""

    name: str = column("A column.")


@graph_type(rule=public())
class Sourceless:
    """A field that Strawberry alone knows."""

    @strawberry.field
    def name(self) -> str:
        """Resolved, as nothing here is."""
        return ""


@graph_type(rule=public())
class Half:
    """One field is declared, the other is not."""

    name: str = column("A column.")
    other: str = ""


@pytest.mark.parametrize(
    ("kind", "named"),
    [(Bare, "Bare"), (Ruleless, "Ruleless.name"), (Sourceless, "Sourceless.name"), (Half, "Half.other")],
)
def test_a_field_that_nobody_declared_builds_no_schema(kind: type, named: str) -> None:
    @graph_type(rule=public())
    class Query:
        """Leads to the type."""

        it: kind = nested("It.")

    with pytest.raises(UnplannedField, match=named):
        registry_of(Query)


# --- every table has a tenant ----------------------------------------------------------------------


def _bare_count(_row: Row, _caller: Row, _of: Rows) -> ColumnElement[int]:
    return select(func.count()).select_from(table_of(Member).alias()).scalar_subquery()


def _unbound_count(_row: Row, _caller: Row, of: Rows) -> ColumnElement[int]:
    member, _criterion_thrown_away = of(Member)
    return select(func.count()).select_from(member).scalar_subquery()


def _bound_count(_row: Row, _caller: Row, of: Rows) -> ColumnElement[int]:
    member, within = of(Member)
    return select(func.count()).select_from(member).where(*within).scalar_subquery()


def _other_tenant(row: Row, _caller: Row, of: Rows) -> ColumnElement[int]:
    member, _ = of(Member)
    return (
        select(func.count())
        .select_from(member)
        .where(member.c.tenant_id == row.c.member_id)
        .scalar_subquery()
    )


def counting(sql: Any) -> type:
    """A query type with one expression."""

    @graph_type(rule=authenticated())
    class Query:
        """Counts."""

        count: int = expression("A count.", sql)

    return Query


@pytest.mark.parametrize("sql", [_bare_count, _unbound_count, _other_tenant])
def test_a_source_that_forgets_the_tenant_makes_no_statement(sql: Any) -> None:
    with pytest.raises(TenantForgotten, match="member"):
        plan(counting(sql), "{ count }")


def test_a_source_that_takes_its_rows_from_the_compiler_is_bound() -> None:
    made = plan(counting(_bound_count), "{ count }")
    assert "member_1.tenant_id = authority.tenant_id" in made.statement.sql


@graph_type(rule=authenticated())
class Person:
    """A member."""

    id: strawberry.ID = column("Id.", "node_id")


def test_edges_and_pages_are_bound_whatever_their_author_says() -> None:
    @graph_type(rule=authenticated())
    class Query:
        """Edges without a criterion of their own."""

        tenant: Person = one("A tenant.", Tenant, lambda _caller, _tenant: [])
        people: Connection[Person] = connection(
            "Everyone.", Pages(Member, lambda *_: [], Order(lambda member: [member.c.email]))
        )

    sql = plan(Query, "{ tenant { id } people(first: 1) { totalCount nodes { id } } }").statement.sql
    assert sql.count("tenant_id = authority.tenant_id") == 2
    assert "tenant_1.id = authority.tenant_id" in sql


# --- the rest ----------------------------------------------------------------------------------------


def test_a_value_known_from_the_authority_cannot_be_had_without_one() -> None:
    made = plan(counting(_bound_count), "{ count }")
    with pytest.raises(RuntimeError, match="authority"):
        made.statement.arguments(Values(None, {}))


def test_rules_of_one_meaning_are_equal_so_that_plans_can_be_shared() -> None:
    rules: set[Rule] = {rule for _, _, rule in build_registry(bare_schema()._schema).rules()}
    assert len(rules) == len(
        {(rule.kind, frozenset(rule.any_of), rule.scope, rule.freshness) for rule in rules}
    )
