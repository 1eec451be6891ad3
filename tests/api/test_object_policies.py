"""The blueprints' rules about objects, at work on the real wire: who sees, changes and runs what."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta

import pytest

from tests.support.api import Product, Reply, Speaker
from tests.support.factories import make_member, make_tenant, sign_in, signed_in
from tests.support.objects import ACT, CREATE, DELETE, LIST, ONE, UPDATE, make, names, under
from tests.support.refusals import snapshot
from tests.support.world import World

SHOWN = """{ tenant { resources(type: "call", first: 9) { nodes { name actions { name allowed } } } } }"""
NEWEST = "SELECT node_id FROM resource WHERE tenant_id = $1 AND name = 'New'"


@contextmanager
def on_monday(product: Product, hour: int) -> Iterator[None]:
    """As if it were that hour, in UTC, of the Monday after today."""
    today = product.clock.now
    monday = today.date() + timedelta(days=7 - today.weekday())
    product.clock.now = datetime.combine(monday, time(hour), UTC)
    yield
    product.clock.now = today


async def world_of(product: Product, blueprint: str, owner: str = "owner") -> World:
    """A tenant of this blueprint, and whoever owns it."""
    tenant = await make_tenant(product.database, blueprint)
    return World(product, tenant, await signed_in(product.database, tenant, owner))


def forbidden(reply: Reply, permission: str) -> bool:
    """Whether just this permission was missing."""
    return reply.codes == ["FORBIDDEN"] and reply.errors[0]["extensions"]["permission"] == permission


async def create(speaker: Speaker, kind: str) -> Reply:
    return await speaker.ask(CREATE, {"input": {"type": kind, "name": "New"}})


async def update(speaker: Speaker, resource: str, **changes: object) -> Reply:
    return await speaker.ask(UPDATE, {"input": {"resourceId": resource, **changes}})


async def monitor(speaker: Speaker, call: str) -> Reply:
    return await speaker.ask(ACT, {"id": call, "action": "monitor"})


async def rerun(speaker: Speaker, call: str) -> Reply:
    return await speaker.ask(ACT, {"id": call, "action": "rerunAnalysis"})


@pytest.mark.requirement("004-19")
async def test_whoever_may_update_a_call_reruns_its_analysis(product: Product) -> None:
    world = await world_of(product, "abac-suite")
    owner = product.as_(world.owner)
    call = await make(owner, "Call")
    reply = await rerun(owner, call)
    assert reply.data["resourceAct"] == {"action": "rerunAnalysis", "resource": {"id": call}}
    assert [record["outcome"] for record in await product.trail(reply)] == ["OK"]
    others = [await world.enter(role) for role in ("observer", "administrator", "note_editor")]
    elsewhere = await world_of(product, "abac-suite")
    before = await snapshot(product.database)
    for speaker in others:
        reply = await rerun(speaker, call)
        assert forbidden(reply, "Call:Instance:Update")
        assert [record["outcome"] for record in await product.trail(reply)] == ["REFUSED"]
    assert (await rerun(product.anonymous, call)).codes == ["UNAUTHENTICATED"]
    assert (await rerun(product.as_(elsewhere.owner), call)).codes == ["NOT_FOUND"]
    assert await snapshot(product.database) == before


@pytest.mark.requirement("004-19", "004-21")
async def test_an_analyst_sees_edits_and_reruns_by_attributes(product: Product) -> None:
    world = await world_of(product, "abac-suite")
    member = await make_member(product.database, world.tenant, "call_analyst")
    carla = await sign_in(product.database, member, lifetime=30 * 86_400)
    owner, analyst = product.as_(world.owner), product.as_(carla)
    calls = {
        "Open": await make(owner, "Call", "Open", confidential=False),
        "Secret": await make(owner, "Call", "Secret", confidential=True),
        "Mine": await make(analyst, "Call", "Mine", confidential=True),
    }
    # The resource and the subject: what is not confidential, and one's own.
    assert await names(analyst, "Call") == ["Mine", "Open"]
    assert (await analyst.ask(ONE, {"id": calls["Secret"]})).codes == ["NOT_FOUND"]
    # The environment: others' calls at working hours only.
    for hour, mine in ((8, {"Mine", "Open"}), (20, {"Mine"})):
        with on_monday(product, hour):
            then = product.as_(carla)
            replies = {name: await rerun(then, call) for name, call in calls.items()}
            before = await snapshot(product.database)
            edited = await update(then, calls["Open"], name="Open")
        assert {name for name, reply in replies.items() if not reply.errors} == mine
        assert all(forbidden(replies[name], "Call:Instance:Update") for name in calls.keys() - mine)
        assert forbidden(edited, "Call:Instance:Update") is ("Open" not in mine)
    assert await snapshot(product.database) == before


@pytest.mark.requirement("004-21")
async def test_an_analyst_deletes_their_own_calls_with_a_fresh_factor(product: Product) -> None:
    world = await world_of(product, "abac-suite")
    carla = await signed_in(product.database, world.tenant, "call_analyst")
    analyst = product.as_(carla)
    mine, theirs = await make(analyst, "Call"), await make(product.as_(world.owner), "Call")
    before = await snapshot(product.database)
    assert forbidden(await analyst.ask(DELETE, {"id": mine}), "Call:Instance:Delete")
    assert await snapshot(product.database) == before
    await world.prove(carla)
    assert forbidden(await analyst.ask(DELETE, {"id": theirs}), "Call:Instance:Delete")
    assert (await analyst.query(DELETE, id=mine))["resourceDelete"] == {"resourceId": mine}


@pytest.mark.requirement("004-20")
async def test_notes_are_their_writers_or_everybodys_by_permission(product: Product) -> None:
    world = await world_of(product, "abac-suite")
    nora, nils = await world.enter("note_writer"), await world.enter("note_writer")
    editor, observer = await world.enter("note_editor"), await world.enter("observer")
    noras, nilss = await make(nora, "ContactNote", "Nora's"), await make(nils, "ContactNote", "Nils's")
    # A list is filtered by what one may see of it, and refused to who may see none ever.
    assert await names(nora, "ContactNote") == ["Nora's"]
    assert await names(nils, "ContactNote") == ["Nils's"]
    assert await names(editor, "ContactNote") == ["Nils's", "Nora's"]
    assert forbidden(await observer.ask(LIST, {"type": "ContactNote"}), "ContactNote:Instance:View")
    before = await snapshot(product.database)
    assert (await nora.ask(ONE, {"id": nilss})).codes == ["NOT_FOUND"]
    for speaker in (nora, observer):
        assert forbidden(await update(speaker, nilss, name="x"), "ContactNote:Instance:Update")
        assert forbidden(await speaker.ask(DELETE, {"id": nilss}), "ContactNote:Instance:Delete")
    assert await snapshot(product.database) == before
    assert (await update(nora, noras, name="Nora's own")).errors == []
    assert (await update(editor, nilss, name="Edited")).errors == []
    assert await names(editor, "ContactNote") == ["Edited", "Nora's own"]
    assert (await nora.ask(DELETE, {"id": noras})).errors == []
    assert (await editor.ask(DELETE, {"id": nilss})).errors == []
    assert await names(editor, "ContactNote") == []


@pytest.mark.requirement("002-16")
async def test_a_viewer_neither_changes_nor_calculates(product: Product) -> None:
    world = await world_of(product, "research-workspace", "ADMIN")
    member, viewer = await world.enter("MEMBER"), await world.enter("VIEWER")
    project, analysis = await make(member, "project", "Apollo"), await make(member, "analysis", "Why")
    assert await names(viewer, "project") == ["Apollo"]
    assert await names(viewer, "analysis") == ["Why"]
    before = await snapshot(product.database)
    for reply, permission in (
        (await create(viewer, "project"), "project:create"),
        (await create(viewer, "analysis"), "analysis:run"),
        (await create(viewer, "report"), "report:generate"),
        (await create(viewer, "research_log"), "log:keep"),
        (await update(viewer, project, name="x"), "project:update"),
        (await viewer.ask(DELETE, {"id": project}), "project:delete"),
        (await viewer.ask(ACT, {"id": project, "action": "calculate"}), "analysis:run"),
        (await viewer.ask(ACT, {"id": analysis, "action": "rerun"}), "analysis:run"),
    ):
        assert forbidden(reply, permission)
    assert await snapshot(product.database) == before
    assert (await member.query(ACT, id=project, action="calculate"))["resourceAct"]["action"] == "calculate"
    assert (await member.query(ACT, id=analysis, action="rerun"))["resourceAct"]["action"] == "rerun"


@pytest.mark.requirement("000-11")
@pytest.mark.parametrize("kind", ["ai_model", "prompt_template", "asr_configuration"])
async def test_what_the_machines_run_on_is_each_tenants_own(product: Product, kind: str) -> None:
    here, there = [await world_of(product, "contact-center") for _ in range(2)]
    ours, theirs = product.as_(here.owner), product.as_(there.owner)
    mine, foreign = await make(ours, kind, "Ours"), await make(theirs, kind, "Theirs")
    agent = await here.enter("agent")
    seen = [await names(speaker, kind) for speaker in (ours, agent, theirs)]
    assert seen == [["Ours"], ["Ours"], ["Theirs"]]
    before = await snapshot(product.database)
    for speaker in (ours, agent):
        for document in (ONE, DELETE):
            assert (await speaker.ask(document, {"id": foreign})).codes == ["NOT_FOUND"]
        assert (await update(speaker, foreign, name="x")).codes == ["NOT_FOUND"]
    assert (await update(agent, mine, name="x")).codes == ["FORBIDDEN"]
    assert await snapshot(product.database) == before


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("own", ["New"]),
        ("not own", ["Early", "Long", "Short"]),
        ("resource.attributes.seconds <= 60", ["Early", "Short"]),
        ("not resource.attributes.seconds <= 60", ["Long", "New"]),
        ("resource.attributes.seconds in [30, 300]", ["Long", "Short"]),
        ("resource.attributes.vip == True", ["Short"]),
        # Equal to the one before in Python's eyes: no plan may serve for both.
        ("resource.attributes.vip == 1", ["Long"]),
        ("'hot' in resource.attributes.tags", ["Early"]),
        ("resource.attributes.cost == 0.1 and resource.state == 'active'", ["Early"]),
        ("subject.email in resource.attributes.tags or own", ["New"]),
        ("environment.hour < 24 and tenant.plan != 'x' or resource.type == 'x'", []),
        ("environment.ip in ['127.0.0.0/8'] and resource.attributes.seconds > 60", ["Long"]),
    ],
)
@pytest.mark.requirement("004-21")
async def test_what_is_listed_can_be_acted_on_under_the_same_condition(
    product: Product, condition: str, met: list[str]
) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    calls = {
        "Early": await make(owner, "call", "Early", seconds=0, tags=["hot"], cost=0.1),
        "Short": await make(owner, "call", "Short", seconds=30, vip=True, tags="hot"),
        "Long": await make(owner, "call", "Long", seconds=300, vip=1, tags=[1]),
    }
    grants = [f"call:read when {condition}", f"call:monitor when {condition}"]
    role = await world.role_with("call:originate")
    clerk = product.as_(await under(world, role, *grants))
    # Whoever makes one that they may not see is not shown it.
    made = (await create(clerk, "call")).data["resourceCreate"]["resource"]
    assert (made is not None) is ("New" in met)
    calls["New"] = str(await product.database.value(NEWEST, world.tenant.id))
    assert await names(clerk, "call") == met
    shown = (await clerk.query(SHOWN))["tenant"]["resources"]["nodes"]
    allowed = [{action["name"] for action in node["actions"] if action["allowed"]} for node in shown]
    assert allowed == [{"monitor"}] * len(met)
    acted = {name for name, call in calls.items() if not (await monitor(clerk, call)).errors}
    assert acted == set(met)
