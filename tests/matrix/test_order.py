"""Who, where, what: the three steps in their order, and nothing is computed before the last of them."""

from dataclasses import dataclass

import pytest

from tenantry.directory.members.models import Member
from tests.api.planner.documents import Document
from tests.api.planner.graph import graph
from tests.matrix.policy import PRODUCTS, asks, by_role, roles
from tests.matrix.regimes import Noting
from tests.matrix.test_walls import answer
from tests.matrix.worlds import ProductWorld
from tests.support.api import Product, Speaker
from tests.support.factories import make_member, sign_in

WORKSPACE = "research-workspace"
READ = "query($id: ID!) { tenant { resource(id: $id) { name } } }"
CHANGE = 'mutation($id: ID!) { resourceUpdate(input: {resourceId: $id, name: "New"}) { resource { name } } }'


@dataclass(frozen=True)
class Workspaces:
    """Two workspaces with a project each, and one person: an analyst here, who only looks there."""

    here: ProductWorld
    there: ProductWorld
    analyst: Member
    onlooker: Member

    @classmethod
    async def make(cls, product: Product) -> "Workspaces":
        """Both, and the person in them."""
        here, there = [await ProductWorld.of(product, WORKSPACE) for _ in range(2)]
        analyst = await make_member(product.database, here.tenant, "MEMBER")
        onlooker = await make_member(product.database, there.tenant, "VIEWER", email=analyst.email)
        return cls(here, there, analyst, onlooker)

    async def project(self, world: ProductWorld) -> str:
        """A project of the owner's in one of them."""
        made = await world.fill("<extension object>")
        return made.strip('"')

    async def speak(self, member: Member) -> Speaker:
        """The person, in the workspace of this membership."""
        return self.here.product.as_(await sign_in(self.here.product.database, member))


async def name_of(product: Product, node_id: str) -> object:
    """As it really is."""
    return await product.database.value("SELECT name FROM resource WHERE node_id = $1", node_id)


@pytest.mark.requirement("002-18")
@pytest.mark.parametrize("token", ["nonsense", "eyJhbGciOiJub25lIn0.e30."])
async def test_first_who_a_token_that_is_none_gets_no_further(product: Product, token: str) -> None:
    both = await Workspaces.make(product)
    project = await both.project(both.here)
    for document in (READ, CHANGE):
        reply = await product.with_token(token).ask(document, {"id": project})
        assert (reply.status, reply.codes) == (401, ["UNAUTHENTICATED"])
    assert await name_of(product, project) == "One"


@pytest.mark.requirement("002-19")
async def test_then_where_a_project_of_another_workspace_is_not_there(product: Product) -> None:
    both = await Workspaces.make(product)
    theirs = await both.project(both.there)
    analyst = await both.speak(both.analyst)
    for document in (READ, CHANGE):
        # Their own workspace too, but not the one that they act in.
        assert (await analyst.ask(document, {"id": theirs})).codes == ["NOT_FOUND"]
    stranger = product.as_(both.here.owner)
    for document in (READ, CHANGE):
        assert (await stranger.ask(document, {"id": theirs})).codes == ["NOT_FOUND"]
    assert await name_of(product, theirs) == "One"


@pytest.mark.requirement("002-20")
async def test_last_what_the_role_in_that_workspace_decides_between_looking_and_changing(
    product: Product,
) -> None:
    both = await Workspaces.make(product)
    mine, theirs = await both.project(both.here), await both.project(both.there)
    analyst, onlooker = await both.speak(both.analyst), await both.speak(both.onlooker)
    assert (await onlooker.query(READ, id=theirs))["tenant"]["resource"]["name"] == "One"
    refused = await onlooker.ask(CHANGE, {"id": theirs})
    assert refused.errors[0]["extensions"] == {"code": "FORBIDDEN", "permission": "project:update"}
    assert await name_of(product, theirs) == "One"
    assert (await analyst.query(CHANGE, id=mine))["resourceUpdate"]["resource"]["name"] == "New"


@pytest.mark.requirement("002-17")
async def test_each_step_is_told_before_the_next(product: Product) -> None:
    """Somebody who fails all three is told of the first alone, and so on."""
    world = await ProductWorld.of(product, WORKSPACE)
    viewer = product.as_(await world.play(WORKSPACE, "VIEWER"))
    suspend = "mutation($id: ID!) { tenantSuspend(input: {tenantId: $id}) { __typename } }"
    invite = "mutation($id: ID!) { memberRolesSet(input: {memberId: $id, roleIds: []}) { __typename } }"
    for document in (suspend, invite):
        assert (await product.anonymous.ask(document, {"id": "x"})).codes == ["UNAUTHENTICATED"]
    assert (await viewer.ask(suspend, {"id": "x"})).codes == ["SCOPE_MISMATCH"]
    assert (await viewer.ask(invite, {"id": "x"})).codes == ["FORBIDDEN"]
    admin = product.as_(world.owner)
    assert (await admin.ask(invite, {"id": "x"})).codes == ["NOT_FOUND"]


@pytest.mark.requirement("002-17")
@pytest.mark.parametrize("blueprint", PRODUCTS)
async def test_what_is_refused_is_refused_before_the_database_is_asked_anything(
    product: Product, blueprint: str
) -> None:
    world, role = await ProductWorld.of(product, blueprint), roles(blueprint)[-1]
    who = await world.play(blueprint, role)
    noting = Noting(product.database)
    tried = 0
    async with graph(noting, trail=product.database) as schema:
        # What is kept of a caller is read at their first question.
        await answer(schema, who, Document("{ viewer { scope } }", {}, None))
        for ask in (ask for ask in asks() if ask.writes and ask.kind == "requires"):
            code = by_role(ask, blueprint, role).code
            noting.taken()
            told = await answer(schema, who, Document(await world.fill(ask.document), {}, None))
            assert f'"code":"{code}"' in told, ask.field
            assert noting.taken() == [], ask.field
            tried += 1
    await noting.close()
    assert tried > 15
