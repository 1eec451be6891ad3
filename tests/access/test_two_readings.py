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

from tenantry.access.conditions import Condition, Kind, parse_condition
from tenantry.access.facts import about
from tenantry.access.predicates import Columns, Facts, holds, predicate, residual
from tenantry.storage.statements import compile_statement
from tests.support.conditions import Case, cases
from tests.support.database import TemporaryDatabase

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
    return {**case.asked, **about(thing, case.asked["subject.teams"])}


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


@pytest.mark.requirement("004-21")
@settings(max_examples=400, deadline=None)
@given(cases)
async def test_evaluated_and_compiled_a_condition_is_the_same(
    connection: asyncpg.Connection, case: Case
) -> None:
    for said in await both_ways(connection, case):
        assert said in {(True,) * 4, (False,) * 4}


@pytest.mark.long
@settings(max_examples=10_000, deadline=None)
@given(cases)
async def test_ten_thousand_times(connection: asyncpg.Connection, case: Case) -> None:
    for said in await both_ways(connection, case):
        assert said in {(True,) * 4, (False,) * 4}
