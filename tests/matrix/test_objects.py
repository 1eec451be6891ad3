"""Every type of object, everything that can be done with one, and every role of the five products."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tenantry.kernel.ids import NodePrefix, new_key, new_node_id
from tenantry.kernel.principal import Authority
from tests.matrix.policy import PRODUCTS, roles
from tests.matrix.worlds import ProductWorld, blueprints
from tests.support.api import Product, Speaker
from tests.support.factories import make_member

OBJECTS: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("objects.yaml").read_text("utf-8"))
EVERYONE = [(product, role) for product in PRODUCTS for role in roles(product)]
VERBS = ("read", "create", "update", "delete")
READ = "query($id: ID!) { tenant { resource(id: $id) { id } } }"
CREATE = 'mutation($type: String!) { resourceCreate(input: {type: $type, name: "New"}) { __typename } }'
UPDATE = 'mutation($id: ID!) { resourceUpdate(input: {resourceId: $id, name: "New"}) { __typename } }'
DELETE = "mutation($id: ID!) { resourceDelete(input: {resourceId: $id}) { __typename } }"
ACT = """mutation($id: ID!, $action: String!) {
    resourceAct(input: {resourceId: $id, action: $action}) { __typename } }"""
INSERT = """
INSERT INTO resource
  (tenant_id, id, node_id, type, name, state, owner_id, is_personal, attributes, created_at, updated_at)
VALUES ($1, $2, $3, $4, 'One', 'open', $5, $6, '{"confidential": true}', now(), now())
"""
REFUSALS = {"FORBIDDEN", "NOT_FOUND", "STEP_UP_REQUIRED"}


@dataclass(frozen=True)
class May:
    """One cell: whether a role may do it with anybody's object, and with their own."""

    anybodys: bool
    own: bool

    @classmethod
    def of(cls, role: str, cell: str) -> "May":
        """Read from the table."""
        any_, _, own = cell.partition("|")
        everyone = "all" in any_.split()
        anybodys = everyone or role in any_.split()
        return cls(anybodys, anybodys or role in own.split())


def verbs(product: str, kind: str) -> Iterator[tuple[str, str]]:
    """Everything that could be done with a type and who may, the deletion last."""
    cells = OBJECTS[product][kind]
    for verb in sorted({*VERBS, *cells}, key=lambda verb: verb == "delete"):
        yield verb, cells.get(verb, "")


def test_the_table_has_every_type_and_everything_that_its_blueprint_guards() -> None:
    for product in PRODUCTS:
        found = {
            name: {path[1] if path[0] == "actions" else path[0] for path in shape.guards()}
            for name, shape in blueprints()[product].resources.items()
        }
        assert {name: set(cells) for name, cells in OBJECTS[product].items()} == found, product


async def put(world: ProductWorld, kind: str, owner: object) -> str:
    """An object of this person's, past every gate."""
    node_id = new_node_id(NodePrefix.RESOURCE)
    personal = blueprints()[world.blueprint].resources[kind].personal
    await world.product.database.seen_by_owner(
        INSERT, world.tenant.id, new_key(), node_id, kind, owner, personal
    )
    return node_id


async def done(speaker: Speaker, verb: str, kind: str, node_id: str) -> set[str]:
    """Try it; the codes of what was refused, none where it was done."""
    match verb:
        case "read":
            reply = await speaker.ask(READ, {"id": node_id})
        case "create":
            reply = await speaker.ask(CREATE, {"type": kind})
        case "update":
            reply = await speaker.ask(UPDATE, {"id": node_id})
        case "delete":
            reply = await speaker.ask(DELETE, {"id": node_id})
        case _:
            reply = await speaker.ask(ACT, {"id": node_id, "action": verb})
    return set(reply.codes)


async def state(product: Product, world: ProductWorld) -> list[str]:
    """Every object of the tenant, as it really is."""
    rows = await product.database.seen_by_owner(
        "SELECT to_jsonb(r)::text FROM resource r WHERE tenant_id = $1 ORDER BY id", world.tenant.id
    )
    return [row[0] for row in rows]


@pytest.mark.requirement("000-15", "001-08", "002-20", "003-30", "004-10", "004-20")
@pytest.mark.parametrize(("blueprint", "role"), EVERYONE, ids=lambda each: each)
async def test_each_role_does_with_each_object_what_the_table_says(
    product: Product, blueprint: str, role: str
) -> None:
    world = await ProductWorld.of(product, blueprint)
    who: Authority = await world.play(blueprint, role)
    speaker = product.as_(who)
    stranger = (await make_member(product.database, world.tenant, roles(blueprint)[-1])).user_id
    for kind in OBJECTS[blueprint]:
        theirs, mine = await put(world, kind, stranger), await put(world, kind, who.user_id)
        before: list[str] | None = None
        for verb, cell in verbs(blueprint, kind):
            may = May.of(role, cell)
            for node_id, allowed in ((theirs, may.anybodys), (mine, may.own)):
                if not allowed and before is None:
                    before = await state(product, world)
                codes = await done(speaker, verb, kind, node_id)
                place = (kind, verb, "own" if node_id == mine else "another's", codes)
                if allowed:
                    assert codes == set(), place
                    before = None
                else:
                    assert len(codes) == 1, place
                    assert codes <= REFUSALS, place
                    assert await state(product, world) == before, place


LIST = "query($type: String!) { tenant { resources(first: 9, type: $type) { totalCount nodes { id } } } }"


@pytest.mark.requirement("000-11", "000-12")
@pytest.mark.parametrize("kind", ["ai_model", "prompt_template", "asr_configuration"])
async def test_models_prompts_and_speech_recognition_are_each_tenants_own(
    product: Product, kind: str
) -> None:
    here, there = [await ProductWorld.of(product, "contact-center") for _ in range(2)]
    ours, theirs = await put(here, kind, here.owner.user_id), await put(there, kind, there.owner.user_id)
    for world, role in ((here, "owner"), (here, "agent")):
        speaker = product.as_(await world.play("contact-center", role))
        listed = (await speaker.query(LIST, type=kind))["tenant"]["resources"]
        assert (listed["totalCount"], [each["id"] for each in listed["nodes"]]) == (1, [ours])
        unchanged = await state(product, there)
        for verb in ("read", "update", "delete"):
            assert await done(speaker, verb, kind, theirs) == {"NOT_FOUND"}
        assert await state(product, there) == unchanged
