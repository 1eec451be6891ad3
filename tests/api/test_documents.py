"""Several mutations in one document, one after another; and what nobody foresaw."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.api import LOGIN, Product
from tests.support.factories import make_member, make_tenant, sign_in
from tests.support.refusals import snapshot
from tests.support.world import World

SECRET = "the inside of the database"


@asynccontextmanager
async def breaking(product: Product, slug: str) -> AsyncIterator[None]:
    """The database fails in a way that nobody foresaw when that tenant is written."""
    await product.database.seen_by_owner(
        f"CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{SECRET}'; END $$"
    )
    await product.database.seen_by_owner(
        f"CREATE TRIGGER fails BEFORE UPDATE ON tenant FOR EACH ROW WHEN (OLD.slug = '{slug}')"
        " EXECUTE FUNCTION fails()"
    )
    try:
        yield
    finally:
        await product.database.seen_by_owner("DROP FUNCTION fails() CASCADE")


async def test_mutations_run_in_order_each_in_its_transaction(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    reply = await owner.ask(
        """mutation Two($m: ID!) {
            first: memberUpdate(input: {memberId: $m, name: "One"}) { member { name } }
            second: memberUpdate(input: {memberId: $m, name: "Two"}) { member { name } }
            __typename }""",
        {"m": world.owner.member},
    )
    assert list(reply.data) == ["first", "second", "__typename"]
    assert reply.data["first"]["member"]["name"] == "One"
    assert reply.data["second"]["member"]["name"] == "Two"
    records = await product.trail(reply)
    assert [record["operation_name"] for record in records] == ["Two", "Two"]
    assert len({record["xid"] for record in records}) == 2


async def test_the_first_that_fails_is_the_last_that_runs(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    agent = await make_member(product.database, world.tenant, "agent", name="Before")
    reply = await owner.ask(
        """mutation($m: ID!) {
            a: memberUpdate(input: {memberId: $m, name: "Done"}) { member { name } }
            b: memberRemove(input: {memberId: "M_nobody"}) { __typename }
            c: memberRemove(input: {memberId: $m}) { __typename } }""",
        {"m": agent.node_id},
    )
    assert reply.body["data"] is None
    assert [(error["extensions"]["code"], error["path"]) for error in reply.errors] == [("NOT_FOUND", ["b"])]
    (row,) = await product.database.seen_by_owner("SELECT name FROM member WHERE id = $1", agent.id)
    assert row["name"] == "Done"
    records = await product.trail(reply)
    assert [(record["root_field"], record["outcome"]) for record in records] == [
        ("memberUpdate", "OK"),
        ("memberRemove", "REFUSED"),
    ]


async def test_one_refused_field_stops_them_all(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await make_member(product.database, world.tenant, "agent", name="Before")
    before = await snapshot(product.database)
    reply = await admin.ask(
        """mutation($m: ID!) {
            memberUpdate(input: {memberId: $m, name: "Done"}) { member { name } }
            ownershipTransfer(input: {memberId: $m}) { __typename } }""",
        {"m": agent.node_id},
    )
    assert reply.codes == ["FORBIDDEN"]
    assert await snapshot(product.database) == before
    assert [record["outcome"] for record in await product.trail(reply)] == ["REFUSED", "REFUSED"]


async def test_an_answer_one_may_not_see_is_refused_before_anything_is_done(product: Product) -> None:
    world = await World.make(product)
    updates = await world.enter_with("user:update")
    agent = await make_member(product.database, world.tenant, await world.role_with())
    before = await snapshot(product.database)
    document = "mutation($m: ID!) { memberSuspend(input: {memberId: $m}) { __typename %s } }"
    inside = "... on MemberSuspendedNow { member { email } }"
    reply = await updates.ask(document % inside, {"m": agent.node_id})
    assert reply.codes == ["FORBIDDEN"]
    assert reply.errors[0]["extensions"]["permission"] == "member:read"
    assert await snapshot(product.database) == before
    assert (await updates.ask(document % "", {"m": agent.node_id})).errors == []


async def test_what_follows_a_change_of_tenant_is_not_done_there(product: Product) -> None:
    """An owner here and an agent there: permission of here is no permission there."""
    here, there = await World.make(product), await World.make(product)
    email = await product.database.value("SELECT email FROM member WHERE id = $1", here.owner.member_id)
    await make_member(product.database, there.tenant, "agent", email=str(email))
    victim = await there.powerless_member()
    before = await product.database.seen_by_owner("SELECT * FROM member WHERE id = $1", victim.id)
    switching = """mutation($t: ID!, $v: ID!) {
        tenantSwitch(input: {tenantId: $t}) { __typename }
        memberRemove(input: {memberId: $v}) { __typename } }"""
    reply = await product.as_(here.owner).ask(switching, {"t": there.tenant.node_id, "v": victim.node_id})
    assert reply.codes == ["NOT_FOUND"]
    logging_in = """mutation($login: LoginInput!, $v: ID!) {
        login(input: $login) { __typename }
        memberRemove(input: {memberId: $v}) { __typename } }"""
    login = product.login_input(str(email), tenantId=there.tenant.node_id)
    reply = await product.as_(here.owner).ask(logging_in, {"login": login, "v": victim.node_id})
    assert reply.codes == ["NOT_FOUND"]
    assert await product.database.seen_by_owner("SELECT * FROM member WHERE id = $1", victim.id) == before


async def test_a_login_is_its_own_whatever_token_comes_along(product: Product) -> None:
    world = await World.make(product)
    other = await make_member(product.database, await make_tenant(product.database), "agent")
    reply = await product.as_(world.owner).ask(LOGIN, {"input": product.login_input(other.email)})
    assert reply.data["login"]["viewer"]["user"]["email"] == other.email
    assert reply.body["extensions"]["authority"]["tenantId"] == reply.data["login"]["viewer"]["tenant"]["id"]
    (record,) = await product.trail(reply)
    assert record["actor_id"] == reply.data["login"]["viewer"]["user"]["id"]
    assert (record["actor_role"], record["tenant_id"]) == ("agent", other.tenant_id)


async def test_the_unforeseen_is_masked_rolled_back_and_logged_under_its_id(
    product: Product, log: io.StringIO
) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    before = await snapshot(product.database)
    async with breaking(product, world.tenant.slug):
        reply = await owner.ask('mutation { tenantUpdate(input: {name: "New"}) { tenant { name } } }')
    assert reply.codes == ["INTERNAL"]
    assert reply.errors[0]["path"] == ["tenantUpdate"]
    assert SECRET not in reply.text
    correlation = reply.errors[0]["extensions"]["correlationId"]
    assert correlation == reply.request_id
    lines = [line for line in log.getvalue().splitlines() if correlation in line]
    assert any(SECRET in line for line in lines)
    (record,) = await product.trail(reply)
    assert (record["outcome"], record["code"]) == ("FAILED", "INTERNAL")
    assert await snapshot(product.database) == before
    assert (await owner.ask("{ tenant { name } }")).status == 200


async def test_a_mailer_that_breaks_does_not_make_a_failure_of_what_is_committed(
    product: Product, log: io.StringIO
) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    await world.fill("<invitation>")
    product.mail.failure = LookupError(SECRET)
    try:
        reply = await owner.ask(
            "mutation($i: ID!) { invitationResend(input: {invitationId: $i}) { __typename } }",
            {"i": world.made["invitation"]},
        )
    finally:
        product.mail.failure = None
    assert reply.data["invitationResend"]["__typename"] == "InvitationResent"
    assert [record["outcome"] for record in await product.trail(reply)] == ["OK"]
    assert "LookupError" in log.getvalue()
    assert SECRET not in log.getvalue()


async def test_two_sessions_of_one_member_see_one_another_s_writes(product: Product) -> None:
    world = await World.make(product)
    member = await make_member(product.database, world.tenant, "admin")
    one = product.as_(await sign_in(product.database, member))
    two = product.as_(await sign_in(product.database, member))
    update = 'mutation { tenantUpdate(input: {name: "Seen"}) { tenant { name } } }'
    assert (await one.query(update))["tenantUpdate"]["tenant"]["name"] == "Seen"
    assert (await two.query("{ tenant { name } }"))["tenant"]["name"] == "Seen"
