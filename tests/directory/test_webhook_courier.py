"""Carrying deliveries: signed, again after a failure until it is too late, by one courier at a time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest_asyncio

from tenantry.directory.webhooks.courier import spread
from tenantry.directory.webhooks.service import replay, rotate_secret, update
from tenantry.kernel.events import Event
from tests.support.database import DatabaseServer
from tests.support.factories import make_tenant, signed_in
from tests.support.hooks import make_webhook
from tests.support.post_office import PostOffice, post_office, resolving, sealing
from tests.support.receiver import Receiver, receiver

# By Standard Webhooks: at once, after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
WAITS = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]


@pytest_asyncio.fixture
async def office(database_server: DatabaseServer) -> AsyncIterator[PostOffice]:
    """A database of the test's own: a courier takes what is due of all tenants."""
    database = await database_server.create()
    async with post_office(database) as made:
        yield made
    await database_server.drop(database)


@pytest_asyncio.fixture
async def there() -> AsyncIterator[Receiver]:
    """Where it is sent."""
    async with receiver() as made:
        yield made


async def test_what_has_happened_arrives_signed_once(office: PostOffice, there: Receiver) -> None:
    made = await office.webhook(there.url)
    await office.tell(Event.RESOURCE_CREATED, resource="O_1", resourceType="call", state="open")
    assert await office.deliver() == 1
    assert await office.deliver() == 0
    (request,) = there.received
    assert request.path == "/hook"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "Tenantry"
    assert request.headers["webhook-timestamp"] == str(int(office.clock().timestamp()))
    assert request.message_id.startswith("msg_")
    assert request.verified_by(made.text)
    said = request.json
    assert datetime.fromisoformat(said.pop("timestamp")) == office.clock()
    assert said == {
        "type": "resource.created",
        "data": {
            "tenant": office.tenant.node_id,
            "actor": office.owner.member,
            "resource": "O_1",
            "resourceType": "call",
            "state": "open",
        },
    }
    row = await office.row()
    assert (row["state"], row["attempts"], row["last_status"]) == ("DELIVERED", 1, 204)
    assert row["next_attempt_at"] is row["last_error"] is None


async def test_each_endpoint_is_told_of_what_it_has_asked_for(office: PostOffice, there: Receiver) -> None:
    all_of_it, some, switched_off = [
        await office.webhook(there.url, *each) for each in ((), ["member.removed"], ())
    ]
    async with office.database.writing(office.owner) as work:
        await update(work, switched_off.endpoint.node_id, enabled=False)
    await office.tell(Event.RESOURCE_DELETED)
    await office.tell(Event.MEMBER_REMOVED)
    assert await office.deliver() == 3
    told = [(request.json["type"], request.verified_by(some.text)) for request in there.received]
    assert sorted(told) == [
        ("member.removed", False),
        ("member.removed", True),
        ("resource.deleted", False),
    ]
    of_all = [request for request in there.received if request.verified_by(all_of_it.text)]
    assert len(of_all) == 2
    assert len({request.message_id for request in there.received}) == 2


async def test_a_failure_is_tried_again_by_the_schedule_and_given_up_in_the_end(
    office: PostOffice, there: Receiver
) -> None:
    made = await office.webhook(there.url)
    await office.tell()
    there.statuses += [500, 404, 302, 503, 429, 400, 401, 502, 301, 500]
    for wait in WAITS:
        assert await office.deliver() == 1
        assert (await office.row())["state"] == "PENDING"
        assert await office.waits() == timedelta(seconds=wait)
        office.clock.forward(wait - 1)
        assert await office.deliver() == 0
        office.clock.forward(1)
    assert await office.deliver() == 1
    row = await office.row()
    assert (row["state"], row["attempts"], row["last_status"]) == ("DEAD", 10, 500)
    office.clock.forward(10 * 86_400)
    assert await office.deliver() == 0
    assert len({request.message_id for request in there.received}) == 1
    assert len({request.body for request in there.received}) == 1
    assert len({request.headers["webhook-timestamp"] for request in there.received}) == 10
    assert all(request.verified_by(made.text) for request in there.received)


async def test_what_was_given_up_is_replayed_and_arrives_under_its_old_id(
    office: PostOffice, there: Receiver
) -> None:
    await office.webhook(there.url)
    await office.tell()
    there.statuses += [410]
    await office.deliver()
    row = await office.row()
    assert (row["state"], row["attempts"], row["last_status"]) == ("DEAD", 1, 410)
    (endpoint,) = await office.database.seen_by_owner("SELECT node_id, enabled FROM webhook_endpoint")
    assert endpoint["enabled"] is False
    async with office.database.writing(office.owner) as work:
        await replay(work, row["node_id"], clock=office.clock)
    assert await office.deliver() == 0
    async with office.database.writing(office.owner) as work:
        await update(work, endpoint["node_id"], enabled=True)
    assert await office.deliver() == 1
    row = await office.row()
    assert (row["state"], row["attempts"], row["last_status"]) == ("DELIVERED", 1, 204)
    first, second = there.received
    assert (first.message_id, first.body) == (second.message_id, second.body)


async def test_whoever_answers_410_is_told_no_more_and_that_is_on_record_once(
    office: PostOffice, there: Receiver
) -> None:
    made = await office.webhook(there.url)
    for _ in range(2):
        await office.tell()
    there.statuses += [410, 410]
    assert await office.deliver() == 2
    await office.tell()
    assert await office.deliver() == 0
    assert [row["state"] for row in await office.rows()] == ["DEAD", "DEAD"]
    (record,) = await office.database.seen_by_owner(
        "SELECT * FROM audit_record WHERE action = 'webhook.disable'"
    )
    assert (record["tenant_id"], record["tenant"]) == (office.tenant.id, office.tenant.node_id)
    assert (record["actor_kind"], record["outcome"]) == ("SYSTEM", "OK")
    assert record["targets"][0] == made.endpoint.node_id


async def test_two_couriers_never_have_the_same_delivery(office: PostOffice, there: Receiver) -> None:
    urls = [await office.webhook(f"{there.url}/{number}") for number in range(8)]
    for _ in range(4):
        await office.tell()
    couriers = [office.courier() for _ in range(6)]
    leases = await asyncio.gather(*(courier.lease(7) for courier in couriers))
    leased = [due.delivery_id for lease in leases for due in lease]
    assert len(leased) == len(set(leased)) == 4 * len(urls)
    sent = (courier.send(due) for courier, lease in zip(couriers, leases, strict=True) for due in lease)
    await asyncio.gather(*sent)
    assert {row["state"] for row in await office.rows()} == {"DELIVERED"}
    assert len(there.received) == 4 * len(urls)


async def test_what_a_dead_courier_held_is_sent_again_under_the_same_id(
    office: PostOffice, there: Receiver
) -> None:
    await office.webhook(there.url)
    await office.tell()
    there.answering.clear()
    task = asyncio.create_task(office.deliver(office.courier(timeout=30)))
    await there.until(1)
    task.cancel()
    there.answering.set()
    assert await office.deliver() == 0
    office.clock.forward(59)
    assert await office.deliver() == 0
    office.clock.forward(1)
    assert await office.deliver() == 1
    first, second = there.received
    assert first.message_id == second.message_id
    row = await office.row()
    assert (row["state"], row["attempts"]) == ("DELIVERED", 2)


async def test_who_comes_back_after_the_lease_changes_nothing(office: PostOffice, there: Receiver) -> None:
    await office.webhook(there.url)
    await office.tell()
    slow, quick = office.courier(), office.courier()
    (late,) = await slow.lease(1)
    office.clock.forward(60)
    assert await office.deliver(quick) == 1
    there.statuses += [410]
    await slow.send(late)
    row = await office.row()
    assert (row["state"], row["attempts"], row["last_status"]) == ("DELIVERED", 2, 204)
    assert await office.database.value("SELECT enabled FROM webhook_endpoint") is True


async def test_a_slow_endpoint_does_not_hold_up_the_others(office: PostOffice, there: Receiver) -> None:
    slow = await office.webhook(there.url)
    for _ in range(20):
        await office.tell()
    office.clock.forward(1)
    other = await office.webhook(f"{there.url}/other")
    await office.tell()
    courier = office.courier()
    first = await courier.lease(4)
    assert [due.endpoint_node for due in first].count(other.endpoint.node_id) == 1
    more = await courier.lease(100)
    assert [due.endpoint_node for due in more] == [slow.endpoint.node_id] * 4
    assert await courier.lease(100, sending=[slow.endpoint.id] * 4) == []
    assert len(await courier.lease(100, sending=[slow.endpoint.id] * 3)) == 1


async def test_who_is_sent_least_comes_first_however_long_others_have_waited(
    office: PostOffice, there: Receiver
) -> None:
    crowded = [await office.webhook(f"{there.url}/{number}") for number in range(3)]
    for _ in range(9):
        await office.tell()
    office.clock.forward(3_600)
    quiet = await office.webhook(f"{there.url}/quiet")
    await office.tell()
    courier = office.courier()
    sending = [each.endpoint.id for each in crowded]
    (first,) = await courier.lease(1, sending=sending)
    assert first.endpoint_node == quiet.endpoint.node_id
    second = await courier.lease(3, sending=[*sending, quiet.endpoint.id])
    assert sorted(due.endpoint_node for due in second) == sorted(each.endpoint.node_id for each in crowded)


async def test_every_tenant_is_served_and_settled_within_its_wall(
    office: PostOffice, there: Receiver
) -> None:
    database = office.database
    second = await make_tenant(database)
    owner = await signed_in(database, second, "owner")
    made = await make_webhook(database, owner, office.keys, there.url, clock=office.clock)
    await office.webhook(there.url)
    await office.tell()
    async with post_office(database) as third:
        await third.webhook(there.url)
    assert await office.deliver() == 1
    assert not there.received[0].verified_by(made.text)
    (row,) = await office.rows()
    assert (row["tenant_id"], row["state"]) == (office.tenant.id, "DELIVERED")


async def test_a_replaced_secret_signs_beside_the_new_one_for_a_day(
    office: PostOffice, there: Receiver
) -> None:
    old = await office.webhook(there.url)
    async with office.database.writing(office.owner) as work:
        new = await rotate_secret(work, old.endpoint.node_id, keys=office.keys, clock=office.clock)
    assert new.text != old.text
    for seconds in (0, 86_399, 1):
        office.clock.forward(seconds)
        await office.tell()
        await office.deliver()
    both, still, alone = there.received
    assert [each.verified_by(new.text) for each in there.received] == [True, True, True]
    assert [each.verified_by(old.text) for each in there.received] == [True, True, False]
    assert [len(each.headers["webhook-signature"].split(" ")) for each in (both, still, alone)] == [2, 2, 1]


async def test_without_the_key_nothing_is_sent_and_it_is_tried_again(
    office: PostOffice, there: Receiver
) -> None:
    await office.webhook(there.url)
    await office.tell()
    assert await office.deliver(office.courier(keys=sealing("another"))) == 1
    row = await office.row()
    assert (row["state"], row["last_status"], row["last_error"]) == ("PENDING", None, "SECRET_SEALED")
    assert there.received == []
    office.clock.forward(5)
    await office.deliver()
    row = await office.row()
    assert (row["state"], row["last_status"], row["last_error"]) == ("DELIVERED", 204, None)


async def test_a_host_that_has_moved_inside_is_not_sent_to(office: PostOffice) -> None:
    await office.webhook("https://receiver.example/hook")
    await office.tell()
    await office.deliver(office.courier(allow_private=False, resolver=resolving("10.0.0.1")))
    row = await office.row()
    assert (row["state"], row["last_error"]) == ("PENDING", "ADDRESS_NOT_ALLOWED")


async def test_what_has_ended_is_kept_for_thirty_days_and_what_has_not_for_longer(
    office: PostOffice, there: Receiver
) -> None:
    await office.webhook(there.url)
    for statuses in ([204], [410], [500]):
        there.statuses += statuses
        await office.tell()
        await office.deliver()
        await office.database.seen_by_owner("UPDATE webhook_endpoint SET enabled = true")
    courier = office.courier()
    office.clock.forward(30 * 86_400)
    assert await courier.forget_old(100) == 0
    office.clock.forward(1)
    assert await courier.forget_old(1) == 1
    assert await courier.forget_old(100) == 1
    assert [row["state"] for row in await office.rows()] == ["PENDING"]


def test_waits_are_spread_a_little_and_never_shortened() -> None:
    waits = {spread(timedelta(seconds=100)).total_seconds() for _ in range(200)}
    assert min(waits) >= 100
    assert max(waits) < 110
    assert len(waits) > 20
