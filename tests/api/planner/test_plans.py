"""Plans: which operations share one, how many are kept, and what an alias can do to the statement."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tenantry.api.operations import Operation
from tenantry.api.planner.documents import Documents
from tenantry.api.planning import Planning
from tenantry.api.schema import TenantrySchema, bare_schema
from tenantry.cache.rate_limits import open_rate_limiter
from tenantry.kernel.principal import Authority
from tenantry.settings import Limits
from tests.api.planner.graph import ROOMY, ask, caller, codes, graph
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in, signed_in, system_authority


@dataclass
class Office:
    """A tenant, its owner, and the schema."""

    schema: TenantrySchema
    owner: Authority
    agent: Authority

    async def ask(self, document: str, variables: Any = None) -> dict[str, Any]:
        return await ask(self.schema, self.owner, document, variables)

    @property
    def plans(self) -> int:
        return len(self.schema.planning._plans)

    async def fresh(self, document: str, *variables: Any) -> int:
        """How many plans these runs make."""
        before = self.plans
        for each in variables:
            assert "errors" not in await self.ask(document, each)
        return self.plans - before


@pytest_asyncio.fixture(scope="module")
async def office(database: TemporaryDatabase) -> AsyncIterator[Office]:
    tenant = await make_tenant(database)
    owner = await sign_in(database, await make_member(database, tenant, "owner", name="Ada"))
    async with graph(database) as schema:
        yield Office(schema, owner, await signed_in(database, tenant, "agent"))


# --- which operations share a plan -------------------------------------------------------------


async def test_values_of_variables_share_a_plan(office: Office) -> None:
    document = """query Values($n: Int, $s: String, $r: ID) { tenant {
        members(first: $n, filter: {search: $s, roleId: $r}) { totalCount } } }"""
    given = [
        {"n": n, "s": s, "r": r} for n, s, r in ((1, "a", "R_1"), (99, "%'\"\\", "nonsense"), (2, "", ""))
    ]
    assert await office.fresh(document, *given) == 1


async def test_presence_nulls_booleans_and_enums_shape_a_plan(office: Office) -> None:
    document = """query Shapes($s: String, $t: MemberStatus, $b: Boolean!) { tenant {
        members(first: 1, filter: {search: $s, status: $t}) { totalCount @include(if: $b) __typename } } }"""
    given = [
        {"b": True},
        {"b": False},
        {"b": True, "s": None},
        {"b": True, "s": "x"},
        {"b": True, "t": "ACTIVE"},
    ]
    assert await office.fresh(document, *given, *given) == len(given)


async def test_undeclared_variables_make_no_plan(office: Office) -> None:
    document = "query Undeclared { viewer { scope } }"
    assert await office.fresh(document, {}, {"a": 1}, {"b": [1]}, {"c" * 999: None}) == 1


async def test_an_object_by_variable_is_shaped_by_what_it_holds(office: Office) -> None:
    document = "query Whole($f: MemberFilter) { tenant { members(first: 1, filter: $f) { totalCount } } }"
    given = [
        {},
        {"f": None},
        {"f": {}},
        {"f": {"search": "a"}},
        {"f": {"search": "b"}},
        {"f": {"search": None}},
    ]
    assert await office.fresh(document, *given) == len(given) - 1


async def test_ids_share_a_plan_but_for_the_letter_that_node_reads(office: Office) -> None:
    document = "query Node($id: ID!) { node(id: $id) { __typename id } }"
    before = office.plans
    for node_id in ("M_1", "M_2", "R_1", "R_2", "X_1", "nonsense", "x", "", "MM_1"):
        await office.ask(document, {"id": node_id})
    assert office.plans - before == 4  # of M, R, X, and of no letter at all


@pytest.mark.parametrize("poison", ["M_", "M", "_", "", "M__"])
async def test_what_is_no_id_leaves_no_plan_behind_that_finds_nothing(office: Office, poison: str) -> None:
    document = f"query P{len(poison)}x{poison.count('_')}($id: ID!) {{ node(id: $id) {{ id }} }}"
    assert codes(await office.ask(document, {"id": poison})) == {("NOT_FOUND", ("node",))}
    answer = await office.ask(document, {"id": office.owner.member})
    assert answer["data"] == {"node": {"id": office.owner.member}}


async def test_operations_of_one_document_have_plans_of_their_own(office: Office) -> None:
    document = "query A { viewer { scope } } query B { viewer { __typename } }"
    first = await ask(office.schema, office.owner, document, name="A")
    second = await ask(office.schema, office.owner, document, name="B")
    assert (first["data"], second["data"]) == (
        {"viewer": {"scope": "TENANT"}},
        {"viewer": {"__typename": "Viewer"}},
    )


async def test_callers_with_other_rights_share_no_plan(office: Office) -> None:
    document = "query Rights { viewer { scope } tenant { id roles(first: 1) { nodes { memberCount } } } }"
    for authority, refused in ((office.owner, False), (office.agent, True), (office.owner, False)):
        answer = await ask(office.schema, authority, document)
        (role,) = answer["data"]["tenant"]["roles"]["nodes"]
        assert (role["memberCount"] is None) is refused
        path = ("tenant", "roles", "nodes", "memberCount")
        assert codes(answer) == ({("FORBIDDEN", path)} if refused else set())


# --- bounds ------------------------------------------------------------------------------------


async def test_plans_are_kept_up_to_a_number_the_least_used_going_first(office: Office) -> None:
    schema = office.schema
    async with open_rate_limiter(None) as limiter:
        planning = Planning(schema.planning.maker, ROOMY, limiter, hide=True, types=schema.planning.types)
        planning.size = 3
        for text in (
            "{ a: __typename }",
            "{ b: __typename }",
            "{ a: __typename }",
            "{ c: __typename }",
            "{ d: __typename }",
        ):
            operation = _operation(text)
            await planning.plan(operation, await planning.prepare(operation, None), None)
        kept = [plan.roots[0].key for plan in planning._plans.values()]
    assert kept == ["a", "c", "d"]


def _operation(text: str) -> Operation:
    return Operation(text, caller())


def test_documents_are_kept_up_to_a_number_the_least_used_going_first() -> None:
    documents = Documents(bare_schema()._schema, Limits(), size=2)
    first = documents.prepare("{ a: __typename }", None, tokens=100)
    documents.prepare("{ b: __typename }", None, tokens=100)
    assert documents.prepare("{ a: __typename }", None, tokens=100) is first
    documents.prepare("{ c: __typename }", None, tokens=100)
    assert documents.known("{ b: __typename }", None) is None
    assert documents.known("{ a: __typename }", None) is first


# --- the statement -----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [49, 50, 51, 100, 101, 260])
async def test_an_object_can_be_wider_than_one_json_build_object(office: Office, count: int) -> None:
    long = "x" * 70
    keys = [f"{long}{place}" for place in range(count)]
    document = "{ viewer { user { " + " ".join(
        f"{key}: {'email' if key[-1] in '13579' else 'mfaEnabled'}" for key in keys
    )
    user = (await office.ask(document + " } } }"))["data"]["viewer"]["user"]
    assert list(user) == keys
    assert user[keys[0]] is False
    assert "@" in user[keys[1]]


async def test_a_wide_page_counts_its_own_rows(office: Office) -> None:
    fields = " ".join(f"a{place}: hasNextPage b{place}: endCursor" for place in range(40))
    page = await office.ask(f"{{ tenant {{ members(first: 1) {{ pageInfo {{ {fields} }} }} }} }}")
    info = page["data"]["tenant"]["members"]["pageInfo"]
    assert {info[f"a{place}"] for place in range(40)} == {True}
    assert len({info[f"b{place}"] for place in range(40)}) == 1


@pytest.mark.parametrize(
    "alias",
    [
        "authority",
        "page",
        "n",
        "select",
        "SELECT",
        "data",
        "__proto__",
        "_",
        "p0",
        "null",
        "Ä",
        "a'b",
        'a"b',
        "a-b",
        "1a",
    ],
)
async def test_an_alias_is_a_name_or_no_document(office: Office, alias: str) -> None:
    answer = await office.ask(f"{{ viewer {{ {alias}: scope }} }}")
    if alias.isascii() and alias.isidentifier():
        assert answer["data"]["viewer"] == {alias: "TENANT"}
    else:
        assert {code for code, _ in codes(answer)} == {"BAD_USER_INPUT"}


NASTY = (
    "'; DROP TABLE member; --",
    "\\",
    "%s %(p0)s :p1 $1",
    "\u2028",
    "🙂" * 50,
    "' OR 1=1",
    "{}",
    "\ufeff",
    "\x7f",
)


@pytest.mark.parametrize("text", NASTY)
async def test_text_stays_text_by_variable_and_in_the_document(office: Office, text: str) -> None:
    as_variable = "query Q($s: String) { tenant { members(first: 1, filter: {search: $s}) { totalCount } } }"
    found = await office.ask(as_variable, {"s": text})
    assert found["data"]["tenant"]["members"]["totalCount"] == 0
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    literal = f'{{ tenant {{ members(first: 1, filter: {{search: "{escaped}"}}) {{ totalCount }} }} }}'
    assert (await office.ask(literal))["data"] == found["data"]


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        (
            "query Q($s: String) { tenant { members(first: 1, filter: {search: $s}) { totalCount } } }",
            {"s": "a\0b"},
        ),
        ('{ tenant { members(first: 1, filter: {search: "a\\u0000b"}) { totalCount } } }', {}),
        ("query Q($i: ID!) { node(id: $i) { id } }", {"i": "M_\0"}),
        ("query Q($i: ID!) { tenant { member(id: $i) { id } } }", {"i": "M_\0"}),
        ('query Q($i: ID!) { viewer { can(permission: "member:read", on: $i) { allowed } } }', {"i": "M_\0"}),
    ],
)
async def test_a_nul_is_refused_as_input(office: Office, document: str, variables: Any) -> None:
    answer = await office.ask(document, variables)
    assert {code for code, _ in codes(answer)} == {"BAD_USER_INPUT"}
    assert answer.get("data") is None, "nothing here may be null by itself"


async def test_a_nul_is_refused_inside_of_a_crossing(office: Office, database: TemporaryDatabase) -> None:
    staff = await system_authority(database)
    answer = await ask(
        office.schema, staff, "query Q($i: ID!) { system { tenant(id: $i) { id } } }", {"i": "T_\0"}
    )
    assert codes(answer) == {("BAD_USER_INPUT", ())}


# --- lookups -----------------------------------------------------------------------------------


async def test_a_member_who_is_not_there_is_not_found_inside_of_a_crossing_too(
    office: Office, database: TemporaryDatabase
) -> None:
    staff = await system_authority(database)
    document = "query Q($t: ID!, $m: ID!) { system { tenant(id: $t) { id member(id: $m) { id } } } }"
    inside = {"t": office.owner.tenant, "m": office.owner.member}
    assert "errors" not in await ask(office.schema, staff, document, inside)
    answer = await ask(office.schema, staff, document, inside | {"m": staff.member})
    assert codes(answer) == {("NOT_FOUND", ("system", "tenant", "member"))}
    assert answer["data"]["system"]["tenant"] == {"id": office.owner.tenant, "member": None}
    answer = await ask(office.schema, staff, document, inside | {"t": "T_nowhere"})
    assert codes(answer) == {("NOT_FOUND", ("system", "tenant"))}


async def test_a_refusal_says_the_same_of_what_is_there_and_of_what_is_not(office: Office) -> None:
    document = "query Q($id: ID!) { node(id: $id) { ... on Member { email } } }"
    answers = [
        await ask(office.schema, office.agent, document, {"id": each})
        for each in (office.owner.member, "M_x")
    ]
    for answer in answers:
        answer["errors"][0].pop("extensions")
        answer.pop("extensions")
    assert answers[0] == answers[1]
    assert answers[0]["data"] == {"node": None}
