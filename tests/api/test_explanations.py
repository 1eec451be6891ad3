"""Why a member may, or why not: each way from a role to the permission, told to who may know."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from tenantry.directory.members.models import MemberStatus
from tenantry.storage.database import Database
from tests.api.planner.graph import ask, codes, graph
from tests.api.test_decisions import CAN, put, under
from tests.support.api import Product, Speaker
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_api_key, make_member, make_tenant, sign_in, signed_in
from tests.support.world import World

EXPLAIN = """query Why($m: ID!, $p: Permission!, $on: ID) {
  explainAccess(memberId: $m, permission: $p, on: $on) {
    allowed reason permission member { id email }
    paths { role { key } grant condition holds }
    rolesThatGrant { key } } }"""
EVALUATE = (
    """query Ask($checks: [EvaluationInput!]!) { evaluateAccess(checks: $checks) { allowed reason } }"""
)


async def explain(speaker: Speaker, member: str, permission: str, on: str | None = None) -> dict[str, Any]:
    """The explanation, its roles by key."""
    found = (await speaker.query(EXPLAIN, m=member, p=permission, on=on))["explainAccess"]
    assert found["permission"] == permission
    assert found["member"]["id"] == member
    found["rolesThatGrant"] = [role["key"] for role in found["rolesThatGrant"]]
    found["paths"] = [
        (path["role"]["key"], path["grant"], path["condition"], path["holds"]) for path in found["paths"]
    ]
    return found


@pytest.mark.requirement("001-32")
async def test_a_member_is_told_why_they_may(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    assert world.caller is not None
    told = await explain(admin, world.caller.member, "member:invite")
    assert (told["allowed"], told["reason"]) == (True, None)
    assert told["paths"] == [("admin", "user:invite", None, True)]
    assert told["rolesThatGrant"] == ["owner", "admin"]
    owner = product.as_(world.owner)
    told = await explain(owner, world.owner.member, "member:own")
    assert told["paths"] == [("owner", "owner", None, True)]
    assert told["rolesThatGrant"] == ["owner"]


@pytest.mark.requirement("001-32")
async def test_a_member_is_told_what_is_missing_and_which_roles_would_give_it(product: Product) -> None:
    world = await World.make(product)
    agent = await world.enter("agent")
    assert world.caller is not None
    told = await explain(agent, world.caller.member, "recording:listen")
    assert (told["allowed"], told["reason"], told["paths"]) == (False, "FORBIDDEN", [])
    assert told["rolesThatGrant"] == ["owner", "admin", "manager"]
    nothing = await explain(agent, world.caller.member, "no:such")
    assert (nothing["reason"], nothing["rolesThatGrant"]) == ("FORBIDDEN", [])


@pytest.mark.requirement("004-21")
async def test_a_condition_is_told_with_whether_it_holds(product: Product) -> None:
    world = await World.make(product)
    role = await world.role_with("ticket:read")
    clerk = await under(
        product,
        world.tenant,
        role,
        "ticket:update when own",
        "ticket:update when environment.ip in ['203.0.113.0/24']",
    )
    speaker = product.as_(clerk)
    mine = await put(product.database, clerk, "ticket")
    theirs = await put(product.database, world.owner, "ticket")
    await product.database.seen_by_owner(
        """UPDATE role SET permissions = '["ticket:read", "ticket:update"]'
        WHERE tenant_id = $1 AND key = $2""",
        world.tenant.id,
        role,
    )
    grant, network = "ticket:update", "environment.ip in ['203.0.113.0/24']"
    expected = {
        None: ("CONDITIONAL", None),
        mine: (None, True),
        theirs: ("CONDITION_NOT_MET", False),
        "O_" + "x" * 22: ("NOT_FOUND", None),
    }
    for on, (reason, holds) in expected.items():
        told = await explain(speaker, clerk.member, grant, on)
        assert (told["allowed"], told["reason"]) == (reason is None, reason)
        assert sorted(told["paths"]) == [(role, grant, network, False), (role, grant, "own", holds)]
        assert role in told["rolesThatGrant"]
        beforehand = (await speaker.query(CAN, p=grant, on=on))["viewer"]["can"]
        assert beforehand == {"allowed": told["allowed"], "reason": told["reason"]}


async def test_of_another_a_request_to_come_is_not_known(product: Product) -> None:
    world = await World.make(product)
    role = await world.role_with("call:read")
    member = await under(
        product, world.tenant, role, "call:monitor when environment.ip in ['127.0.0.0/8'] or own"
    )
    owner = product.as_(world.owner)
    theirs = await put(product.database, member, "call")
    mine = await put(product.database, world.owner, "call")
    own, other = [await explain(owner, member.member, "call:monitor", each) for each in (theirs, mine)]
    assert (own["allowed"], other["allowed"], other["reason"]) == (True, False, "CONDITIONAL")
    checks = [{"subject": member.user, "permission": "call:monitor", "on": each} for each in (theirs, mine)]
    found = (await owner.query(EVALUATE, checks=checks))["evaluateAccess"]
    assert [each["reason"] for each in found] == [None, "CONDITIONAL"]


@pytest.mark.requirement("001-32", "003-30")
async def test_others_are_asked_about_with_role_assign_alone(product: Product) -> None:
    world, elsewhere = await World.make(product), await World.make(product)
    agent = await signed_in(product.database, world.tenant, "agent")
    manager, assigns = await world.enter("manager"), await world.enter_with("role:assign")
    nobody = "M_" + "x" * 22
    for member in (agent.member, elsewhere.owner.member, nobody):
        for document, variables in (
            (EXPLAIN, {"m": member, "p": "call:read"}),
            (EVALUATE, {"checks": [{"subject": member, "permission": "call:read"}]}),
        ):
            refused = await manager.ask(document, variables)
            assert refused.codes == ["FORBIDDEN"]
            assert refused.errors[0]["extensions"]["permission"] == "role:assign"
            (record,) = await product.trail(refused)
            assert (record["outcome"], record["code"]) == ("REFUSED", "FORBIDDEN")
    told = await explain(assigns, agent.member, "call:read_own")
    assert (told["allowed"], told["paths"]) == (True, [("agent", "call:read_own", None, True)])
    reply = await assigns.ask(EXPLAIN, {"m": agent.member, "p": "call:read"})
    assert [record["action"] for record in await product.trail(reply)] == ["read.explain_access"]
    found = [
        (await assigns.ask(EXPLAIN, {"m": member, "p": "call:read"})).text
        for member in (elsewhere.owner.member, nobody, agent.user, world.tenant.node_id)
    ]
    assert len(set(found)) == 1
    assert '"code":"NOT_FOUND"' in found[0]
    platform = await world.enter("platform")
    assert (await platform.ask(EXPLAIN, {"m": agent.member, "p": "a:b"})).codes == ["SCOPE_MISMATCH"]
    assert (await product.anonymous.ask(EXPLAIN, {"m": agent.member, "p": "a:b"})).codes == [
        "UNAUTHENTICATED"
    ]


async def test_what_the_asker_may_not_see_is_not_there_for_them(product: Product) -> None:
    world, elsewhere = await World.make(product), await World.make(product)
    agent = await signed_in(product.database, world.tenant, "agent")
    call = await put(product.database, agent, "call")
    foreign = await put(product.database, elsewhere.owner, "call")
    blind = await world.enter_with("role:assign")
    answers = {
        (await blind.ask(EXPLAIN, {"m": agent.member, "p": "call:read_own", "on": each})).text
        for each in (call, foreign, "O_" + "x" * 22)
    }
    assert len(answers) == 1
    assert '"reason":"NOT_FOUND"' in answers.pop()
    owner = product.as_(world.owner)
    seen = await explain(owner, agent.member, "call:read_own", call)
    assert (seen["allowed"], seen["paths"]) == (True, [("agent", "call:read_own", "own", True)])
    hidden = await put(product.database, world.owner, "call")
    unseen = await explain(owner, agent.member, "call:read_own", hidden)
    assert (unseen["reason"], unseen["paths"]) == ("NOT_FOUND", [("agent", "call:read_own", "own", False)])


async def test_what_is_personal_is_there_for_its_owner_alone(product: Product) -> None:
    world = await World.make(product)
    admin = await signed_in(product.database, world.tenant, "admin")
    diary = await put(product.database, world.owner, "ticket", is_personal=True)
    owner = product.as_(world.owner)
    assert (await explain(owner, world.owner.member, "ticket:update", diary))["allowed"] is True
    assert (await explain(owner, admin.member, "ticket:update", diary))["reason"] == "NOT_FOUND"
    for subject in (admin.member, world.owner.member):
        told = await explain(product.as_(admin), subject, "ticket:update", diary)
        assert told["reason"] == "NOT_FOUND"


class Interrupted(Database):
    """A database in which something happens before the second statement from now."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.events: list[Callable[[], Awaitable[object]] | None] = []

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Any:
        event = self.events.pop(0) if self.events else None
        if event is not None:
            await event()
        return await super().fetch(sql, arguments)


async def test_what_has_ended_between_two_statements_is_not_answered(database: TemporaryDatabase) -> None:
    tenant = await make_tenant(database)
    owner = await signed_in(database, tenant, "owner")
    gone = await make_member(database, tenant)
    interrupted = Interrupted(database.app_dsn)

    async def remove() -> None:
        await database.seen_by_owner("DELETE FROM member WHERE id = $1", gone.id)

    async def revoke() -> None:
        await database.seen_by_owner("UPDATE session SET revoked = true WHERE id = $1", owner.session_id)

    why = 'query($m: ID!) { explainAccess(memberId: $m, permission: "a:b") { member { id } } }'
    try:
        async with graph(interrupted, trail=database) as schema:
            assert "errors" not in await ask(schema, owner, why, {"m": gone.node_id})
            interrupted.events = [None, remove]
            answer = await ask(schema, owner, why, {"m": gone.node_id})
            assert (answer["data"], codes(answer)) == (None, {("NOT_FOUND", ("explainAccess",))})
            interrupted.events = [None, revoke]
            answer = await ask(schema, owner, why, {"m": owner.member})
            assert codes(answer) == {("UNAUTHENTICATED", ())}
            assert "data" not in answer
    finally:
        await interrupted.close()


async def test_who_does_not_act_may_nothing(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    for status in (MemberStatus.INVITED, MemberStatus.SUSPENDED):
        member = await make_member(product.database, world.tenant, "agent", status=status)
        told = await explain(owner, member.node_id, "ticket:read")
        assert (told["allowed"], told["reason"]) == (False, "MEMBER_INACTIVE")
        assert told["paths"] == [("agent", "ticket:read", None, True)]


async def test_several_are_asked_about_at_once(product: Product) -> None:
    world, elsewhere = await World.make(product), await World.make(product)
    agent = await signed_in(product.database, world.tenant, "agent")
    ticket = await put(product.database, world.owner, "ticket")
    owner = product.as_(world.owner)
    checks: list[dict[str, Any]] = [
        {"permission": "ticket:delete", "on": ticket},
        {"permission": "ticket:delete", "on": ticket, "subject": world.owner.user},
        {"permission": "ticket:delete", "on": ticket, "subject": agent.member},
        {"permission": "ticket:read", "on": ticket, "subject": agent.user, "type": "ticket"},
        {"permission": "ticket:read", "on": ticket, "subject": agent.user, "type": "call"},
        {"permission": "ticket:read", "subject": elsewhere.owner.member},
        {"permission": "ticket:read", "on": agent.member, "type": "member"},
        {"permission": "ticket:read", "on": agent.member, "type": "role"},
    ]
    found = (await owner.query(EVALUATE, checks=checks))["evaluateAccess"]
    none, missing = None, "NOT_FOUND"
    assert [each["reason"] for each in found] == [
        none, none, "FORBIDDEN", none, missing, missing, none, missing
    ]  # fmt: skip
    mine = (await product.as_(agent).query(EVALUATE, checks=checks[:1]))["evaluateAccess"]
    assert mine == [{"allowed": False, "reason": "FORBIDDEN"}]
    reply = await owner.ask(EVALUATE, {"checks": checks[:1] * 51})
    assert (reply.codes, list(reply.errors[0]["extensions"]["fields"])) == (["BAD_USER_INPUT"], ["checks"])


async def test_a_key_asks_about_its_issuer_as_about_anybody(product: Product) -> None:
    world = await World.make(product)
    await world.prove(world.owner)
    reads, assigns = [
        product.with_token((await make_api_key(product.database, world.owner, name)).text)
        for name in ("org:read", "role:assign")
    ]
    assert (await reads.ask(EXPLAIN, {"m": world.owner.member, "p": "org:read"})).codes == ["FORBIDDEN"]
    told = await explain(assigns, world.owner.member, "pbx:deploy")
    assert told["allowed"] is True


async def test_a_factor_that_is_awaited_is_the_reason(product: Product) -> None:
    tenant = await make_tenant(product.database)
    await product.database.seen_by_owner("UPDATE tenant SET mfa_required = true WHERE id = $1", tenant.id)
    owner = await sign_in(product.database, await make_member(product.database, tenant, "owner"))
    agent = await make_member(product.database, tenant, "agent")
    speaker = product.as_(owner)
    told = await explain(speaker, owner.member, "org:read")
    assert (told["allowed"], told["reason"]) == (False, "STEP_UP_REQUIRED")
    assert told["paths"] == [("owner", "org:read", None, True)]
    assert (await speaker.ask(EXPLAIN, {"m": agent.node_id, "p": "org:read"})).codes == ["STEP_UP_REQUIRED"]


async def test_what_is_inside_of_an_explanation_has_its_own_rules_and_limits(product: Product) -> None:
    world = await World.make(product)
    agent = await world.enter("agent")
    assert world.caller is not None
    counted = """query($m: ID!) { explainAccess(memberId: $m, permission: "a:b") {
        rolesThatGrant { key }
        member { roles { memberCount } tenant { roles(first: 1) { nodes { key } } } } } }"""
    reply = await agent.ask(counted, {"m": world.caller.member})
    assert reply.codes == ["FORBIDDEN"]
    assert reply.errors[0]["extensions"]["permission"] == "member:read"
    found = reply.body["data"]["explainAccess"]["member"]
    assert (found["roles"], len(found["tenant"]["roles"]["nodes"])) == ([{"memberCount": None}], 1)
    listed = """query($m: ID!) { explainAccess(memberId: $m, permission: "a:b") {
        member { tenant { members(first: 1) { totalCount } } } } }"""
    reply = await agent.ask(listed, {"m": world.caller.member})
    assert (reply.codes, reply.body["data"]) == (["FORBIDDEN"], None)
    unbounded = listed.replace("(first: 1)", "")
    owner = product.as_(world.owner)
    assert (await owner.ask(unbounded, {"m": world.owner.member})).codes == ["BAD_USER_INPUT"]
    several = " ".join(f"m{each}: members(first: 100) {{ totalCount nodes {{ tenant {{ members(first: 100)"
                       f" {{ nodes {{ id }} }} }} }} }}" for each in range(2))  # fmt: skip
    costly = listed.replace("members(first: 1) { totalCount }", several)
    assert (await owner.ask(costly, {"m": world.owner.member})).codes == ["QUERY_TOO_COMPLEX"]
