"""Limits: what is refused before any work, and to whom."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tenantry.api.operations import Operation
from tenantry.kernel.principal import Authority
from tenantry.settings import Limits
from tests.api.planner.graph import ask, caller, codes, graph
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_tenant, signed_in, system_authority

PLENTY = 10**9
COMPLEX = {("QUERY_TOO_COMPLEX", ())}
BAD = {("BAD_USER_INPUT", ())}


@pytest_asyncio.fixture(scope="module")
async def owner(database: TemporaryDatabase) -> AsyncIterator[Authority]:
    yield await signed_in(database, await make_tenant(database), "owner")


async def answered(
    database: TemporaryDatabase,
    authority: Authority | None,
    document: str,
    variables: Any = None,
    **limits: int,
) -> dict[str, Any]:
    """The answer under the default limits, but for ``limits``."""
    async with graph(database, limits=Limits(**{"compiles_per_minute": PLENTY} | limits)) as schema:
        return await ask(schema, authority, document, variables)


def limit(answer: Any) -> tuple[str, int, int]:
    """Which limit, what it allows, what was found."""
    (error,) = answer["errors"]
    assert answer.get("data") is None
    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    return tuple(error["extensions"][each] for each in ("limit", "allowed", "found"))


async def test_tokens_are_counted_before_anything_is_parsed(
    database: TemporaryDatabase, owner: Authority
) -> None:
    hopeless = "{ " * 5_000
    assert limit(await answered(database, None, hopeless)) == ("token count", 300, 301)
    assert limit(await answered(database, owner, hopeless)) == ("token count", 1_000, 1_001)


async def test_a_document_known_from_a_signed_in_caller_stays_too_long_for_others(
    database: TemporaryDatabase, owner: Authority
) -> None:
    document = "{ " + "__typename " * 99 + "}"
    async with graph(database, limits=Limits(tokens_anonymous=100)) as schema:
        assert "errors" not in await ask(schema, owner, document)
        assert limit(await ask(schema, None, document)) == ("token count", 100, 101)


async def test_comments_and_commas_are_no_tokens(database: TemporaryDatabase) -> None:
    document = "# " + "x " * 900 + "\n{" + ",," * 900 + "__typename}"
    assert (await answered(database, None, document, tokens_anonymous=3))["data"] == {"__typename": "Query"}


async def test_depth_counts_fields_through_fragments(database: TemporaryDatabase, owner: Authority) -> None:
    document = """query Q { viewer { ...A } }
        fragment A on Viewer { ... on Viewer { member { tenant { ...B } } } }
        fragment B on Tenant { roles(first: 1) { nodes { id } } }"""
    assert (await answered(database, owner, document, depth=6))["data"]["viewer"]
    assert limit(await answered(database, owner, document, depth=5)) == ("depth", 5, 6)


async def test_aliases_and_repetitions_are_counted_before_the_document_is_validated(
    database: TemporaryDatabase, owner: Authority
) -> None:
    aliased = "{ " + " ".join(f"a{place}: nowhere" for place in range(31)) + " }"
    assert limit(await answered(database, owner, aliased)) == ("alias count", 30, 31)
    repeated = "{ " + "nowhere " * 101 + "}"
    assert limit(await answered(database, owner, repeated)) == ("count of one field", 100, 101)
    spread = "{ " + "...F " * 101 + "} fragment F on Query { __typename }"
    assert limit(await answered(database, owner, spread)) == ("count of one field", 100, 101)


async def test_cost_multiplies_sizes_of_nested_pages_and_adds_those_side_by_side(
    database: TemporaryDatabase, owner: Authority
) -> None:
    nested = "{ tenant { roles(first: 10) { nodes { id } } members(last: 100) { nodes { tenant { %s } } } } }"
    document = nested % "roles(first: 20) { nodes { id } }"
    assert (await answered(database, owner, document, cost=10 + 100 * 21))["data"]
    assert limit(await answered(database, owner, document, cost=2_109)) == ("cost", 2_109, 2_110)


async def test_cost_goes_by_the_variables_of_each_run(database: TemporaryDatabase, owner: Authority) -> None:
    document = """query Q($n: Int!) { tenant { members(first: $n) { nodes { tenant {
        roles(first: $n) { totalCount } } } } } }"""
    async with graph(database, limits=Limits(cost=200)) as schema:
        assert (await ask(schema, owner, document, {"n": 13}))["data"]
        assert limit(await ask(schema, owner, document, {"n": 14})) == ("cost", 200, 210)
        assert (await ask(schema, owner, document, {"n": 1}))["data"]


async def test_the_inside_of_a_crossing_costs_too(database: TemporaryDatabase) -> None:
    staff = await system_authority(database)
    document = '{ system { tenant(id: "T_x") { members(first: 100) { totalCount } } } }'
    assert limit(await answered(database, staff, document, cost=99)) == ("cost", 99, 100)


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ("query A { __typename } query B { __typename }", None),
        ("query A { __typename } query B { __typename }", "C"),
        ("query A { __typename } query B { __typename }", ""),
        ("{ __typename }", "A"),
        ("fragment F on Query { __typename }", None),
        ("", None),
        ("# nothing", None),
    ],
)
async def test_an_operation_that_cannot_be_told_is_refused(
    database: TemporaryDatabase, document: str, name: str | None
) -> None:
    async with graph(database) as schema:
        answer = await ask(schema, None, document, name=name)
    assert "data" not in answer
    assert {code for code, _ in codes(answer)} == {"BAD_USER_INPUT"}


async def test_an_operation_is_chosen_by_its_name(database: TemporaryDatabase) -> None:
    document = "query A { a: __typename } query B { b: __typename }"
    async with graph(database) as schema:
        assert (await ask(schema, None, document, name="A"))["data"] == {"a": "Query"}
        assert (await ask(schema, None, document, name="B"))["data"] == {"b": "Query"}
        assert (await ask(schema, None, document, name="A"))["data"] == {"a": "Query"}


async def test_a_mutation_is_not_taken_where_only_queries_are(
    database: TemporaryDatabase, owner: Authority
) -> None:
    document = "mutation M { logout { success } } query Q { __typename }"
    async with graph(database) as schema:
        refused = await schema.serve(Operation(document, caller(owner), "M", mutations=False))
        assert refused.status == 405
        assert (await schema.serve(Operation(document, caller(owner), "Q", mutations=False))).status == 200
        assert (await ask(schema, owner, "{ viewer { scope } }"))["data"], "the session still lives"


async def test_a_subscription_is_refused(database: TemporaryDatabase, owner: Authority) -> None:
    async with graph(database) as schema:
        assert {code for code, _ in codes(await ask(schema, owner, "subscription { x }"))} == {
            "BAD_USER_INPUT"
        }


async def test_new_documents_are_counted_by_principal_and_known_ones_are_free(
    database: TemporaryDatabase, owner: Authority
) -> None:
    async with graph(database, limits=Limits(compiles_per_minute=4)) as schema:
        other = await signed_in(database, await make_tenant(database), "owner")
        known = "{ viewer { scope } }"
        assert "errors" not in await ask(schema, owner, known)
        found = [codes(await ask(schema, owner, f"{{ a{place}: __typename }}")) for place in range(4)]
        assert found[0] == set()
        assert found[-1] == {("RATE_LIMITED", ())}
        assert "errors" not in await ask(schema, owner, known)
        assert "errors" not in await ask(schema, other, "{ mine: __typename }")
