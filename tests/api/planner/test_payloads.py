"""What mutations answer with: bounded and permitted before anything runs, told where it is refused."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tenantry.api.schema import TenantrySchema
from tenantry.kernel.principal import Authority
from tenantry.settings import Limits
from tests.api.planner.graph import ask, codes, graph
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in

RENAME = "mutation M($m: ID!) { memberUpdate(input: {memberId: $m, name: %s}) { member { %s } } }"
SWITCH = (
    "mutation M($t: ID!) { tenantSwitch(input: {tenantId: $t}) { ... on LoginSuccess { accessToken %s } } }"
)
SAME = """id name email status roles { key memberCount } viewerCan { remove }
    tenant { name members(last: 2) { nodes { id } } }"""


@dataclass
class Office:
    """A person who owns one tenant and is an agent in another."""

    database: TemporaryDatabase
    schema: TenantrySchema
    owner: Authority
    other: str

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        return await ask(self.schema, self.owner, document, variables)

    async def name(self) -> object:
        return await self.database.value("SELECT name FROM member WHERE node_id = $1", self.owner.member)

    async def sessions(self) -> object:
        return await self.database.value(
            "SELECT count(*) FROM session WHERE user_id = $1", self.owner.user_id
        )


@pytest_asyncio.fixture(scope="module")
async def office(database: TemporaryDatabase) -> AsyncIterator[Office]:
    here, there = await make_tenant(database), await make_tenant(database)
    owner = await make_member(database, here, "owner", email="ada@office.example", name="Ada")
    await make_member(database, there, "agent", email="ada@office.example")
    async with graph(database) as schema:
        yield Office(database, schema, await sign_in(database, owner), there.node_id)


async def test_a_payload_reads_as_a_query_of_the_same_does(office: Office) -> None:
    changed = await office.ask(RENAME % ('"Same"', SAME), m=office.owner.member)
    read = await office.ask(
        f"query Q($m: ID!) {{ tenant {{ member(id: $m) {{ {SAME} }} }} }}", m=office.owner.member
    )
    assert changed["data"]["memberUpdate"]["member"] == read["data"]["tenant"]["member"]
    assert changed["data"]["memberUpdate"]["member"]["name"] == "Same"


@pytest.mark.parametrize(
    "selection",
    [
        "tenant { members(first: 0) { totalCount } }",
        "tenant { members(first: 101) { totalCount } }",
        "tenant { members { totalCount } }",
        'tenant { members(first: 1, after: "nonsense") { totalCount } }',
    ],
)
async def test_a_page_is_checked_before_the_mutation_runs(office: Office, selection: str) -> None:
    before = await office.name()
    answer = await office.ask(RENAME % ('"Never"', selection), m=office.owner.member)
    assert codes(answer) == {("BAD_USER_INPUT", ())}
    assert await office.name() == before


async def test_the_cost_of_a_payload_is_bounded_before_the_mutation_runs(office: Office) -> None:
    inner = "tenant { members(first: 100) { nodes { tenant { members(first: 100) { totalCount } } } } }"
    logins = "viewer { memberships(first: 100) { nodes { tenant { roles(first: 100) { totalCount } } } } }"
    before = await office.name(), await office.sessions()
    async with graph(office.database, limits=Limits(cost=10_099)) as schema:
        renamed = await ask(schema, office.owner, RENAME % ('"Never"', inner), {"m": office.owner.member})
        switched = await ask(schema, office.owner, SWITCH % logins, {"t": office.other})
    assert codes(renamed) == codes(switched) == {("QUERY_TOO_COMPLEX", ())}
    assert (await office.name(), await office.sessions()) == before


async def test_what_is_refused_inside_of_a_payload_has_its_error(office: Office) -> None:
    selection = "viewer { tenant { roles(first: 2) { nodes { key memberCount } } } }"
    answer = await office.ask(SWITCH % selection, t=office.other)
    path = ("tenantSwitch", "viewer", "tenant", "roles", "nodes", "memberCount")
    assert codes(answer) == {("FORBIDDEN", path)}
    nodes = answer["data"]["tenantSwitch"]["viewer"]["tenant"]["roles"]["nodes"]
    assert [node["memberCount"] for node in nodes] == [None, None]


async def test_a_login_stands_though_part_of_its_answer_is_refused(office: Office) -> None:
    before = await office.sessions()
    answer = await office.ask(
        SWITCH % "viewer { scope tenant { members(first: 1) { totalCount } } }", t=office.other
    )
    assert answer["data"]["tenantSwitch"]["viewer"] == {"scope": "TENANT", "tenant": None}
    assert codes(answer) == {("FORBIDDEN", ("tenantSwitch", "viewer", "tenant", "members"))}
    assert await office.sessions() == before + 1


async def test_a_login_is_refused_at_once_for_what_has_no_door_to_anyone(office: Office) -> None:
    before = await office.sessions()
    selection = (
        "viewer { memberships(first: 1) { nodes { tenant { invitations(first: 1) { totalCount } } } } }"
    )
    answer = await office.ask(SWITCH % selection, t=office.other)
    path = ("tenantSwitch", "viewer", "memberships", "nodes", "tenant", "invitations")
    assert codes(answer) == {("TENANT_REQUIRED", path)}
    assert await office.sessions() == before


async def test_who_is_looked_up_in_a_payload_and_not_there_is_not_found(office: Office) -> None:
    answer = await office.ask(
        RENAME % ('"Here"', 'id tenant { member(id: "M_nobody") { id } }'), m=office.owner.member
    )
    assert codes(answer) == {("NOT_FOUND", ("memberUpdate", "member", "tenant", "member"))}
    assert answer["data"]["memberUpdate"]["member"] == {"id": office.owner.member, "tenant": {"member": None}}


async def test_what_python_computes_cannot_be_asked_of_a_mutation(office: Office) -> None:
    before = await office.sessions()
    answer = await office.ask(
        SWITCH % 'viewer { can(permission: "member:read") { allowed } }', t=office.other
    )
    assert codes(answer) == {("BAD_USER_INPUT", ())}
    assert await office.sessions() == before
