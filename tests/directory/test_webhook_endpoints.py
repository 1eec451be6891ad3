"""What can be done with webhooks, what is refused, and that a rollback announces nothing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from tenantry.directory.webhooks import resealing
from tenantry.directory.webhooks.errors import TooManyWebhooks
from tenantry.directory.webhooks.models import WebhookEndpoint
from tenantry.directory.webhooks.service import create, delete, publish, replay, rotate_secret, update
from tenantry.kernel.errors import BadUserInput, Conflict, NotFound
from tenantry.kernel.events import Event
from tenantry.tokens.errors import SealBroken
from tests.support.database import TemporaryDatabase
from tests.support.hooks import RECEIVER, make_dead_delivery, make_webhook
from tests.support.post_office import PostOffice, post_office, sealing
from tests.support.refusals import expect_refusal


@pytest_asyncio.fixture
async def office(database: TemporaryDatabase) -> AsyncIterator[PostOffice]:
    """A tenant of its own."""
    async with post_office(database) as made:
        yield made


async def row_of(office: PostOffice, endpoint: WebhookEndpoint) -> dict[str, object]:
    (row,) = await office.database.seen_by_owner(
        "SELECT url, description, events, enabled FROM webhook_endpoint WHERE id = $1", endpoint.id
    )
    return dict(row)


async def secrets_of(office: PostOffice, endpoint: WebhookEndpoint) -> list[tuple[str, object]]:
    """Under which key each is sealed and when it ends, the oldest first."""
    rows = await office.database.seen_by_owner(
        "SELECT key_id, ends_at FROM webhook_secret WHERE endpoint_id = $1 ORDER BY created_at, id",
        endpoint.id,
    )
    return [(row["key_id"], row["ends_at"]) for row in rows]


async def test_an_endpoint_is_made_with_a_secret_that_is_stored_sealed(office: PostOffice) -> None:
    async with office.database.writing(office.owner) as work:
        made = await create(
            work,
            url=RECEIVER,
            description=" For the\nCRM ",
            events=["resource.deleted", "member.removed", "resource.deleted"],
            keys=office.keys,
            clock=office.clock,
        )
        assert [action.name for action in work.actions] == ["webhook.create"]
        assert [action.targets for action in work.actions] == [(made.endpoint.node_id,)]
    assert await row_of(office, made.endpoint) == {
        "url": RECEIVER,
        "description": "For the\nCRM",
        "events": ["member.removed", "resource.deleted"],
        "enabled": True,
    }
    assert made.endpoint.node_id.startswith("W_")
    assert made.text.startswith("whsec_")
    assert made.text not in repr(made)
    (box,) = await office.database.seen_by_owner(
        "SELECT box FROM webhook_secret WHERE endpoint_id = $1", made.endpoint.id
    )
    assert made.text.removeprefix("whsec_").encode() not in box["box"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"events": ["resource.created", "resource.exploded"]}, "events.1"),
        ({"description": "x" * 201}, "description"),
        ({"description": "a\x00b"}, "description"),
    ],
)
async def test_input_that_cannot_be_taken_is_named(
    office: PostOffice, given: dict[str, object], field: str
) -> None:
    made = await office.webhook(RECEIVER)
    whole: dict[str, object] = {"url": RECEIVER, "description": "", "events": [], **given}
    database, owner = office.database, office.owner
    async with expect_refusal(database, BadUserInput) as caught, database.writing(owner) as work:
        await create(work, **whole, keys=office.keys, clock=office.clock)
    assert list(caught.value.fields) == [field]
    async with expect_refusal(database, BadUserInput), database.writing(owner) as work:
        await update(work, made.endpoint.node_id, **given)


async def test_a_tenant_has_twenty_at_most_however_many_ask_at_once(office: PostOffice) -> None:
    for _ in range(18):
        await office.webhook(RECEIVER)
    made = await asyncio.gather(*(office.webhook(RECEIVER) for _ in range(6)), return_exceptions=True)
    refused = [each for each in made if isinstance(each, TooManyWebhooks)]
    assert len(refused) == 4
    assert refused[0].most == 20
    count = "SELECT count(*) FROM webhook_endpoint WHERE tenant_id = $1"
    assert await office.database.value(count, office.tenant.id) == 20


async def test_what_is_given_is_changed_and_the_rest_stays(office: PostOffice) -> None:
    made = await office.webhook(RECEIVER, "member.removed")
    async with office.database.writing(office.owner) as work:
        await update(work, made.endpoint.node_id, url="https://other.example/", enabled=False)
        assert [action.name for action in work.actions] == ["webhook.update"]
    assert await row_of(office, made.endpoint) == {
        "url": "https://other.example/",
        "description": "",
        "events": ["member.removed"],
        "enabled": False,
    }
    async with office.database.writing(office.owner) as work:
        await update(work, made.endpoint.node_id, description="Ours", events=[])
    changed = await row_of(office, made.endpoint)
    assert (changed["url"], changed["description"], changed["events"]) == (
        "https://other.example/",
        "Ours",
        [],
    )


async def test_with_an_endpoint_go_its_secrets_and_what_is_on_its_way(office: PostOffice) -> None:
    made = await office.webhook(RECEIVER)
    await office.tell()
    async with office.database.writing(office.owner) as work:
        await delete(work, made.endpoint.node_id)
        assert [action.name for action in work.actions] == ["webhook.delete"]
    for table in ("webhook_endpoint", "webhook_secret", "webhook_delivery"):
        count = f"SELECT count(*) FROM {table} WHERE tenant_id = $1"  # noqa: S608
        assert await office.database.value(count, office.tenant.id) == 0


async def test_another_tenants_webhook_is_not_there(office: PostOffice) -> None:
    made = await office.webhook(RECEIVER)
    dead = await make_dead_delivery(office.database, office.owner, made)
    node = made.endpoint.node_id
    async with post_office(office.database) as other:
        for attempt in (
            lambda work: update(work, node, enabled=False),
            lambda work: delete(work, node),
            lambda work: rotate_secret(work, node, keys=other.keys, clock=other.clock),
            lambda work: replay(work, dead, clock=other.clock),
        ):
            async with expect_refusal(office.database, NotFound), other.database.writing(other.owner) as work:
                await attempt(work)


async def test_five_secrets_sign_at_most_and_the_ended_make_room(office: PostOffice) -> None:
    made = await office.webhook(RECEIVER)
    for _ in range(4):
        office.clock.forward(60)
        async with office.database.writing(office.owner) as work:
            await rotate_secret(work, made.endpoint.node_id, keys=office.keys, clock=office.clock)
            assert [action.name for action in work.actions] == ["webhook.secret_rotate"]
    async with expect_refusal(office.database, Conflict), office.database.writing(office.owner) as work:
        await rotate_secret(work, made.endpoint.node_id, keys=office.keys, clock=office.clock)
    ends = [end for _, end in await secrets_of(office, made.endpoint)]
    began = office.clock() - timedelta(seconds=180)
    assert ends == [began + timedelta(seconds=60 * place, hours=24) for place in range(4)] + [None]
    office.clock.forward(86_400)
    async with office.database.writing(office.owner) as work:
        await rotate_secret(work, made.endpoint.node_id, keys=office.keys, clock=office.clock)
    assert len(await secrets_of(office, made.endpoint)) == 2


async def test_what_is_on_its_way_is_not_replayed(office: PostOffice) -> None:
    await office.webhook(RECEIVER)
    await office.tell()
    row = (await office.rows())[-1]
    async with expect_refusal(office.database, Conflict), office.database.writing(office.owner) as work:
        await replay(work, row["node_id"], clock=office.clock)


async def test_what_is_rolled_back_is_not_told(office: PostOffice) -> None:
    await office.webhook(RECEIVER)
    before = await office.rows()
    async with expect_refusal(office.database, Conflict), office.database.writing(office.owner) as work:
        work.announce(Event.MEMBER_REMOVED, member="M_1")
        await publish(work, clock=office.clock)
        await work.session.flush()
        written = "SELECT count(*) FROM webhook_delivery WHERE tenant_id = $1"
        assert (await work.fetch(written, office.tenant.id))[0]["count"] == 1
        raise Conflict("someone else was first")
    assert await office.rows() == before


async def test_where_nobody_listens_or_nothing_is_said_nothing_is_written(office: PostOffice) -> None:
    before = await office.rows()
    await office.tell()
    await office.webhook(RECEIVER, "member.removed")
    await office.tell(Event.RESOURCE_UPDATED)
    async with office.database.writing(office.owner) as work:
        await publish(work, clock=office.clock)
    assert await office.rows() == before


async def test_several_events_of_one_change_are_told_each_under_its_own_id(office: PostOffice) -> None:
    first, second = await office.webhook(RECEIVER), await office.webhook(RECEIVER, "member.removed")
    async with office.database.writing(office.owner) as work:
        work.announce(Event.MEMBER_REMOVED, member="M_1")
        work.announce(Event.MEMBER_ROLES_CHANGED, member="M_2")
        await publish(work, clock=office.clock)
    rows = [row for row in await office.rows() if row["tenant_id"] == office.tenant.id]
    told = sorted((row["event"], row["endpoint_id"] == first.endpoint.id) for row in rows)
    assert told == [("member.removed", False), ("member.removed", True), ("member.roles_changed", True)]
    ids = {row["message_id"] for row in rows}
    assert len(ids) == 2
    assert len({row["body"] for row in rows if row["event"] == "member.removed"}) == 1
    assert {row["endpoint_id"] for row in rows} == {first.endpoint.id, second.endpoint.id}


async def test_secrets_are_sealed_anew_in_every_tenant_and_go_on_opening(office: PostOffice) -> None:
    old, both = sealing("old"), sealing("new", "old")
    mine = await make_webhook(office.database, office.owner, old)
    async with post_office(office.database) as other:
        theirs = await make_webhook(other.database, other.owner, old)
    assert await resealing.sealed_under(office.database, "old") == 2
    with pytest.raises(SealBroken):
        await resealing.reseal(office.database, sealing("new"))
    only = sealing("new", "old", "k")
    assert await resealing.reseal(office.database, only) >= 2
    assert await resealing.reseal(office.database, only) == 0
    assert await resealing.sealed_under(office.database, "old") == 0
    for each in (mine, theirs):
        (row,) = await office.database.seen_by_owner(
            "SELECT tenant_id, key_id, box FROM webhook_secret WHERE endpoint_id = $1", each.endpoint.id
        )
        assert row["key_id"] == "new"
        context = row["tenant_id"].bytes + each.endpoint.id.bytes
        opened = both.open("new", row["box"], context=context)
        assert len(opened) == 32
        with pytest.raises(SealBroken):
            both.open("new", row["box"], context=row["tenant_id"].bytes + bytes(16))
