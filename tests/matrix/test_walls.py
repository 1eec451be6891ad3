"""Either wall alone keeps each tenant's rows to itself: the same answers, byte for byte, as with both."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import product as product_of
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
from tests.api.test_ids import ASKS, USER, nobody_has
from tests.matrix.regimes import CriteriaOff, Noting, row_security_off
from tests.support.api import Product
from tests.support.database import DatabaseServer, TemporaryDatabase
from tests.support.factories import authority_of
from tests.support.refusals import snapshot
from tests.support.world import World

EACH = 80
TOGETHER = 4
SERVER_ERROR = 500


@asynccontextmanager
async def regimes(
    database: TemporaryDatabase, trail: TemporaryDatabase
) -> AsyncGenerator[tuple[dict[str, TenantrySchema], CriteriaOff]]:
    """The graph over one database behind both walls, behind each alone."""
    async with AsyncExitStack() as stack:
        bare, open_ = CriteriaOff(database), row_security_off(database)
        stack.push_async_callback(bare.close)
        stack.push_async_callback(open_.close)
        yield (
            {
                "both": await stack.enter_async_context(graph(database, trail=trail)),
                "row security": await stack.enter_async_context(graph(bare, trail=trail)),
                "criteria": await stack.enter_async_context(graph(open_, trail=trail)),
            },
            bare,
        )


async def answer(schema: TenantrySchema, authority: Authority | None, document: Document) -> str:
    """What the wire would send; asked twice where a machine that stands still has cost the first."""
    for _ in range(2):
        operation = Operation(document.text, caller(authority), document.name, document.variables)
        made = await schema.serve(operation)
        if made.status < SERVER_ERROR:
            break
    return made.body.decode()


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


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2_000, 2_030))
async def test_and_so_for_many_more(
    database_server: DatabaseServer, database: TemporaryDatabase, seed: int
) -> None:
    assert await compare(database_server, database, seed, 2 * EACH) > EACH


# These look at an issuer first, which this graph has none of.
OUTSIDE = {"OidcLoginInput.tenantId", "FirebaseLoginInput.tenantId", "IdentityProviderCreateInput.roleIds"}
INSIDE = {name: ask for name, ask in ASKS.items() if name not in OUTSIDE}


@dataclass(frozen=True)
class Pair:
    """Two tenants in which the same things have been made, and the owner of the first."""

    world: World
    other: World
    owner: Authority

    @classmethod
    async def make(cls, product: Product) -> "Pair":
        """With everything that any argument could name."""
        world, other = await World.make(product), await World.make(product)
        await world.prove(world.owner)
        for kind, text, _ in INSIDE.values():
            await world.fill(text.replace("<id>", ""))
            await other.fill("" if kind == USER else f"<{kind}>")
        other.made[USER] = other.owner.user
        return cls(world, other, await authority_of(product.database, world.owner.session_id))

    async def answer(self, schema: TenantrySchema, argument: str, node_id: str) -> str:
        """What the owner is told when they give ``node_id`` for an argument."""
        self.world.made["id"] = node_id
        document = Document(await self.world.fill(INSIDE[argument][1]), {}, None)
        return await answer(schema, self.owner, document)

    def foreign(self, argument: str) -> str:
        """An id that somebody in the other tenant could give."""
        return self.other.made[INSIDE[argument][0]]


@pytest.mark.requirement("000-01", "000-12", "001-23", "002-19")
async def test_either_wall_alone_knows_no_id_of_another_tenant(product: Product) -> None:
    pair = await Pair.make(product)
    before = await snapshot(product.database)
    async with regimes(product.database, product.database) as (graphs, _):
        for argument, wall in product_of(INSIDE, ("row security", "criteria")):
            foreign = pair.foreign(argument)
            found = [
                await pair.answer(graphs[wall], argument, each) for each in (foreign, nobody_has(foreign))
            ]
            assert found[0] == found[1], (argument, wall)
            assert INSIDE[argument][2] in found[0], (argument, wall)
            assert foreign not in found[0], (argument, wall)
    assert await snapshot(product.database) == before


@pytest.mark.requirement("000-12")
async def test_the_same_is_done_for_an_id_of_another_tenant_as_for_one_that_nobody_has(
    product: Product,
) -> None:
    """No watch tells more than this would: the same statements run, in the same order and number."""
    pair, noting = await Pair.make(product), Noting(product.database)
    async with graph(noting, trail=product.database) as schema:
        for argument in INSIDE:
            foreign = pair.foreign(argument)
            # What is looked up once for all, such as a blueprint, is looked up now.
            await pair.answer(schema, argument, nobody_has(foreign))
            noting.taken()
            told = await pair.answer(schema, argument, foreign)
            done = noting.taken()
            assert told == await pair.answer(schema, argument, nobody_has(foreign)), argument
            assert done == noting.taken(), argument
            # Only what needs no look at the database is done without one.
            assert any("SELECT" in sql for sql in done) or "MISMATCH" in told or "BAD_USER_INPUT" in told
    await noting.close()


async def test_with_neither_wall_this_very_question_shows_another_tenants_rows(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    await other.fill("<powerless member> <powerless role> <invitation> <API key> <published domain>")
    neither = CriteriaOff(row_security_off(product.database))
    async with graph(neither, trail=product.database) as bare, graph(product.database) as walled:
        for node_id in other.made.values():
            document = Document(f'{{ node(id: "{node_id}") {{ id }} }}', {}, None)
            assert node_id in await answer(bare, world.owner, document)
            assert "NOT_FOUND" in await answer(walled, world.owner, document)
        suspend = (
            f'mutation {{ memberSuspend(input: {{memberId: "{other.owner.member}"}}) {{ __typename }} }}'
        )
        assert "LastOwner" in await answer(bare, world.owner, Document(suspend, {}, None))
        assert "NOT_FOUND" in await answer(walled, world.owner, Document(suspend, {}, None))
    await neither.close()
