"""Teams: who sees them, who changes them, and what a grant for one's own teams opens."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from tenantry.directory.members.models import Member
from tenantry.directory.tenants.models import Tenant
from tests.support.api import Product, Speaker
from tests.support.factories import make_member, make_tenant, sign_in
from tests.support.refusals import snapshot
from tests.support.world import World

CREATE = """mutation Make($input: TeamCreateInput!) { teamCreate(input: $input) {
  ... on TeamCreated { team { id name supervisors { email } members(first: 9) { nodes { email } } } }
  ... on Problem { code message } } }"""
UPDATE = """mutation Change($input: TeamUpdateInput!) { teamUpdate(input: $input) {
  ... on TeamUpdated { team { id name supervisors { email } members(first: 9) { nodes { email } } } }
  ... on Problem { code message } } }"""
DELETE = "mutation Delete($id: ID!) { teamDelete(input: {teamId: $id}) { teamId } }"
LIST = "{ tenant { teams(first: 9) { totalCount nodes { name } } } }"
NODE = "query Node($id: ID!) { node(id: $id) { ... on Team { name } } }"
OWN = "{ viewer { member { teams { name } } } }"
CALL = """mutation Make($input: ResourceCreateInput!) {
  resourceCreate(input: $input) { resource { id team { name } } } }"""
CALLS = """{ tenant { resources(type: "call", first: 9) { totalCount nodes {
  name team { name } actions { name allowed } } } } }"""
BARGE = """mutation Barge($id: ID!) {
  resourceAct(input: {resourceId: $id, action: "barge"}) { action } }"""
MOVE = """mutation Move($id: ID!, $team: ID) {
  resourceUpdate(input: {resourceId: $id, teamId: $team}) { resource { team { name } } } }"""


class Centre:
    """A contact centre with a team of its supervisor's, and one that is not theirs."""

    def __init__(self, product: Product, tenant: Tenant) -> None:
        self.product = product
        self.tenant = tenant
        self.members: dict[str, Member] = {}
        self.speakers: dict[str, Speaker] = {}

    async def join(self, name: str, role: str) -> None:
        self.members[name] = await make_member(
            self.product.database, self.tenant, role, email=f"{name}-{self.tenant.slug}@centre.example"
        )
        self.speakers[name] = self.product.as_(await sign_in(self.product.database, self.members[name]))

    async def call(self, by: str, team: str | None = None) -> str:
        """Node id of a new call of somebody's."""
        given = {"type": "call", "name": f"{by}'s", "teamId": team}
        made = await self.speakers[by].query(CALL, input=given)
        return made["resourceCreate"]["resource"]["id"]

    async def team(self, name: str, **people: list[str]) -> str:
        """Node id of a new team; ``lead`` and ``also`` by name."""
        ids = {key: [self.members[each].node_id for each in names] for key, names in people.items()}
        given = {"name": name, "supervisorIds": ids.get("lead", []), "memberIds": ids.get("also", [])}
        return (await self.speakers["owner"].query(CREATE, input=given))["teamCreate"]["team"]["id"]


@pytest_asyncio.fixture
async def centre(product: Product) -> Centre:
    made = Centre(product, await make_tenant(product.database, "contact-center"))
    for name, role in (
        ("owner", "owner"),
        ("sofia", "supervisor"),
        ("arno", "agent"),
        ("aida", "agent"),
    ):
        await made.join(name, role)
    return made


def people(team: dict[str, Any]) -> tuple[list[str], list[str]]:
    """First names of who supervises and of who is in a team."""
    inside = team["members"]["nodes"]
    lead, all_ = [
        [each["email"].partition("-")[0] for each in those] for those in (team["supervisors"], inside)
    ]
    return lead, all_


@pytest.mark.requirement("000-01", "002-08")
async def test_a_team_is_made_changed_and_deleted(centre: Centre) -> None:
    owner, ids = centre.speakers["owner"], {name: each.node_id for name, each in centre.members.items()}
    team = await centre.team(" North ", lead=["sofia"], also=["arno"])
    changes: dict[str, Any] = {"teamId": team, "name": "South", "addMemberIds": [ids["aida"]]}
    changed = (await owner.query(UPDATE, input=changes))["teamUpdate"]["team"]
    assert (changed["name"], people(changed)) == ("South", (["sofia"], ["aida", "arno", "sofia"]))
    changes = {"teamId": team, "supervisorIds": [ids["aida"]], "removeMemberIds": [ids["arno"]]}
    changed = (await owner.query(UPDATE, input=changes))["teamUpdate"]["team"]
    assert people(changed) == (["aida"], ["aida", "sofia"])
    changes = {"teamId": team, "removeMemberIds": [ids["aida"]]}
    reply = await owner.ask(UPDATE, {"input": changes})
    assert people(reply.data["teamUpdate"]["team"]) == ([], ["sofia"])
    (record,) = await centre.product.trail(reply)
    assert (record["action"], record["targets"]) == ("team.update", [team, ids["aida"]])
    assert (await owner.query(DELETE, id=team))["teamDelete"]["teamId"] == team
    assert (await owner.ask(NODE, {"id": team})).codes == ["NOT_FOUND"]
    assert (await owner.ask(DELETE, {"id": team})).codes == ["NOT_FOUND"]


async def test_what_cannot_be_taken_changes_nothing(centre: Centre) -> None:
    owner, arno = centre.speakers["owner"], centre.members["arno"].node_id
    team = await centre.team("North")
    await centre.team("South")
    before = await snapshot(centre.product.database)
    for document, given in ((CREATE, {"name": "NORTH"}), (UPDATE, {"teamId": team, "name": "south"})):
        reply = await owner.ask(document, {"input": given})
        (answer,) = reply.data.values()
        assert answer == {"code": "TEAM_NAME_TAKEN", "message": "There is a team of this name already."}
    for given, field in (
        ({"name": " "}, "name"),
        ({"addMemberIds": [arno] * 101}, "addMemberIds"),
        ({"supervisorIds": [arno], "removeMemberIds": [arno]}, "removeMemberIds"),
    ):
        reply = await owner.ask(UPDATE, {"input": {"teamId": team, **given}})
        assert reply.codes == ["BAD_USER_INPUT"]
        assert list(reply.errors[0]["extensions"]["fields"]) == [field]
    assert await snapshot(centre.product.database) == before


async def test_everyone_sees_their_own_teams_and_others_by_permission(centre: Centre) -> None:
    north = await centre.team("North", lead=["sofia"], also=["arno"])
    south = await centre.team("South", also=["aida"])
    owner, sofia, arno = (centre.speakers[name] for name in ("owner", "sofia", "arno"))
    assert (await owner.query(LIST))["tenant"]["teams"]["totalCount"] == 2
    assert (await sofia.query(LIST))["tenant"]["teams"] == {"totalCount": 1, "nodes": [{"name": "North"}]}
    assert (await arno.query(OWN))["viewer"]["member"]["teams"] == [{"name": "North"}]
    assert (await arno.query(NODE, id=north))["node"] == {"name": "North"}
    assert (await arno.ask(LIST)).codes == ["FORBIDDEN"]
    for speaker in (sofia, arno):
        assert (await speaker.ask(NODE, {"id": south})).codes == ["NOT_FOUND"]


async def test_members_are_found_by_a_team_that_the_caller_sees(product: Product) -> None:
    world = await World.make(product)
    team = await world.fill("<team>")
    found = """{ tenant { members(first: 9, filter: {teamId: %s}) { nodes { isOwner teams { name } } } } }"""
    manager, nobody = await world.enter("manager"), await world.enter_with("org:read")
    (owner,) = (await manager.query(found % team))["tenant"]["members"]["nodes"]
    assert (owner["isOwner"], len(owner["teams"])) == (True, 1)
    assert (await nobody.ask(found % team)).codes == ["FORBIDDEN"]


@pytest.mark.requirement("000-19", "000-15")
async def test_a_supervisor_barges_into_calls_of_their_teams_only(centre: Centre) -> None:
    north, south = await centre.team("North", lead=["sofia"]), await centre.team("South", lead=["owner"])
    ours = await centre.call("arno", north)
    theirs, nobodys = await centre.call("aida", south), await centre.call("aida")
    sofia = centre.speakers["sofia"]
    seen = (await sofia.query(CALLS))["tenant"]["resources"]
    assert [(each["name"], each["team"]) for each in seen["nodes"]] == [("arno's", {"name": "North"})]
    assert {each["name"]: each["allowed"] for each in seen["nodes"][0]["actions"]} == {
        "monitor": True,
        "whisper": True,
        "barge": True,
    }
    assert (await sofia.query(BARGE, id=ours))["resourceAct"]["action"] == "barge"
    before = await snapshot(centre.product.database)
    for call in (theirs, nobodys):
        reply = await sofia.ask(BARGE, {"id": call})
        assert reply.codes == ["FORBIDDEN"]
        assert reply.errors[0]["extensions"]["permission"] == "call:barge"
    assert await snapshot(centre.product.database) == before
    assert (await centre.speakers["arno"].ask(BARGE, {"id": ours})).codes == ["FORBIDDEN"]


@pytest.mark.requirement("000-19")
async def test_a_supervisor_manages_their_own_teams_and_no_others(centre: Centre) -> None:
    north, south = await centre.team("North", lead=["sofia"]), await centre.team("South")
    sofia, arno = centre.speakers["sofia"], centre.members["arno"].node_id
    added = {"teamId": north, "addMemberIds": [arno]}
    assert people((await sofia.query(UPDATE, input=added))["teamUpdate"]["team"]) == (
        ["sofia"],
        ["arno", "sofia"],
    )
    before = await snapshot(centre.product.database)
    for document, variables in (
        (UPDATE, {"input": {"teamId": south, "addMemberIds": [arno]}}),
        (UPDATE, {"input": {"teamId": south, "addMemberIds": [centre.members["sofia"].node_id]}}),
        (DELETE, {"id": south}),
        (CREATE, {"input": {"name": "Mine", "supervisorIds": [centre.members["sofia"].node_id]}}),
    ):
        reply = await sofia.ask(document, variables)
        assert reply.codes == ["FORBIDDEN"]
        assert reply.errors[0]["extensions"]["permission"] == "team:manage"
    assert await snapshot(centre.product.database) == before
    assert (await sofia.query(DELETE, id=north))["teamDelete"]["teamId"] == north


@pytest.mark.requirement("002-21")
async def test_who_is_out_of_a_team_is_out_of_its_calls_at_the_next_operation(centre: Centre) -> None:
    owner, sofia = centre.speakers["owner"], centre.speakers["sofia"]
    north = await centre.team("North", lead=["sofia"])
    call = await centre.call("arno", north)
    out = {"input": {"teamId": north, "removeMemberIds": [centre.members["sofia"].node_id]}}
    back = {"input": {"teamId": north, "supervisorIds": [centre.members["sofia"].node_id]}}
    for _ in range(5):
        # Side by side: what runs is waited for, what comes after is refused.
        replies = await asyncio.gather(
            owner.ask(UPDATE, out), *(sofia.ask(BARGE, {"id": call}) for _ in range(4))
        )
        assert {code for reply in replies for code in reply.codes} <= {"FORBIDDEN"}
        assert (await sofia.ask(BARGE, {"id": call})).codes == ["FORBIDDEN"]
        assert (await sofia.query(CALLS))["tenant"]["resources"]["totalCount"] == 0
        await owner.query(UPDATE, **back)
        assert (await sofia.ask(BARGE, {"id": call})).codes == []


async def test_a_team_that_is_gone_leaves_its_objects(centre: Centre) -> None:
    north = await centre.team("North", lead=["sofia"], also=["arno"])
    await centre.call("arno", north)
    await centre.speakers["owner"].query(DELETE, id=north)
    (call,) = (await centre.speakers["arno"].query(CALLS))["tenant"]["resources"]["nodes"]
    assert call["team"] is None
    assert (await centre.speakers["sofia"].query(CALLS))["tenant"]["resources"]["totalCount"] == 0


async def test_an_object_moves_from_team_to_team(centre: Centre) -> None:
    north, south = await centre.team("North", also=["arno"]), await centre.team("South")
    arno, call = centre.speakers["arno"], await centre.call("arno")
    moved = [(await arno.query(MOVE, id=call, team=each))["resourceUpdate"] for each in (north, south, None)]
    # The team is there; whether the caller sees it is another matter.
    assert [each["resource"]["team"] for each in moved] == [{"name": "North"}, None, None]
    row = await centre.product.database.value("SELECT team_id FROM resource WHERE node_id = $1", call)
    assert row is None


async def test_a_member_who_leaves_is_in_no_team(centre: Centre) -> None:
    north = await centre.team("North", lead=["sofia"], also=["arno"])
    remove = 'mutation { memberRemove(input: {memberId: "%s"}) { __typename } }'
    await centre.speakers["owner"].query(remove % centre.members["sofia"].node_id)
    changed = await centre.speakers["owner"].query(UPDATE, input={"teamId": north})
    assert people(changed["teamUpdate"]["team"]) == ([], ["arno"])
