"""Every field and every standing of a caller: a credential that does not hold opens nothing."""

import pytest

from tests.matrix.policy import HOME, PRODUCTS, STANDINGS, Ask, Verdict, asks, by_role, by_standing, roles
from tests.matrix.test_roles import check
from tests.matrix.worlds import ENTER, RESTORE, ProductWorld
from tests.support.api import Product
from tests.support.refusals import snapshot


def test_every_standing_of_the_policy_can_be_entered() -> None:
    assert set(STANDINGS) == set(ENTER)


async def check_standing(product: Product, blueprint: str, role: str, standing: str) -> None:
    """Ask for everything from there, the refused first: nothing may have happened then."""
    world = await ProductWorld.of(product, blueprint)
    expected = {ask: by_standing(standing, ask, blueprint, role) for ask in asks()}
    refused = {ask: verdict for ask, verdict in expected.items() if verdict.code is not None}
    await world.play(blueprint, role)
    for ask in refused:
        await world.fill(ask.document)
    # Somebody whom no worker has heard of: what is kept of a caller is tried below.
    await world.play(blueprint, role)
    speaker = await world.enter_standing(standing, role)
    before = await snapshot(product.database)
    for ask, verdict in refused.items():
        check(await world.ask(speaker, ask.document), ask, verdict, (standing, role))
    assert await snapshot(product.database) == before
    await product.database.seen_by_owner(RESTORE, world.tenant.id)
    for ask in expected.keys() - refused.keys():
        await check_answered(world, blueprint, role, standing, ask)


async def check_answered(world: ProductWorld, blueprint: str, role: str, standing: str, ask: Ask) -> None:
    """One field that is answered, with things of its own: an answer may change them."""
    world.made.clear()
    await world.play(blueprint, role)
    await world.fill(ask.document)
    speaker = await world.enter_standing(standing, role)
    check(await world.ask(speaker, ask.document), ask, Verdict(), (standing, role))
    await world.product.database.seen_by_owner(RESTORE, world.tenant.id)


@pytest.mark.requirement("000-01", "001-21", "001-30", "002-17", "002-18", "003-30", "003-32")
@pytest.mark.parametrize("standing", STANDINGS)
@pytest.mark.parametrize("role", [roles(HOME)[0], roles(HOME)[-1]])
async def test_where_one_stands_comes_before_what_one_may(product: Product, role: str, standing: str) -> None:
    await check_standing(product, HOME, role, standing)


@pytest.mark.requirement("000-05", "001-23", "002-18")
async def test_what_was_kept_of_a_caller_opens_nothing_once_their_session_has_ended(product: Product) -> None:
    world = await ProductWorld.of(product, HOME)
    guarded = [ask for ask in asks() if ask.kind != "public"]
    for ask in guarded:
        await world.fill(ask.document)
    for ask in guarded:
        who = await world.play(HOME, roles(HOME)[0])
        assert (await product.as_(who).ask("{ viewer { scope } }")).errors == []
        speaker = await world.enter_standing("session revoked", roles(HOME)[0])
        reply = await world.ask(speaker, ask.document)
        # What the role may not is refused without a look at the database, which would be the same to them.
        usual = by_role(ask, HOME, roles(HOME)[0])
        told = {"UNAUTHENTICATED", usual.code} - {None}
        assert len(reply.codes) == 1, ask.field
        assert set(reply.codes) <= told, (ask.field, reply.text)


@pytest.mark.long
@pytest.mark.parametrize("standing", STANDINGS)
@pytest.mark.parametrize(
    ("blueprint", "role"), [(each, role) for each in PRODUCTS for role in roles(each)], ids=lambda each: each
)
async def test_and_so_for_every_role_of_every_product(
    product: Product, blueprint: str, role: str, standing: str
) -> None:
    await check_standing(product, blueprint, role, standing)
