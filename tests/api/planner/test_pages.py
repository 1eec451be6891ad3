"""Pages: both ways, only what is asked of them, and cursors that nobody may forge."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tenantry.api.schema import TenantrySchema
from tenantry.kernel.principal import Authority
from tests.api.planner.graph import ask, codes, graph
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in

NAMES = ("ada", "bea", "cid", "dan", "eva")
BAD = {("BAD_USER_INPUT", ())}


@dataclass
class Office:
    """A tenant of five, one of whom asks."""

    schema: TenantrySchema
    owner: Authority

    async def page(self, arguments: str, selection: str, variables: Any = None) -> Any:
        """A page of members."""
        declared = "($c: String)" if "$c" in arguments else ""
        answer = await self.ask(
            f"query Q{declared} {{ tenant {{ members({arguments}) {selection} }} }}", variables
        )
        assert "errors" not in answer
        return answer["data"]["tenant"]["members"]

    async def ask(self, document: str, variables: Any = None) -> dict[str, Any]:
        return await ask(self.schema, self.owner, document, variables)


@pytest_asyncio.fixture(scope="module")
async def office(database: TemporaryDatabase) -> AsyncIterator[Office]:
    tenant = await make_tenant(database)
    members = [
        await make_member(
            database, tenant, "owner" if name == "ada" else "agent", email=f"{name}@office.example"
        )
        for name in NAMES
    ]
    async with graph(database) as schema:
        yield Office(schema, await sign_in(database, members[0]))


def forged(*key: object) -> str:
    return base64.b64encode(json.dumps(key).encode()).decode()


def names(page: Any) -> list[str]:
    return [node["email"].partition("@")[0] for node in page["nodes"]]


async def test_forward_and_backward_walks_meet_every_member_once(office: Office) -> None:
    selection = (
        "{ nodes { email } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount }"
    )
    for size, there, back in (("first: 2", "after", "endCursor"), ("last: 2", "before", "startCursor")):
        walked: list[str] = []
        cursor, more = None, "hasNextPage" if there == "after" else "hasPreviousPage"
        while True:
            page = await office.page(f"{size}, {there}: $c", selection, {"c": cursor})
            walked = [*walked, *names(page)] if there == "after" else [*names(page), *walked]
            assert page["totalCount"] == len(NAMES)
            cursor = page["pageInfo"][back]
            if not page["pageInfo"][more]:
                break
        assert walked == list(NAMES)


@pytest.mark.parametrize("size", ["first: 3", "last: 3"])
async def test_start_and_end_are_named_in_reading_order_whichever_way_the_page_was_reached(
    office: Office, size: str
) -> None:
    page = await office.page(size, "{ edges { cursor } pageInfo { startCursor endCursor } }")
    cursors = [edge["cursor"] for edge in page["edges"]]
    assert page["pageInfo"] == {"startCursor": cursors[0], "endCursor": cursors[-1]}


@pytest.mark.parametrize(
    ("arguments", "selection", "expected"),
    [
        ("first: 2", "hasPreviousPage", {"hasPreviousPage": False}),
        ("last: 2", "hasNextPage", {"hasNextPage": False}),
        ('last: 2, filter: {search: "nobody"}', "hasNextPage", {"hasNextPage": False}),
        ("first: 2", "__typename", {"__typename": "PageInfo"}),
        ("last: 2", "hasPreviousPage", {"hasPreviousPage": True}),
        ('first: 2, filter: {search: "nobody"}', "startCursor", {"startCursor": None}),
    ],
)
async def test_a_page_answers_whatever_little_is_asked_of_it(
    office: Office, arguments: str, selection: str, expected: Any
) -> None:
    page = await office.page(arguments, f"{{ pageInfo {{ {selection} }} }}")
    assert page == {"pageInfo": expected}


@pytest.mark.parametrize(
    "selection", ["nodes { id }", "totalCount", "pageInfo { hasNextPage }", "__typename"]
)
@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense", "", "é", "bnVsbA==", forged(), forged("a", "b"), forged(1), forged(None), forged(["a"]),
        forged({"a": 1}),
    ],
)  # fmt: skip
async def test_a_cursor_of_something_else_is_refused_whatever_is_selected(
    office: Office, cursor: str, selection: str
) -> None:
    answer = await office.ask(
        f"query Q($c: String) {{ tenant {{ members(first: 1, after: $c) {{ {selection} }} }} }}",
        {"c": cursor},
    )
    assert answer.get("data") is None
    assert codes(answer) == BAD


@pytest.mark.parametrize(
    ("connection", "key"),
    [
        ("roles", (2**31, "R_x")), ("roles", (1.5, "R_x")), ("roles", (True, "R_x")), ("roles", ("1", "R_x")),
        ("auditEvents", (2**63,)), ("auditEvents", (-(2**64),)), ("auditEvents", ("1",)),
        ("invitations", ("yesterday", "I_x")), ("invitations", ("0001-01-01T00:00:00+23:00", "I_x")),
        ("invitations", (7, "I_x")), ("roles", (1, "nul\0")),
    ],
)  # fmt: skip
async def test_a_forged_key_is_refused_and_breaks_nothing(office: Office, connection: str, key: Any) -> None:
    answer = await office.ask(
        f"query Q($c: String) {{ tenant {{ {connection}(last: 1, before: $c) {{ nodes {{ id }} }} }} }}",
        {"c": forged(*key)},
    )
    assert codes(answer) == BAD


async def test_a_cursor_of_another_order_does_not_fit(office: Office) -> None:
    page = await office.page("first: 1, orderBy: {field: NAME}", "{ pageInfo { endCursor } }")
    answer = await office.ask(
        "query Q($c: String) { tenant { members(first: 1, after: $c) { totalCount } } }",
        {"c": page["pageInfo"]["endCursor"]},
    )
    assert codes(answer) == BAD


async def test_a_cursor_of_a_membership_tells_no_key_of_a_table(office: Office) -> None:
    answer = await office.ask(
        "{ viewer { memberships(first: 1) { edges { cursor node { id joinedAt } } } } }"
    )
    (edge,) = answer["data"]["viewer"]["memberships"]["edges"]
    key = json.loads(base64.b64decode(edge["cursor"]))
    assert key == [edge["node"]["joinedAt"], edge["node"]["id"]]
    assert str(office.owner.tenant_id) not in str(key)


@pytest.mark.parametrize(
    "arguments",
    ["", "first: null", "first: 1, last: 1", "first: 0", "first: -1", "last: 101", "last: 0, first: null"],
)
async def test_a_page_without_a_size_or_of_a_wrong_one_is_refused(office: Office, arguments: str) -> None:
    given = f"({arguments})" if arguments else ""
    answer = await office.ask(f"{{ tenant {{ members{given} {{ totalCount }} }} }}")
    assert answer.get("data") is None
    assert codes(answer) == BAD
    assert answer["errors"][0]["extensions"]["fields"] == {"tenant.members": "first or last: 1 to 100"}


@pytest.mark.parametrize("size", [0, 101, -(2**31)])
async def test_a_size_by_variable_is_checked_in_every_run_of_the_plan(office: Office, size: int) -> None:
    document = "query Q($n: Int!) { tenant { members(first: $n) { totalCount } } }"
    assert (await office.ask(document, {"n": 100}))["data"]["tenant"]["members"]["totalCount"] == len(NAMES)
    assert codes(await office.ask(document, {"n": size})) == BAD
    assert (await office.ask(document, {"n": 1}))["data"]["tenant"]["members"]["totalCount"] == len(NAMES)
