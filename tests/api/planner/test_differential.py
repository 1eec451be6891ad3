"""The planner's answers against ordinary execution, on random documents over random rows."""

import asyncio
import json
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from graphql import parse, validate

from tenantry import __version__
from tenantry.api.schema import TenantrySchema
from tenantry.kernel.principal import Authority
from tests.api.planner.documents import Document, Material, Writer
from tests.api.planner.graph import METHODS, ask, codes, graph
from tests.api.planner.reference import Answer, Reference
from tests.api.planner.rows import Tables, load, populate
from tests.api.planner.sight import Who, who
from tests.support.database import DatabaseServer, TemporaryDatabase
from tests.support.factories import authority_of

EACH = 210
TOGETHER = 4
SERVER = {
    "version": __version__,
    "environment": "development",
    "signInMethods": [
        {"kind": each.kind, "title": each.title, "issuer": each.issuer, "clientId": each.client_id}
        for each in METHODS
    ],
}


@dataclass(frozen=True)
class Case:
    """One document of one caller, and what the reference says of it."""

    seed: int
    number: int
    document: Document
    authority: Authority | None
    caller: Who
    expected: Answer

    def check(self, answer: dict[str, Any]) -> None:
        """Data equal byte for byte with the order of keys, errors as a set of codes and paths."""
        found = (json.dumps(answer.get("data")), codes(answer))
        expected = (json.dumps(self.expected.data), self.expected.errors)
        if self.expected.bad:
            found = (found[0], {(code, ()) for code, _ in found[1]})
        if found != expected:
            pytest.fail(
                f"seed {self.seed}, document {self.number}, {self.caller.scope} token,"
                f" permissions {sorted(self.caller.permissions)}\n{self.document}\n"
                f"planner:   {found[0]}\n           {sorted(found[1])}\n"
                f"reference: {expected[0]}\n           {sorted(expected[1])}\n{answer.get('errors')}",
                pytrace=False,
            )


async def compare(server: DatabaseServer, trail: TemporaryDatabase, seed: int, count: int) -> int:
    """Compare ``count`` valid documents over the rows of ``seed``; returns how many had data.

    What is recorded stands in ``trail``, so that the rows stay as they are.
    """
    rng, reference = Random(seed), Reference(SERVER)
    database = await server.create()
    try:
        world = await populate(database, seed)
        tables = await load(database)
        callers = [(await authority_of(database, each), who(tables, each)) for each in world.sessions]
        everyone: list[tuple[Authority | None, Who]] = [*callers, (None, Who())]
        material = Material.of(tables)
        with_data = 0
        async with graph(database, trail=trail) as schema:
            cases: list[Case] = []
            for number in range(count):
                cases.append(make(rng, reference, tables, material, (seed, number, *rng.choice(everyone))))
                if len(cases) == TOGETHER or number == count - 1:
                    with_data += await run(schema, cases)
                    cases = []
        return with_data
    finally:
        await server.drop(database)


def make(
    rng: Random, reference: Reference, tables: Tables, material: Material, head: tuple[int, int, Any, Who]
) -> Case:
    """One valid document, and what it should be answered with."""
    seed, number, authority, caller = head
    while True:
        document = Writer(reference.schema, rng, material, platform=caller.scope == "SYSTEM").document()
        parsed = parse(document.text)
        if not validate(reference.schema, parsed):
            break
    expected = reference.answer(tables, caller, parsed, document.variables, document.name)
    material.learn(expected.cursors)
    return Case(seed, number, document, authority, caller, expected)


async def run(schema: TenantrySchema, cases: list[Case]) -> int:
    """Check the cases, side by side."""
    answers = await asyncio.gather(*(answer_of(schema, each) for each in cases))
    for case, answer in zip(cases, answers, strict=True):
        case.check(answer)
    return sum(answer.get("data") is not None for answer in answers)


async def answer_of(schema: TenantrySchema, case: Case) -> dict[str, Any]:
    """The planner's answer; asked twice where a machine that stands still has cost the first."""
    document = case.document
    for _ in range(2):
        answer = await ask(schema, case.authority, document.text, document.variables, name=document.name)
        if not {code for code, _ in codes(answer)} & {"INTERNAL", "UNAVAILABLE"}:
            break
    return answer


@pytest.mark.parametrize("seed", range(10))
async def test_the_planner_answers_as_ordinary_execution_would(
    database_server: DatabaseServer, database: TemporaryDatabase, seed: int
) -> None:
    with_data = await compare(database_server, database, seed, EACH)
    assert with_data > EACH / 2, "most documents should not be refused as a whole"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1_000, 1_050))
async def test_and_so_for_many_more(
    database_server: DatabaseServer, database: TemporaryDatabase, seed: int
) -> None:
    with_data = await compare(database_server, database, seed, 2 * EACH)
    assert with_data > EACH, "most documents should not be refused as a whole"
