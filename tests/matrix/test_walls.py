"""Either wall alone keeps every tenant's rows to itself: the same answers, byte for byte, with one or both."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import pytest
from graphql import parse, validate

from tenantry.api.operations import Operation
from tenantry.api.schema import TenantrySchema
from tenantry.kernel.principal import Authority
from tests.api.planner.documents import Document, Material, Writer
from tests.api.planner.graph import caller, graph
from tests.api.planner.rows import load, populate
from tests.matrix.regimes import CriteriaOff, row_security_off
from tests.support.database import DatabaseServer, TemporaryDatabase
from tests.support.factories import authority_of

EACH = 120
TOGETHER = 4


@asynccontextmanager
async def regimes(
    database: TemporaryDatabase, trail: TemporaryDatabase
) -> AsyncGenerator[tuple[dict[str, TenantrySchema], CriteriaOff]]:
    """The graph over one database behind both walls, behind each alone."""
    async with AsyncExitStack() as stack:
        bare, open_ = CriteriaOff(database), row_security_off(database)
        stack.push_async_callback(bare.close)
        stack.push_async_callback(open_.close)
        yield {
            "both": await stack.enter_async_context(graph(database, trail=trail)),
            "row security": await stack.enter_async_context(graph(bare, trail=trail)),
            "criteria": await stack.enter_async_context(graph(open_, trail=trail)),
        }, bare


async def answer(schema: TenantrySchema, authority: Authority | None, document: Document) -> str:
    """What the wire would send, without the ids of the request."""
    operation = Operation(document.text, caller(authority), document.name, document.variables)
    return (await schema.serve(operation)).body.decode()


async def compare(server: DatabaseServer, trail: TemporaryDatabase, seed: int, count: int) -> int:
    """Ask ``count`` documents of all three; returns how many criteria were taken out."""
    rng, database = Random(seed), await server.create()
    try:
        world = await populate(database, seed)
        material = Material.of(await load(database))
        callers: list[Any] = [await authority_of(database, each) for each in world.sessions]
        async with regimes(database, trail) as (graphs, bare):
            for _ in range(count // TOGETHER):
                await asyncio.gather(
                    *(one(graphs, rng, material, rng.choice([*callers, None])) for _ in range(TOGETHER))
                )
            return bare.taken_out
    finally:
        await server.drop(database)


async def one(
    graphs: dict[str, TenantrySchema], rng: Random, material: Material, authority: Authority | None
) -> None:
    """One random document, three times the same answer."""
    schema = next(iter(graphs.values()))._schema
    platform = authority is not None and authority.scope == "SYSTEM"
    while True:
        document = Writer(schema, rng, material, platform=platform).document()
        if not validate(schema, parse(document.text)):
            break
    found = {name: await answer(each, authority, document) for name, each in graphs.items()}
    if len(set(found.values())) != 1:
        shown = "\n".join(f"{name}: {text}" for name, text in found.items())
        pytest.fail(f"{document}\n{shown}", pytrace=False)


@pytest.mark.requirement("000-01", "001-22", "001-23")
@pytest.mark.parametrize("seed", range(2))
async def test_either_wall_alone_answers_as_both(
    database_server: DatabaseServer, database: TemporaryDatabase, seed: int
) -> None:
    taken_out = await compare(database_server, database, seed, EACH)
    assert taken_out > EACH, "criteria are there to be taken out"
