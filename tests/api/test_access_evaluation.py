"""AuthZEN: decisions for programs that enforce them, through the door that every operation passes."""

from typing import Any

import httpx
import pytest

from tests.api.test_decisions import put, under
from tests.support.api import Product, Speaker
from tests.support.factories import make_api_key, signed_in
from tests.support.world import World

ONE, SEVERAL = "/access/v1/evaluation", "/access/v1/evaluations"


def question(
    subject: str, permission: str, resource: str, kind: str = "ticket", **more: Any
) -> dict[str, Any]:
    """As a program sends it."""
    whose = "user" if subject.startswith("U_") else "member"
    return {
        "subject": {"type": whose, "id": subject},
        "action": {"name": permission},
        "resource": {"type": kind, "id": resource},
        **more,
    }


async def send(
    speaker: Speaker, body: Any, path: str = ONE, headers: dict[str, str] | None = None
) -> httpx.Response:
    """One request by POST."""
    bearer = {} if speaker.token is None else {"Authorization": f"Bearer {speaker.token}"}
    return await speaker.http.post(path, json=body, headers={**bearer, **(headers or {})})


async def decided(speaker: Speaker, body: dict[str, Any]) -> str | None:
    """Why not; None for a yes."""
    answer = await send(speaker, body)
    assert answer.status_code == 200, answer.text
    if answer.json() == {"decision": True}:
        return None
    found = answer.json()
    assert found == {"decision": False, "context": {"reason": found["context"]["reason"]}}
    return str(found["context"]["reason"])


async def test_the_caller_is_answered_as_can_would(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    role = await world.role_with("ticket:read")
    clerk = await under(product, world.tenant, role, "ticket:update when own")
    speaker = product.as_(clerk)
    mine = await put(product.database, clerk, "ticket")
    theirs = await put(product.database, world.owner, "ticket")
    foreign = await put(product.database, other.owner, "ticket")
    for subject in (clerk.user, clerk.member):
        assert await decided(speaker, question(subject, "ticket:update", mine)) is None
        assert await decided(speaker, question(subject, "ticket:update", theirs)) == "CONDITION_NOT_MET"
        assert await decided(speaker, question(subject, "ticket:delete", mine)) == "FORBIDDEN"
        assert await decided(speaker, question(subject, "ticket:read", mine, "call")) == "NOT_FOUND"
        assert (
            await decided(speaker, question(subject, "ticket:read", world.tenant.node_id, "tenant")) is None
        )
    answers = {
        (await send(speaker, question(clerk.user, "ticket:read", each))).text
        for each in (foreign, "O_no", "")
    }
    assert answers == {'{"decision":false,"context":{"reason":"NOT_FOUND"}}'}


async def test_what_comes_along_decides_nothing(product: Product) -> None:
    world = await World.make(product)
    role = await world.role_with("ticket:read")
    clerk = await under(
        product, world.tenant, role, "ticket:update when own", "ticket:delete when environment.hour > 23"
    )
    theirs = await put(product.database, world.owner, "ticket")
    for permission in ("ticket:update", "ticket:delete"):
        asked = question(clerk.user, permission, theirs, context={"hour": 24, "environment.hour": 24})
        asked["resource"]["properties"] = {"owner": clerk.user}
        asked["subject"]["properties"] = {"is_owner": True}
        asked["action"]["properties"] = {"method": "GET"}
        assert await decided(product.as_(clerk), asked) == "CONDITION_NOT_MET"


async def test_others_are_asked_about_with_role_assign_alone(product: Product) -> None:
    world, other = await World.make(product), await World.make(product)
    agent = await signed_in(product.database, world.tenant, "agent")
    ticket = await put(product.database, world.owner, "ticket")
    await world.prove(world.owner)
    key = product.with_token(
        (await make_api_key(product.database, world.owner, "role:assign", "ticket:read")).text
    )
    for speaker in (await world.enter("admin"), key):
        assert await decided(speaker, question(agent.user, "ticket:update", ticket)) is None
        assert await decided(speaker, question(agent.member, "ticket:delete", ticket)) == "FORBIDDEN"
        for nobody in (other.owner.user, other.owner.member, "M_no"):
            assert await decided(speaker, question(nobody, "ticket:read", ticket)) == "NOT_FOUND"
        crossed = question(agent.member, "ticket:read", ticket)
        crossed["subject"]["type"] = "user"
        assert await decided(speaker, crossed) == "NOT_FOUND"
    manager = await world.enter("manager")
    for subject in (agent.user, other.owner.user, "U_no"):
        refused = await send(manager, question(subject, "ticket:read", ticket))
        assert refused.status_code == 403
        (error,) = refused.json()["errors"]
        assert error["extensions"] == {"code": "FORBIDDEN", "permission": "role:assign"}


async def test_it_is_recorded_as_every_operation_is(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    sent = await send(owner, question(world.owner.user, "ticket:read", world.tenant.node_id, "tenant"))
    (record,) = await product.database.seen_by_owner(
        "SELECT * FROM audit_record WHERE request_id = $1", sent.headers["x-request-id"]
    )
    assert (record["action"], record["path"], record["outcome"]) == ("read.evaluate_access", ONE, "OK")
    assert (record["operation_name"], record["actor_id"]) == ("AccessEvaluation", world.owner.user)
    bad = await send(product.with_token("no token"), {"subject": "whatever"})
    assert bad.status_code == 401
    assert bad.headers["www-authenticate"].startswith("Bearer")
    (refused,) = await product.database.seen_by_owner(
        "SELECT * FROM audit_record WHERE request_id = $1", bad.headers["x-request-id"]
    )
    assert (refused["action"], refused["outcome"]) == ("operation.refused", "REFUSED")
    assert (await send(product.anonymous, question("U_x", "a:b", "O_x"))).status_code == 401
    platform = await world.enter("platform")
    assert (await send(platform, question("U_x", "a:b", "O_x"))).status_code == 403


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ([], {"body"}),
        ({}, {"subject", "action", "resource"}),
        ({"subject": {"type": "user"}}, {"subject.id"}),
        ({"subject": {"type": "robot", "id": "U_x"}}, {"subject.type"}),
        ({"subject": {"type": "user", "id": 7}}, {"subject.id"}),
        ({"action": {}}, {"action.name"}),
        ({"resource": {"id": "O_x"}}, {"resource.type"}),
        ({"context": "x"}, {"context"}),
    ],
)
async def test_what_is_no_question_is_refused_by_its_place(
    product: Product, body: Any, fields: set[str]
) -> None:
    world = await World.make(product)
    for path in (ONE, SEVERAL):
        answer = await send(product.as_(world.owner), body, path)
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert set(error["extensions"]["fields"]) == fields


async def test_what_is_no_request_of_this_kind_is_refused(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    bearer = {"Authorization": f"Bearer {owner.token}"}
    assert (await product.http.get(ONE, headers=bearer)).status_code == 405
    asked = await product.http.options(ONE)
    assert (asked.status_code, asked.content) == (204, b"")
    typed = {**bearer, "Content-Type": "text/plain"}
    assert (await product.http.post(ONE, content=b"{}", headers=typed)).status_code == 415
    plain = {**bearer, "Content-Type": "application/json"}
    assert (await product.http.post(ONE, content=b"{", headers=plain)).status_code == 400
    elsewhere = {**plain, "Origin": "https://evil.example"}
    assert (await product.http.post(ONE, content=b"{}", headers=elsewhere)).status_code == 403
    assert (await send(owner, question(world.owner.user, "can_read", "O_x"))).status_code == 400
    assert (await send(owner, question(world.owner.user, "a:b", "O_\0"))).status_code == 400


async def test_several_inherit_what_is_said_once(product: Product) -> None:
    world = await World.make(product)
    agent = await signed_in(product.database, world.tenant, "agent")
    speaker = product.as_(agent)
    ticket = await put(product.database, world.owner, "ticket")
    around = question(agent.user, "ticket:read", ticket, context={})
    body = {
        **around,
        "evaluations": [
            {},
            {"action": {"name": "ticket:delete"}},
            {"resource": {"type": "ticket", "id": "O_no"}},
            {"subject": {"type": "member", "id": agent.member}},
        ],
    }
    yes: dict[str, Any] = {"decision": True}
    no, missing = [{"decision": False, "context": {"reason": each}} for each in ("FORBIDDEN", "NOT_FOUND")]
    answer = await send(speaker, body, SEVERAL)
    assert (answer.status_code, answer.json()) == (200, {"evaluations": [yes, no, missing, yes]})
    for semantic, expected in (
        ("execute_all", [yes, no, missing, yes]),
        ("deny_on_first_deny", [yes, no]),
        ("permit_on_first_permit", [yes]),
    ):
        body["options"] = {"evaluations_semantic": semantic, "another": 1}
        assert (await send(speaker, body, SEVERAL)).json() == {"evaluations": expected}
    body["options"] = {"evaluations_semantic": "whatever"}
    assert (await send(speaker, body, SEVERAL)).status_code == 400
    for single in (around, {**around, "evaluations": []}):
        assert (await send(speaker, single, SEVERAL)).json() == yes
    alone = await send(speaker, {"evaluations": [around, {"action": {"name": "a:b"}}]}, SEVERAL)
    assert alone.status_code == 400
    assert set(alone.json()["errors"][0]["extensions"]["fields"]) == {
        "evaluations.1.subject",
        "evaluations.1.resource",
    }
    many = await send(speaker, {**around, "evaluations": [{}] * 50}, SEVERAL)
    assert many.json() == {"evaluations": [yes] * 50}
    assert (await send(speaker, {**around, "evaluations": [{}] * 51}, SEVERAL)).status_code == 400


async def test_a_request_keeps_the_name_that_its_sender_gave_it(product: Product) -> None:
    world = await World.make(product)
    owner = product.as_(world.owner)
    asked = question(world.owner.user, "ticket:read", world.tenant.node_id, "tenant")
    named = await send(owner, asked, headers={"X-Request-ID": "bfe9eb29 ours"})
    assert named.headers["x-request-id"] == "bfe9eb29 ours"
    ours = named.headers["x-tenantry-request-id"]
    (found,) = await product.database.seen_by_owner(
        "SELECT count(*) FROM audit_record WHERE request_id = $1", ours
    )
    assert found["count"] == 1
    for unfit in ("x" * 201, "a\tb"):
        answer = await send(owner, asked, headers={"X-Request-ID": unfit})
        assert answer.status_code == 200
        assert len(answer.headers["x-request-id"]) == 28
        assert "x-tenantry-request-id" not in answer.headers


async def test_where_to_ask_is_published(product: Product) -> None:
    found = await product.http.get("/.well-known/authzen-configuration")
    base = product.settings.issuer
    assert found.json() == {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}{ONE}",
        "access_evaluations_endpoint": f"{base}{SEVERAL}",
    }
