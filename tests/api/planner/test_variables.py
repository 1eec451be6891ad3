"""Variables: what each kind takes and refuses, absent and null, by default, beside introspection."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tenantry.api.schema import TenantrySchema
from tenantry.kernel.principal import Authority
from tenantry.settings import Environment
from tests.api.planner.graph import ask, codes, graph
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, sign_in

BAD = {("BAD_USER_INPUT", ())}
MEMBERS = "tenant { members(first: 100, filter: $f) { totalCount } }"


@dataclass
class Office:
    """A tenant of three, one of whom asks."""

    schema: TenantrySchema
    owner: Authority

    async def ask(self, document: str, variables: Any = None) -> dict[str, Any]:
        return await ask(self.schema, self.owner, document, variables)

    async def count(self, document: str, variables: Any = None) -> int:
        """How many members an operation finds."""
        answer = await self.ask(document, variables)
        assert "errors" not in answer
        return answer["data"]["tenant"]["members"]["totalCount"]


@pytest_asyncio.fixture(scope="module")
async def office(database: TemporaryDatabase) -> AsyncIterator[Office]:
    tenant = await make_tenant(database)
    owner = await make_member(database, tenant, "owner", email="ada@office.example")
    await make_member(database, tenant, "agent", email="bea@office.example")
    await make_member(database, tenant, "agent", email="cid@office.example")
    async with graph(database) as schema:
        yield Office(schema, await sign_in(database, owner))


@pytest.mark.parametrize(
    ("kind", "argument", "value"),
    [
        ("Int", "members(first: $v)", 2**31),
        ("Int", "members(first: $v)", -(2**31) - 1),
        ("Int", "members(first: $v)", 1.5),
        ("Int", "members(first: $v)", "1"),
        ("Int", "members(first: $v)", True),
        ("Int", "members(first: $v)", [1]),
        ("String", "members(first: 1, after: $v)", 7),
        ("String", "members(first: 1, filter: {search: $v})", {"a": 1}),
        ("ID", "members(first: 1, filter: {roleId: $v})", 1.5),
        ("ID", "members(first: 1, filter: {roleId: $v})", True),
        ("MemberStatus", "members(first: 1, filter: {status: $v})", "active"),
        ("MemberStatus", "members(first: 1, filter: {status: $v})", "OK"),
        ("MemberStatus", "members(first: 1, filter: {status: $v})", 0),
        ("MemberOrderField!", "members(first: 1, orderBy: {field: $v})", None),
        ("MemberOrder", "members(first: 1, orderBy: $v)", {"direction": "ASC"}),
        ("MemberOrder", "members(first: 1, orderBy: $v)", {"field": "NAME", "direction": None}),
        ("MemberFilter", "members(first: 1, filter: $v)", {"nothing": 1}),
        ("MemberFilter", "members(first: 1, filter: $v)", "x"),
        ("AuditFilter", "auditEvents(first: 1, filter: $v)", {"since": "2026-01-01T00:00:00"}),
        ("DateTime", "auditEvents(first: 1, filter: {since: $v})", "2026-01-01T00:00:00"),
        ("DateTime", "auditEvents(first: 1, filter: {since: $v})", "yesterday"),
        ("DateTime", "auditEvents(first: 1, filter: {since: $v})", 1_700_000_000),
        ("DateTime", "auditEvents(first: 1, filter: {since: $v})", "0001-01-01T00:00:00+23:59"),
        ("DateTime", "auditEvents(first: 1, filter: {since: $v})", "9999-12-31T23:59:59-23:59"),
    ],
)
async def test_a_value_of_another_kind_is_refused(
    office: Office, kind: str, argument: str, value: Any
) -> None:
    document = f"query Q($v: {kind}) {{ tenant {{ {argument} {{ totalCount }} }} }}"
    answer = await office.ask(document, {"v": value})
    assert "data" not in answer
    assert codes(answer) == BAD


async def test_the_message_of_a_refused_value_suggests_nothing_of_the_schema_in_production(
    database: TemporaryDatabase, office: Office
) -> None:
    document = "query Q($f: MemberFilter) { tenant { members(first: 1, filter: $f) { totalCount } } }"
    async with graph(database, environment=Environment.PRODUCTION) as schema:
        answer = await ask(schema, office.owner, document, {"f": {"serch": "a"}})
        unknown = await ask(schema, office.owner, "{ viewr { scope } }")
    assert "search" not in str(answer)
    assert "viewer" not in str(unknown)


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, 3), ({"f": None}, 3), ({"f": {}}, 3), ({"f": {"search": None}}, 3), ({"f": {"status": None}}, 3),
        ({"f": {"roleId": None}}, 3), ({"f": {"search": ""}}, 3), ({"f": {"search": "BEA"}}, 1),
        ({"f": {"roleId": ""}}, 0), ({"f": {"status": "SUSPENDED"}}, 0), ({"f": {"status": "ACTIVE"}}, 3),
        ({"f": {"search": "a", "status": "ACTIVE", "roleId": None}}, 3),
    ],
)  # fmt: skip
async def test_absent_and_null_narrow_nothing(office: Office, variables: Any, found: int) -> None:
    assert await office.count(f"query Q($f: MemberFilter) {{ {MEMBERS} }}", variables) == found


@pytest.mark.parametrize(
    ("variables", "found"), [({}, 1), ({"s": "cid"}, 1), ({"s": None}, 3), ({"s": "office"}, 3)]
)
async def test_a_default_stands_in_for_what_is_absent_and_not_for_null(
    office: Office, variables: Any, found: int
) -> None:
    document = """query Q($s: String = "bea") { tenant {
        members(first: 100, filter: {search: $s}) { totalCount } } }"""
    assert await office.count(document, variables) == found


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_defaults_hold_for_whole_objects_enums_and_sizes(office: Office, direction: str) -> None:
    document = f"""query Q($o: MemberOrder = {{field: EMAIL, direction: {direction}}}, $n: Int = 1) {{
        tenant {{ members(first: $n, orderBy: $o) {{ nodes {{ email }} }} }} }}"""
    (node,) = (await office.ask(document))["data"]["tenant"]["members"]["nodes"]
    assert node["email"][:3] == ("ada" if direction == "ASC" else "cid")


async def test_a_direction_that_is_not_given_is_ascending(office: Office) -> None:
    document = """query Q($o: MemberOrder, $d: Direction = DESC) { tenant {
        a: members(first: 1, orderBy: $o) { nodes { email } }
        b: members(first: 1, orderBy: {field: EMAIL, direction: $d}) { nodes { email } } } }"""
    tenant = (await office.ask(document, {"o": {"field": "EMAIL"}}))["data"]["tenant"]
    assert [tenant[key]["nodes"][0]["email"][:3] for key in "ab"] == ["ada", "cid"]


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        ("2000-01-01T02:00:00+02:00", "2000-01-01T00:00:00.000001Z", 1),
        ("2000-01-01T00:00:00.000001Z", "2000-01-02T00:00:00Z", 0),
        ("1999-12-31T00:00:00Z", "2000-01-01T00:00:00Z", 0),
        ("1999-12-31T23:00:00-01:00", "2000-01-01T14:00:00.5+14:00", 1),
    ],
)
async def test_times_are_compared_as_instants_by_variable_by_default_and_in_the_document(
    office: Office, database: TemporaryDatabase, since: str, until: str, found: int
) -> None:
    await database.seen_by_owner(
        """INSERT INTO audit_record (tenant_id, node_id, at, actor_kind, action, operation_type, targets,
            method, path, outcome, request_id, body)
        VALUES ($1, 'A_old', '2000-01-01T00:00:00Z', 'USER', 'x', 'query', '{}', 'POST', '/', 'OK', 'r', '')
        ON CONFLICT DO NOTHING""",
        office.owner.tenant_id,
    )
    events = "tenant { auditEvents(first: 100, filter: {since: %s, until: %s}) { nodes { at } } }"
    declared = "query Q($s: DateTime, $u: DateTime) { " + events % ("$s", "$u") + " }"
    by_default = f'query Q($s: DateTime = "{since}", $u: DateTime = "{until}") {{ {events % ("$s", "$u")} }}'
    for document, variables in (
        (declared, {"s": since, "u": until}),
        (by_default, {}),
        ("{ " + events % (f'"{since}"', f'"{until}"') + " }", {}),
    ):
        answer = await office.ask(document, variables)
        assert (
            answer["data"]["tenant"]["auditEvents"]["nodes"] == [{"at": "2000-01-01T00:00:00+00:00"}] * found
        )


async def test_a_list_in_an_input_is_taken_and_a_single_value_stands_for_a_list(office: Office) -> None:
    document = """mutation M($roles: [Permission!]!) { roleCreate(input: {name: "N", permissions: $roles}) {
        ... on RoleCreated { role { permissions } } ... on Problem { code } } }"""
    for given, expected in (([], []), (["call:dial"], ["call:dial"]), ("call:dial", ["call:dial"])):
        answer = await office.ask(document.replace('"N"', f'"N {given}"'.replace("'", "")), {"roles": given})
        assert "errors" not in answer or codes(answer) == {("BAD_USER_INPUT", ("roleCreate",))}, answer
        if answer.get("data"):
            assert answer["data"]["roleCreate"]["role"]["permissions"] == expected


@pytest.mark.parametrize("values", [[None], ["call:dial", None], ["not a permission"], {"a": 1}, None])
async def test_a_list_that_does_not_hold_what_it_should_is_refused(office: Office, values: Any) -> None:
    document = """mutation M($p: [Permission!]!) {
        roleCreate(input: {name: "N", permissions: $p}) { __typename } }"""
    answer = await office.ask(document, {"p": values})
    assert "data" not in answer
    assert codes(answer) == BAD


async def test_introspection_stands_beside_data_whatever_the_variables_are(office: Office) -> None:
    document = """query Q($t: DateTime, $s: MemberStatus, $o: MemberOrder, $n: String!) {
        a: __type(name: $n) { name }
        tenant {
            members(first: 1, filter: {status: $s}, orderBy: $o) { totalCount }
            auditEvents(first: 1, filter: {until: $t}) { totalCount } }
        ...F
        __typename }
        fragment F on Query { __schema { queryType { name } } b: __type(name: "Nothing") { name } }"""
    variables = {
        "t": "1990-01-01T00:00:00Z", "s": "ACTIVE", "o": {"field": "NAME", "direction": "DESC"}, "n": "Role",
    }  # fmt: skip
    answer = await office.ask(document, variables)
    assert "errors" not in answer
    assert list(answer["data"]) == ["a", "tenant", "__schema", "b", "__typename"]
    assert answer["data"] == {
        "a": {"name": "Role"},
        "tenant": {"members": {"totalCount": 3}, "auditEvents": {"totalCount": 0}},
        "__schema": {"queryType": {"name": "Query"}},
        "b": None,
        "__typename": "Query",
    }


async def test_a_variable_of_no_such_type_is_refused(office: Office) -> None:
    assert {code for code, _ in codes(await office.ask("query Q($x: Nothing) { __typename }"))} == {
        "BAD_USER_INPUT"
    }
