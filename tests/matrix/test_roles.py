"""Every field and every role of the five products, over the wire, against the policy written by hand."""

import pytest

from tenantry.api.planner.registry import build_registry
from tenantry.api.schema import bare_schema
from tests.api.test_permissions import TABLE, check_allowed
from tests.matrix.policy import (
    PLATFORM,
    POLICY,
    PRODUCTS,
    Ask,
    Verdict,
    asks,
    by_role,
    holders,
    roles,
    rule_in_words,
)
from tests.matrix.worlds import ProductWorld, blueprints
from tests.support.api import Product, Reply
from tests.support.refusals import snapshot

EVERYONE = [(product, role) for product in (*PRODUCTS, PLATFORM) for role in roles(product)]


def test_every_role_of_every_blueprint_has_its_place() -> None:
    found = blueprints()
    assert set(found) == {*PRODUCTS, PLATFORM}
    for product in PRODUCTS:
        assert set(roles(product)) == set(found[product].roles), product
    assert set(roles(PLATFORM)) == {name for each in found.values() for name in each.system_roles}


def test_every_permission_that_a_field_asks_for_has_holders_in_every_product() -> None:
    asked = {ask.permission for ask in asks() if ask.kind in {"requires", "fresh"} and ask.scope != "system"}
    for product in PRODUCTS:
        assert set(holders(product)) == asked, product
    assert set(holders(PLATFORM)) == {
        ask.permission for ask in asks() if ask.kind in {"requires", "fresh"} and ask.scope != "tenant"
    }


def test_every_type_that_a_permission_guards_is_in_the_policy() -> None:
    types = build_registry(bare_schema()._schema).types
    ruled = {name: words for name, plan in types.items() if (words := rule_in_words(plan.rule))}
    assert POLICY["types"] == ruled
    assert set(POLICY["nodes"]) == {name for name in ruled if types[name].table is not None}


def check(reply: Reply, ask: Ask, verdict: Verdict, who: object) -> None:
    """The code, the permission it names, the reason; or an answer without any problem."""
    told = f"{ask.field}, {who}: {reply.text}"
    if verdict.code is None:
        assert reply.errors == [], told
        check_allowed(reply, str(who))
        return
    assert set(reply.codes) == {verdict.code}, told
    extensions = reply.errors[0]["extensions"]
    if verdict.code == "UNAUTHENTICATED" and verdict.reason is not None:
        assert extensions["reason"] == verdict.reason, told
    if verdict.code == "FORBIDDEN" and ask.kind in {"requires", "fresh"}:
        assert extensions["permission"] == ask.permission, told


@pytest.mark.requirement("000-01", "001-08", "001-30", "001-31", "003-30", "004-01", "004-11", "002-20")
@pytest.mark.parametrize(("blueprint", "role"), EVERYONE, ids=lambda each: each)
async def test_each_role_is_refused_what_the_policy_says_and_nothing_happens(
    product: Product, blueprint: str, role: str
) -> None:
    world = await ProductWorld.of(product, blueprint)
    speaker = product.as_(await world.play(blueprint, role))
    refused = {ask: verdict for ask in asks() if (verdict := by_role(ask, blueprint, role)).code is not None}
    for ask in refused:
        await world.fill(ask.document)
    before, sent = await snapshot(product.database), product.mail.messages()
    for ask, verdict in refused.items():
        check(await world.ask(speaker, ask.document), ask, verdict, role)
    assert await snapshot(product.database) == before
    assert product.mail.messages() == sent


@pytest.mark.requirement("000-01", "001-08", "001-31", "003-30", "004-10", "002-20")
@pytest.mark.parametrize(("blueprint", "role"), EVERYONE, ids=lambda each: each)
async def test_each_role_may_what_the_policy_says(product: Product, blueprint: str, role: str) -> None:
    world = await ProductWorld.of(product, blueprint)
    allowed = [ask for ask in asks() if by_role(ask, blueprint, role).code is None]
    reader = product.as_(await world.play(blueprint, role))
    for ask in (ask for ask in allowed if not ask.writes):
        if blueprint != PLATFORM or ask.field not in POLICY["nodes"]:
            check(await world.ask(reader, ask.document), ask, Verdict(), role)
    for ask in (ask for ask in allowed if ask.writes):
        # What was made for one may be gone after another.
        world = await ProductWorld.of(product, blueprint) if blueprint == PLATFORM else world
        world.made.clear()
        speaker = product.as_(await world.play(blueprint, role))
        check(await world.ask(speaker, ask.document), ask, Verdict(), role)
    assert len(allowed) >= 15


def test_the_table_of_fields_is_the_one_that_others_use() -> None:
    assert {ask.field for ask in asks()} == {*TABLE["fields"], *POLICY["nodes"]}
