"""A condition means the same evaluated in Python and compiled to SQL, whatever it says and is about."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given, settings
from sqlalchemy import Boolean, Integer, Numeric, Select, Text, Uuid, column, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeEngine

from tenantry.access.conditions import MAX_CHARACTERS, Condition, Kind, parse_condition
from tenantry.access.facts import about
from tenantry.access.predicates import Columns, Facts, holds, predicate, residual
from tenantry.storage.statements import compile_statement
from tests.support.conditions import ATTRIBUTES, COMPARISONS, PEOPLE, TEAMS, Case, cases
from tests.support.database import TemporaryDatabase

AGREED = {(True,) * 4, (False,) * 4}
TYPES: Mapping[Kind, TypeEngine[Any]] = {
    Kind.BOOLEAN: Boolean(),
    Kind.NUMBER: Numeric(),
    Kind.PERSON: Uuid(),
    Kind.TEXTS: ARRAY(Text()),
}


@dataclass
class Thing:
    """An object, as the service would have read it."""

    type: str
    state: str
    owner_id: UUID | None
    team_id: UUID | None
    attributes: Mapping[str, Any]


@pytest_asyncio.fixture(scope="module")
async def connection(database: TemporaryDatabase) -> AsyncIterator[asyncpg.Connection]:
    """One connection, of the role that serves."""
    connected = await asyncpg.connect(database.app_dsn)
    yield connected
    await connected.close()


def statement(condition: Condition, case: Case) -> Select[Any]:
    """For each object whether it meets the condition, and its attributes as PostgreSQL gives them back."""
    rows = (
        func.jsonb_to_recordset(literal(json.dumps(case.objects, default=str), JSONB()))
        .table_valued(
            column("place", Integer()),
            column("owner_id", Uuid()),
            column("team_id", Uuid()),
            column("state", Text()),
            column("type", Text()),
            column("attributes", JSONB()),
        )
        .render_derived(with_types=True)
    )
    columns = Columns(
        owner=rows.c.owner_id,
        team=rows.c.team_id,
        state=rows.c.state,
        type=rows.c.type,
        attributes=rows.c.attributes,
        subject=literal(case.asked["subject.id"], Uuid()),
        teams=select(func.unnest(literal(list(case.asked["subject.teams"]), ARRAY(Uuid())))),
        known=lambda path, kind: literal(_bound(case.asked[path]), TYPES.get(kind, Text())),
    )
    return select(rows.c.place, predicate(condition, columns), rows.c.attributes).order_by(rows.c.place)


def _bound(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def facts_about(case: Case, given: Mapping[str, Any], attributes: Mapping[str, Any]) -> Facts:
    thing = Thing(given["type"], given["state"], given["owner_id"], given["team_id"], attributes)
    return {**case.asked, **about(thing)}


async def both_ways(connection: asyncpg.Connection, case: Case) -> list[tuple[object, ...]]:
    """Of each object: what SQL says, and what Python says of it as it was and as PostgreSQL has it."""
    condition = parse_condition(case.text)
    left = residual(condition, case.asked)
    compiled = compile_statement(statement(left, case), tenant=literal(None))
    rows = await connection.fetch(compiled.sql, *(compiled.constants[name] for name in compiled.parameters))
    said = []
    for thing, (_, in_sql, kept) in zip(case.objects, rows, strict=True):
        before, after = (facts_about(case, thing, each) for each in (thing["attributes"], json.loads(kept)))
        said.append((in_sql, holds(condition, before), holds(condition, after), holds(left, before)))
    return said


FIXED: Mapping[str, Any] = {
    "environment.factor_age": 1,
    "environment.hour": 9,
    "environment.ip": "10.1.2.3",
    "environment.weekday": 1,
    "subject.email": "a",
    "subject.id": PEOPLE[0],
    "subject.is_owner": True,
    "subject.kind": "USER",
    "subject.roles": ("a", "b"),
    "subject.teams": frozenset({TEAMS[0]}),
    "tenant.plan": None,
    "tenant.slug": "b",
}
OBJECTS: list[tuple[UUID | None, UUID | None, str, dict[str, Any]]] = [
    (PEOPLE[0], TEAMS[0], "a", dict.fromkeys(ATTRIBUTES, 1)),
    (PEOPLE[0], TEAMS[0], "b", dict.fromkeys(ATTRIBUTES, "a")),
    (PEOPLE[1], TEAMS[1], "c", dict.fromkeys(ATTRIBUTES, True)),
    (PEOPLE[1], TEAMS[1], "a", {name: ["a", "b", 1] for name in ATTRIBUTES}),
    (None, None, "a", dict.fromkeys(ATTRIBUTES)),
    (None, None, "a", {}),
    (None, None, "c", dict.fromkeys(ATTRIBUTES, 0.1)),
]
THINGS = tuple(
    {
        "place": place,
        "owner_id": owner,
        "team_id": team,
        "state": state,
        "type": "a",
        "attributes": attributes,
    }
    for place, (owner, team, state, attributes) in enumerate(OBJECTS)
)

# By hand, of the above: which objects.
MET = {
    "resource.owner == subject.id": [0, 1],
    "resource.owner != subject.id": [2, 3],
    "resource.team in subject.teams": [0, 1],
    "resource.team not in subject.teams": [2, 3, 4, 5, 6],
    "resource.state in subject.roles": [0, 1, 3, 4, 5],
    "resource.state == tenant.slug": [1],
    "resource.attributes.n == 1": [0],
    "resource.attributes.n != 1": [6],
    "resource.attributes.n < environment.hour": [0, 6],
    "resource.attributes.n in [1, 0.1]": [0, 6],
    "resource.attributes.t == 'a'": [1],
    "resource.attributes.t in subject.roles": [1],
    "'a' in resource.attributes.t": [3],
    "subject.email in resource.attributes.t": [3],
    "resource.attributes.t == subject.is_owner": [2],
    "environment.ip in ['10.0.0.0/8']": [0, 1, 2, 3, 4, 5, 6],
}


@pytest.mark.requirement("004-21")
async def test_every_comparison_that_there_is(connection: asyncpg.Connection) -> None:
    answers = {text: await both_ways(connection, Case(text, FIXED, THINGS)) for text in COMPARISONS.values()}
    unlike = {text: said for text, said in answers.items() if not {*said} <= AGREED}
    assert unlike == {}
    for text, places in MET.items():
        assert [place for place, (met, *_) in enumerate(answers[text]) if met] == places


@pytest.mark.parametrize(
    "text",
    [
        "not " * 123 + "own",
        "own and (own_team or (" * 20 + "own" + "))" * 20,
        "not (own and " * 33 + "own" + ")" * 33,
        " or ".join(["own"] * 71),
    ],
    ids=["not", "nested", "not nested", "wide"],
)
async def test_the_deepest_that_can_be_written(connection: asyncpg.Connection, text: str) -> None:
    assert 400 < len(text) <= MAX_CHARACTERS
    answers = await both_ways(connection, Case(text, FIXED, THINGS))
    assert {*answers} == AGREED


@pytest.mark.requirement("004-21")
@settings(max_examples=250, deadline=None)
@given(cases)
async def test_evaluated_and_compiled_a_condition_is_the_same(
    connection: asyncpg.Connection, case: Case
) -> None:
    assert {*await both_ways(connection, case)} <= AGREED


@pytest.mark.long
@settings(max_examples=10_000, deadline=None)
@given(cases)
async def test_ten_thousand_times(connection: asyncpg.Connection, case: Case) -> None:
    assert {*await both_ways(connection, case)} <= AGREED
