"""The table of who may do what, on the real wire: what it refuses is refused, and nothing happened then."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from graphql import GraphQLObjectType, parse, print_ast
from graphql.language import ObjectTypeDefinitionNode

from tenantry.access.permissions import BuiltIn
from tenantry.access.rules import FRESH_SECONDS
from tenantry.api.schema import bare_schema
from tests.support.api import Product, Reply
from tests.support.refusals import snapshot
from tests.support.world import World

TABLE = yaml.safe_load(Path(__file__).with_name("permissions.yaml").read_text(encoding="utf-8"))
CALLERS: list[str] = TABLE["callers"]
CODES = {
    "ANON": "UNAUTHENTICATED",
    "DENY": "FORBIDDEN",
    "SCOPE": "SCOPE_MISMATCH",
    "STEP": "STEP_UP_REQUIRED",
}
# A refusal inside of these leaves the rest of the answer standing.
NULLABLE = {"Query.node", "Tenant.member", "Tenant.team", "Role.memberCount", "System.tenant"}
ALONE = sorted(field for field, row in TABLE["fields"].items() if row[1])


def words(field: str) -> dict[str, str]:
    """What the table says for each caller."""
    return dict(zip(CALLERS, TABLE["fields"][field][2:], strict=True))


def object_types() -> Iterator[ObjectTypeDefinitionNode]:
    """The object types of the schema as it is printed."""
    for node in parse(bare_schema().as_str()).definitions:
        if isinstance(node, ObjectTypeDefinitionNode):
            yield node


def guarded() -> set[str]:
    """Every root field, and every field that asks for a permission by a rule of its own."""
    found: set[str] = set()
    for kind in object_types():
        for field in kind.fields or ():
            ruled = any(directive.name.value == "requires" for directive in field.directives or ())
            if kind.name.value in {"Query", "Mutation"} or ruled:
                found.add(f"{kind.name.value}.{field.name.value}")
    return found


@pytest.mark.requirement("J-01", "J-02", "003-30")
def test_the_table_has_a_row_for_every_field_and_every_permission() -> None:
    assert set(TABLE["fields"]) == guarded() == set(TABLE["asks"])
    built_in = {row[0] for name, row in TABLE["fields"].items() if row[0] and name not in TABLE["by_type"]}
    assert built_in == {str(each) for each in BuiltIn}


@pytest.mark.requirement("J-02")
def test_every_type_and_field_says_its_rule_in_the_printed_schema() -> None:
    rules = {"requires", "authenticated", "public", "scopes"}
    silent = [
        kind.name.value
        for kind in object_types()
        if not rules & {directive.name.value for directive in kind.directives or ()}
    ]
    assert silent == []
    schema = bare_schema()._schema
    for field in (name for name, row in TABLE["fields"].items() if row[0] and name not in TABLE["by_type"]):
        kind, name = field.split(".")
        owner = schema.type_map[kind]
        assert isinstance(owner, GraphQLObjectType)
        assert f"`{TABLE['fields'][field][0]}`" in (owner.fields[name].description or ""), field


def check_refused(reply: Reply, field: str, code: str) -> None:
    """The code, the permission, and no data at the refused place."""
    assert set(reply.codes) == {code}, reply.text
    for error in reply.errors:
        if code == "FORBIDDEN":
            assert error["extensions"]["permission"] == TABLE["fields"][field][0]
        assert error["path"]
    data: Any = reply.body["data"]
    if data is not None:
        for key in reply.errors[0]["path"]:
            data = data[0][key] if isinstance(data, list) else data[key]
            if data is None:
                break
        assert data is None


@pytest.mark.requirement("003-30", "004-01", "004-09", "004-10", "001-30")
@pytest.mark.parametrize("field", sorted(TABLE["fields"]))
async def test_refused_is_refused_and_nothing_happens(product: Product, field: str) -> None:
    world = await World.make(product)
    refused = {who: CODES[word] for who, word in words(field).items() if word != "OK"}
    speakers = {who: await world.enter(who) for who in refused}
    document = await world.fill(TABLE["asks"][field])
    before, sent = await snapshot(product.database), product.mail.messages()
    for who, code in refused.items():
        reply = await speakers[who].ask(document)
        check_refused(reply, field, code)
        (record,) = await product.trail(reply)
        assert record["code"] == code
        partial = field in NULLABLE and code == "FORBIDDEN"
        assert record["outcome"] == ("PARTIAL" if partial else "REFUSED"), who
        assert record["actor_kind"] == ("ANONYMOUS" if who == "anonymous" else "USER")
    assert await snapshot(product.database) == before
    assert product.mail.messages() == sent


@pytest.mark.requirement("003-22", "003-23", "003-24", "003-25", "003-26", "003-27", "003-35", "003-19")
@pytest.mark.parametrize("field", sorted(TABLE["fields"]))
async def test_allowed_works(product: Product, field: str) -> None:
    for who in (who for who, word in words(field).items() if word == "OK"):
        world = await World.make(product)
        speaker = await world.enter(who)
        reply = await speaker.ask(await world.fill(TABLE["asks"][field]))
        check_allowed(reply, who)
        records = await product.trail(reply)
        assert {record["outcome"] for record in records} == {"OK"}


STEPPING = sorted(field for field in TABLE["fields"] if "STEP" in words(field).values())


@pytest.mark.parametrize("field", STEPPING)
async def test_what_asks_for_a_fresh_factor_is_done_with_one_and_not_with_an_old_one(
    product: Product, field: str
) -> None:
    for who in (who for who, word in words(field).items() if word == "STEP"):
        world = await World.make(product)
        speaker = await world.enter(who)
        await world.fill("<own code>")
        document = await world.fill(TABLE["asks"][field].replace('"123456"', "<own code>"))
        product.clock.forward(FRESH_SECONDS)
        reply = await speaker.ask(document)
        check_refused(reply, field, "STEP_UP_REQUIRED")
        assert reply.errors[0]["extensions"]["freshness"] == FRESH_SECONDS
        assert world.caller is not None
        await world.prove(world.caller)
        product.clock.forward(-FRESH_SECONDS)
        check_allowed(await speaker.ask(document), who)


def check_allowed(reply: Reply, who: str) -> None:
    """No error, and where the answer may be a problem it is none."""
    assert reply.errors == [], who
    for kind in typenames(reply.body["data"]):
        assert kind in TABLE["successes"], who


def typenames(value: Any) -> Iterator[str]:
    """Every ``__typename`` in an answer."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "__typename":
                yield inner
            yield from typenames(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from typenames(inner)


@pytest.mark.requirement("004-10", "004-11", "004-04", "003-30")
@pytest.mark.parametrize("field", ALONE)
async def test_one_permission_decides(product: Product, field: str) -> None:
    permission, least, *_ = TABLE["fields"][field]
    catalogue = await every_permission(product)
    world = await World.make(product)
    document = await world.fill(TABLE["asks"][field])
    without = await world.enter_with(*(each for each in catalogue if each != least))
    reply = await without.ask(document)
    assert set(reply.codes) == {"FORBIDDEN"}, field
    assert reply.errors[0]["extensions"]["permission"] == permission
    alone = await world.enter_with(least)
    check_allowed(await alone.ask(document), least)


async def every_permission(product: Product) -> list[str]:
    """What an owner may put into a role."""
    world = await World.make(product)
    data = await product.as_(world.owner).query("{ viewer { permissions } }")
    return data["viewer"]["permissions"]


@pytest.mark.requirement("004-11")
async def test_a_member_without_a_role_may_nothing_that_is_guarded(product: Product) -> None:
    world = await World.make(product)
    nobody = await world.enter_with()
    fields = [field for field, row in TABLE["fields"].items() if row[0] and row[2:][3] == "DENY"]
    assert len(fields) > 15
    for field in fields:
        reply = await nobody.ask(await world.fill(TABLE["asks"][field]))
        assert set(reply.codes) == {"FORBIDDEN"}, field


def test_asks_are_written_as_a_client_would_write_them() -> None:
    for ask in TABLE["asks"].values():
        document = ask.replace("<", '"').replace(">", '"')
        assert parse(print_ast(parse(document)))
