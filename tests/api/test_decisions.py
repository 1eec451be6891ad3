"""Asking beforehand, of oneself: the answer is the one that doing it gets, and reveals no more."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from tenantry.directory.resources.models import Resource
from tenantry.directory.teams.models import Team, TeamMember
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.principal import Authority
from tenantry.storage.database import Database
from tests.api.planner.graph import ask, graph
from tests.support.api import Product, Speaker
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_api_key, make_member, make_tenant, signed_in
from tests.support.refusals import snapshot
from tests.support.world import World

CAN = """query Can($p: Permission!, $on: ID) { viewer { can(permission: $p, on: $on) { allowed reason } } }"""
CAN_ALL = """query All($checks: [CanInput!]!) { viewer { canAll(checks: $checks) { allowed reason } } }"""
SHOW = """query Show($id: ID!) { node(id: $id) { ... on Resource {
    viewerCan { update delete } actions { name permission allowed } } } }"""
UPDATE = (
    """mutation Change($id: ID!) { resourceUpdate(input: {resourceId: $id, name: "x"}) { __typename } }"""
)
DELETE = """mutation Delete($id: ID!) { resourceDelete(input: {resourceId: $id}) { __typename } }"""
ACT = """mutation Act($id: ID!, $action: String!) {
    resourceAct(input: {resourceId: $id, action: $action}) { __typename } }"""


async def can(speaker: Speaker, permission: str, on: str | None = None) -> str | None:
    """Why not; None where it is allowed."""
    decision = (await speaker.query(CAN, p=permission, on=on))["viewer"]["can"]
    assert decision["allowed"] is (decision["reason"] is None)
    return decision["reason"]


async def under(product: Product, tenant: Tenant, role: str, *grants: str) -> Authority:
    """A member with this role, which holds ``permission when condition`` besides."""
    await product.database.seen_by_owner(
        "UPDATE role SET conditional = $3 WHERE tenant_id = $1 AND key = $2", tenant.id, role, list(grants)
    )
    return await signed_in(product.database, tenant, role)


async def put(database: TemporaryDatabase, owner: Authority, kind: str, **values: Any) -> str:
    """Node id of a new object of ``owner``'s, unless ``values`` say otherwise."""
    given = {"state": "open", "owner_id": owner.user_id, **values}
    async with database.writing(owner) as work:
        resource = Resource(tenant_id=owner.tenant_id, type=kind, name="One", **given)
        work.session.add(resource)
    return resource.node_id


@pytest.mark.requirement("004-21")
async def test_a_condition_is_looked_at_with_the_object_and_not_without_one(product: Product) -> None:
    world = await World.make(product)
    role = await world.role_with("call:read")
    hour = product.clock().hour
    clerk = await under(
        product,
        world.tenant,
        role,
        "call:monitor when own",
        "call:export when resource.attributes.seconds <= 60",
        f"report:view when environment.hour == {hour}",
        f"pbx:read when environment.hour != {hour}",
    )
    speaker = product.as_(clerk)
    mine = await put(product.database, clerk, "call", attributes={"seconds": 61})
    theirs = await put(product.database, world.owner, "call", attributes={"seconds": 60})
    for permission in ("call:monitor", "call:export", "report:view", "pbx:read"):
        assert await can(speaker, permission) == "CONDITIONAL"
    assert [await can(speaker, "call:monitor", each) for each in (mine, theirs)] == [
        None,
        "CONDITION_NOT_MET",
    ]
    assert [await can(speaker, "call:export", each) for each in (mine, theirs)] == ["CONDITION_NOT_MET", None]
    for each in (mine, theirs, clerk.member, world.tenant.node_id):
        assert await can(speaker, "report:view", each) is None
        assert await can(speaker, "pbx:read", each) == "CONDITION_NOT_MET"
    assert await can(speaker, "call:monitor", world.tenant.node_id) == "CONDITION_NOT_MET"
    assert await can(speaker, "call:read", theirs) is None
    assert await can(speaker, "ticket:read", theirs) == "FORBIDDEN"


@pytest.mark.requirement("000-12", "001-32")
async def test_what_the_caller_may_not_read_is_not_there(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    agent, gus = [await signed_in(product.database, world.tenant, "agent") for _ in range(2)]
    speaker = product.as_(agent)
    mine, hidden = [await put(product.database, each, "call") for each in (agent, gus)]
    foreign = await put(product.database, other.owner, "call")
    dropped = await put(product.database, agent, "gone")
    document = CAN.replace("allowed reason", "reason")
    ids = [hidden, foreign, dropped, "O_" + "x" * 22, other.owner.member, agent.user, "garbage", ""]
    for permission in ("call:originate", "call:read_own"):
        found = {(await speaker.ask(document, {"p": permission, "on": each})).text for each in ids}
        assert len(found) == 1
        assert '"reason":"NOT_FOUND"' in found.pop()
        assert await can(speaker, permission, mine) is None
    assert (await speaker.ask(CAN, {"p": "call:read_own", "on": "O_\0"})).codes == ["BAD_USER_INPUT"]


async def test_a_team_is_asked_about_as_it_is_managed(product: Product) -> None:
    world = await World.make(product)
    clerk = await under(
        product, world.tenant, await world.role_with("ticket:read"), "team:manage when own_team"
    )
    day, night = [Team(tenant_id=world.tenant.id, name=name) for name in ("Day", "Night")]
    async with product.database.writing(world.owner) as work:
        work.session.add_all([day, night])
        await work.session.flush()
        place = TeamMember(tenant_id=world.tenant.id, team_id=day.id, member_id=clerk.member_id)
        work.session.add(place)
    speaker, owner = product.as_(clerk), product.as_(world.owner)
    assert await can(speaker, "team:manage") == "CONDITIONAL"
    assert [await can(speaker, "team:manage", each.node_id) for each in (day, night)] == [None, "NOT_FOUND"]
    assert [await can(speaker, "ticket:read", each.node_id) for each in (day, night)] == [None, "NOT_FOUND"]
    assert [await can(owner, "team:manage", each.node_id) for each in (day, night)] == [None, None]
    rename = """mutation Name($id: ID!) { teamUpdate(input: {teamId: $id, name: "New"}) { __typename } }"""
    assert (await speaker.ask(rename, {"id": day.node_id})).errors == []
    before = await snapshot(product.database)
    assert (await speaker.ask(rename, {"id": night.node_id})).codes == ["FORBIDDEN"]
    assert await snapshot(product.database) == before


async def test_without_the_permission_nothing_is_said_of_the_object(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    agent = await world.enter("agent")
    ids = [
        await put(product.database, world.owner, "ticket"),
        await put(product.database, other.owner, "ticket"),
        "O_" + "x" * 22,
    ]
    found = {(await agent.ask(CAN, {"p": "ticket:delete", "on": each})).text for each in ids}
    assert len(found) == 1
    assert '"reason":"FORBIDDEN"' in found.pop()


async def test_several_are_decided_in_order_and_not_too_many(product: Product) -> None:
    world = await World.make(product)
    manager = await world.enter("manager")
    ticket = await put(product.database, world.owner, "ticket")
    checks: list[dict[str, Any]] = [
        {"permission": "ticket:read", "on": ticket},
        {"permission": "ticket:delete"},
        {"permission": "ticket:read", "on": "O_" + "x" * 22},
        {"permission": "call:read", "on": None},
    ]
    found = (await manager.query(CAN_ALL, checks=checks))["viewer"]["canAll"]
    assert [each["reason"] for each in found] == [None, "FORBIDDEN", "NOT_FOUND", None]
    assert [each["allowed"] for each in found] == [True, False, False, True]
    assert (await manager.query(CAN_ALL, checks=[]))["viewer"]["canAll"] == []
    most = await manager.query(CAN_ALL, checks=checks[:1] * 50)
    assert most["viewer"]["canAll"] == [{"allowed": True, "reason": None}] * 50
    reply = await manager.ask(CAN_ALL, {"checks": checks[:1] * 51})
    assert (reply.codes, reply.errors[0]["extensions"]["fields"]) == (
        ["BAD_USER_INPUT"],
        {"checks": "take at most 50"},
    )
    assert [each["outcome"] for each in await product.trail(reply)] == ["REFUSED"]
    wrong = await manager.ask(CAN_ALL, {"checks": [{"permission": "no permission"}]})
    assert wrong.codes == ["BAD_USER_INPUT"]
    literal = '{ viewer { canAll(checks: [{permission: "ticket:read", on: "O_no"}]) { reason } } }'
    assert (await manager.query(literal))["viewer"]["canAll"] == [{"reason": "NOT_FOUND"}]
    for document in (CAN, CAN_ALL):
        reply = await product.anonymous.ask(document, {"p": "ticket:read", "checks": checks})
        assert reply.codes == ["UNAUTHENTICATED"]


class Counting(Database):
    """A database that says how many statements have read from it."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.count = 0

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Any:
        self.count += 1
        return await super().fetch(sql, arguments)


async def test_all_questions_of_an_operation_are_one_statement(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    ids = [await put(database, owner, "ticket") for _ in range(5)]
    ids += [(await make_member(database, tenant)).node_id, tenant.node_id]
    aliased = " ".join(
        f'a{place}: can(permission: "ticket:read", on: "{node_id}") {{ allowed }}'
        for place, node_id in enumerate(ids)
    )
    several = ", ".join(f'{{permission: "ticket:update", on: "{node_id}"}}' for node_id in ids)
    counting = Counting(database.app_dsn)
    try:
        async with graph(counting, trail=database) as schema:
            for document, statements in (
                ('{ viewer { a: can(permission: "a:b") { allowed } scope } }', 1),
                (f"{{ viewer {{ {aliased} }} }}", 2),
                (f"{{ viewer {{ {aliased} canAll(checks: [{several}]) {{ allowed }} }} }}", 2),
                (f"{{ viewer {{ scope }} evaluateAccess(checks: [{several}]) {{ allowed }} }}", 2),
            ):
                await ask(schema, owner, document)
                before = counting.count
                answer = await ask(schema, owner, document)
                assert "errors" not in answer
                assert counting.count - before == statements
            assert {each["allowed"] for each in answer["data"]["evaluateAccess"]} == {True}
    finally:
        await counting.close()


@pytest.mark.requirement("001-33")
async def test_modules_ask_by_names_of_their_own(product: Product) -> None:
    modules = """{ viewer {
        canCreateCRM: can(permission: "crm:create") { allowed }
        canViewAutomation: can(permission: "automation:view") { allowed }
        canDeleteAutomation: can(permission: "automation:delete") { allowed } } }"""
    expected = {"ADMIN": [True, True, True], "USER": [True, True, False], "GUEST": [False, True, False]}
    tenant = await make_tenant(product.database, "messaging-crm")
    for role, allowed in expected.items():
        speaker = product.as_(await signed_in(product.database, tenant, role))
        viewer = (await speaker.query(modules))["viewer"]
        names = ["canCreateCRM", "canViewAutomation", "canDeleteAutomation"]
        assert [viewer[name]["allowed"] for name in names] == allowed


async def test_a_factor_that_is_awaited_comes_first(product: Product) -> None:
    world = await World.make(product)
    await product.database.seen_by_owner(
        "UPDATE role SET mfa_required = true WHERE tenant_id = $1 AND key = 'manager'", world.tenant.id
    )
    manager = await world.enter("manager")
    assert await can(manager, "call:read") == "STEP_UP_REQUIRED"
    assert world.caller is not None
    await world.prove(world.caller)
    assert await can(manager, "call:read") is None


async def test_a_key_is_asked_for_what_it_may_itself(product: Product) -> None:
    world = await World.make(product)
    await world.prove(world.owner)
    ticket = await put(product.database, world.owner, "ticket")
    key = product.with_token((await make_api_key(product.database, world.owner, "ticket:read")).text)
    assert await can(key, "ticket:read", ticket) is None
    assert await can(key, "ticket:update", ticket) == "FORBIDDEN"


# --- agreement with what is done ------------------------------------------------------------------

CONDITIONS = (
    "own", "not own", "own_team", "resource.state == 'open'", "resource.attributes.confidential",
    "resource.attributes.seconds <= 60", "own or environment.hour >= 0", "subject.kind == 'API_KEY'",
    "not resource.attributes.confidential and resource.state != 'closed'", "'observer' in subject.roles",
)  # fmt: skip
# Of the ABAC suite: each type with what opens reading, changing, deleting and its action.
GUARDS = {
    "Call": (
        ("Call:Instance:View",),
        ("Call:Instance:Update",),
        ("Call:Instance:Delete",),
        ("Call:Instance:Update",),
    ),
    "ContactNote": (
        ("ContactNote:Instance:View", "ContactNote:Instance:ViewOwn"),
        ("ContactNote:Instance:Update", "ContactNote:Instance:UpdateOwn"),
        ("ContactNote:Instance:Delete", "ContactNote:Instance:DeleteOwn"),
        (),
    ),
}


async def random_clerk(product: Product, tenant: Tenant, owner: Authority, rng: Random) -> Authority:
    """A member who holds some of it plainly, and some under conditions."""
    names = sorted({name for guards in GUARDS.values() for each in guards for name in each})
    plain = rng.sample(names, rng.randrange(4))
    under_conditions = [f"{name} when {rng.choice(CONDITIONS)}" for name in rng.sample(names, 5)]
    await product.database.seen_by_owner(
        "UPDATE role SET effective = $2, conditional = $3 WHERE tenant_id = $1 AND key = 'observer'",
        tenant.id,
        plain,
        under_conditions,
    )
    return await signed_in(product.database, tenant, "observer")


@pytest.mark.requirement("004-21")
@pytest.mark.parametrize("seed", range(6))
async def test_asking_beforehand_agrees_with_doing(product: Product, seed: int) -> None:
    rng = Random(seed)
    tenant = await make_tenant(product.database, "abac-suite")
    owner = await signed_in(product.database, tenant, "owner")
    clerk = await random_clerk(product, tenant, owner, rng)
    speaker = product.as_(clerk)
    team = Team(tenant_id=tenant.id, name="Day")
    async with product.database.writing(owner) as work:
        work.session.add(team)
        await work.session.flush()
        work.session.add(TeamMember(tenant_id=tenant.id, team_id=team.id, member_id=clerk.member_id))
    for kind in [*GUARDS] * 4:
        attributes = {"confidential": rng.choice((True, False)), "seconds": rng.choice((1, 60, 61))}
        node_id = await put(
            product.database,
            owner,
            kind,
            owner_id=rng.choice((clerk, owner)).user_id,
            team_id=rng.choice((team.id, None)),
            state=rng.choice(("open", "closed")),
            attributes=attributes if kind == "Call" and rng.random() < 0.7 else {},
        )
        reading, updating, deleting, acting = GUARDS[kind]
        shown = (await speaker.ask(SHOW, {"id": node_id})).body["data"]["node"]
        reasons = {name: await can(speaker, name, node_id) for each in GUARDS[kind] for name in each}
        assert any(reasons[name] is None for name in reading) is (shown is not None)
        if shown is None:
            assert set(reasons.values()) <= {"NOT_FOUND", "FORBIDDEN"}
            continue
        allowed = [any(reasons[name] is None for name in each) for each in (updating, deleting)]
        assert [shown["viewerCan"]["update"], shown["viewerCan"]["delete"]] == allowed
        if acting:
            (action,) = shown["actions"]
            assert action["allowed"] is (reasons[action["permission"]] is None)
            acted = await speaker.ask(ACT, {"id": node_id, "action": "rerunAnalysis"})
            assert acted.codes == ([] if action["allowed"] else ["FORBIDDEN"])
        before = await snapshot(product.database)
        for document, may in ((UPDATE, allowed[0]), (DELETE, allowed[1])):
            reply = await speaker.ask(document, {"id": node_id})
            assert reply.codes == ([] if may else ["FORBIDDEN"])
        assert (await snapshot(product.database) == before) is not any(allowed)
