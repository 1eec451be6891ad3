"""The criteria, one at a time: a statement that has lost any of them is not compiled."""

from collections.abc import Iterator
from random import Random
from typing import ClassVar

import pytest
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_required_argument,
    is_required_input_field,
    parse,
    validate,
)

from tenantry.api.planner.compiler import Compiler
from tenantry.api.planner.documents import Documents
from tenantry.api.planner.findings import Here
from tenantry.api.planner.plans import PlanMaker, Shaped
from tenantry.api.planner.registry import build_registry
from tenantry.api.planner.sources import Column, Computed, Criteria, Known, Row, table_of
from tenantry.api.schema import bare_schema
from tenantry.kernel.errors import BadUserInput
from tenantry.storage.statements import TenantForgotten
from tenantry.storage.tenancy import tenant_column
from tests.api.planner.documents import Document, Material, Writer
from tests.api.planner.graph import ROOMY

SCHEMA = bare_schema()._schema
REGISTRY = build_registry(SCHEMA)
NODES = sorted(REGISTRY.nodes.items())
DOCUMENTS = Documents(SCHEMA, ROOMY, hide=False)
NOWHERE = {
    name: ["X_x"] for name in ("member", "role", "user", "tenant", "session", "invitation", "resource")
}
SAMPLE = 70
LINKS = {"ConnectionRole", "InvitationRole", "MemberRole", "TeamMember"}
ANSWERED = {
    "ApiKey",
    "Connection",
    "EmailDomain",
    "Invitation",
    "Member",
    "Resource",
    "Role",
    "Session",
    "Team",
    *LINKS,
}


class Forgetful(Compiler):
    """Counts the criteria it gives out, and keeps one to itself."""

    given: ClassVar[list[str]] = []
    forgets: ClassVar[int] = -1

    def rows(self, table: type, here: Here) -> tuple[Row, Criteria]:
        row, criteria = super().rows(table, here)
        if tenant_column(row) is None:
            return row, criteria
        type(self).given.append(table.__name__)
        return row, criteria[1:] if len(self.given) - 1 == self.forgets else criteria


class ForgetfulMaker(PlanMaker):
    """Plans by a compiler that forgets."""

    makes = Forgetful


def planned(document: Document, forgets: int = -1) -> tuple[list[str], list[str]]:
    """Compile a document, the ``forgets``-th criterion left out; the tables of all criteria, and the SQL."""
    Forgetful.given, Forgetful.forgets = [], forgets
    prepared = DOCUMENTS.prepare(document.text, document.name, tokens=ROOMY.tokens)
    coerced = DOCUMENTS.coerce(prepared, document.variables)
    plan = ForgetfulMaker(SCHEMA, REGISTRY).plan(Shaped(prepared, coerced, document.variables), frozenset())
    made = (plan.statement, *plan.crossings.values(), *(each.statement for each in plan.payloads.values()))
    return Forgetful.given, [each.sql for each in made if each is not None]


def reading(count: int, seed: int) -> Iterator[Document]:
    """Random documents that can be planned."""
    rng, material = Random(seed), Material(NOWHERE, ["2026-01-01T00:00:00Z"])
    while count:
        document = Writer(SCHEMA, rng, material, platform=rng.random() < 0.2).document()
        if validate(SCHEMA, parse(document.text)):
            continue
        try:
            planned(document)
        except BadUserInput:
            continue
        count -= 1
        yield document


def every_edge() -> Iterator[Document]:
    """Each field that leads to rows, of each object that a document can begin with."""
    places = {
        name: f'node(id: "{letter}_x") {{{{ ... on {name} {{{{ {{}} }}}} }}}}' for letter, name in NODES
    }
    for name, place in (places | {"Viewer": "viewer {{ {} }}", "System": "system {{ {} }}"}).items():
        for edge in edges(name):
            yield Document(f"{{ {place.format(edge)} }}", {}, None)


def edges(name: str, depth: int = 1) -> Iterator[str]:
    """The fields of a type that lead to rows, and what these lead to in turn."""
    kind = SCHEMA.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    for field, definition in kind.fields.items():
        inner = get_named_type(definition.type)
        if not isinstance(inner, GraphQLObjectType):
            if not isinstance(REGISTRY.field(name, field).source, Column | Computed | Known):
                yield field
        elif not isinstance(REGISTRY.field(name, field).source, Computed):
            page = "first" in definition.args
            given = arguments(definition, *(["first: 2"] if page else []))
            node = get_named_type(inner.fields["nodes"].type).name if page else inner.name
            below = f"__typename {' '.join(edges(node, depth - 1)) if depth else ''}"
            yield f"{field}{given} {{ {f'nodes {{ {below} }}' if page else below} }}"


def answers() -> Iterator[Document]:
    """Each mutation, with every object that it answers with."""
    assert SCHEMA.mutation_type is not None
    for name, field in SCHEMA.mutation_type.fields.items():
        named = get_named_type(field.type)
        possible = [named] if isinstance(named, GraphQLObjectType) else SCHEMA.get_possible_types(named)
        inside = " ".join(f"... on {kind.name} {{ __typename {selected(kind)} }}" for kind in possible)
        yield Document(f"mutation {{ {name}{arguments(field)} {{ {inside} }} }}", {}, None)


def arguments(field: GraphQLField, *more: str) -> str:
    """Arguments of the right types; what is not there is not looked for before it runs."""
    asked = [
        f"{name}: {value_of(each.type)}" for name, each in field.args.items() if is_required_argument(each)
    ]
    return f"({', '.join([*more, *asked])})" if more or asked else ""


def value_of(kind: GraphQLInputType) -> str:
    """The shortest value of a type."""
    inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    if isinstance(inner, GraphQLList):
        return f"[{value_of(inner.of_type)}]"
    if not isinstance(inner, GraphQLInputObjectType):
        return '"a:b"' if inner.name == "Permission" else '"x"'
    fields = list(inner.fields.items())[:1] if inner.is_one_of else inner.fields.items()
    asked = [(name, each) for name, each in fields if inner.is_one_of or is_required_input_field(each)]
    return f"{{{', '.join(f'{name}: {value_of(each.type)}' for name, each in asked)}}}"


def selected(kind: GraphQLObjectType, depth: int = 1) -> str:
    """The fields of a type that lead to rows, and what these lead to."""
    found: list[str] = []
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if isinstance(inner, GraphQLObjectType) and not field.args:
            found.append(f"{name} {{ __typename {selected(inner, depth - 1) if depth else ''} }}")
    return " ".join(found)


def forgotten(documents: Iterator[Document]) -> tuple[set[str], set[str]]:
    """Leave out each criterion of each document in turn: of which tables one was told, and of which not."""
    told: set[str] = set()
    silent: set[str] = set()
    for document in documents:
        given, sql = planned(document)
        for place, table in enumerate(given):
            try:
                _, bare = planned(document, place)
            except TenantForgotten:
                told.add(table)
            else:
                # Rows that were taken and not used stand in no statement, and neither does their criterion.
                silent |= {table} if bare != sql else set()
    return told, silent


def tables_of_types() -> Iterator[str]:
    """The tables of tenants that stand behind a type of the graph."""
    for plan in REGISTRY.types.values():
        if plan.table is not None and tenant_column(table_of(plan.table)) is not None:
            yield plan.table.__name__


@pytest.mark.requirement("000-01", "001-22", "001-23")
def test_no_criterion_of_a_read_can_be_left_out() -> None:
    told, silent = forgotten(every_edge())
    assert told == {*tables_of_types(), *LINKS}
    # From a token to its own tenant the edge is the criterion, and stands there twice.
    assert silent == {"Tenant"}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_and_so_in_documents_of_any_shape(seed: int) -> None:
    told, silent = forgotten(reading(SAMPLE, seed))
    assert len(told) > 5
    assert silent <= {"Tenant"}


@pytest.mark.requirement("001-22")
def test_no_criterion_of_a_mutations_answer_can_be_left_out() -> None:
    told, silent = forgotten(answers())
    assert told >= ANSWERED
    assert silent == {"Tenant"}
