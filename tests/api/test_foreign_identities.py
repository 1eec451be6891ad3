"""The class of attack known as nOAuth: an address from whoever is not entitled to it opens nothing."""

from collections.abc import AsyncIterator
from secrets import token_hex
from typing import Any

import pytest
import pytest_asyncio

from tenantry.directory.members.models import Member, MemberStatus
from tests.support.api import LOGIN, Product, running_product
from tests.support.connecting import connect, own_domain
from tests.support.database import TemporaryDatabase
from tests.support.factories import make_member, make_tenant, platform
from tests.support.firebase_emulator import RunningFirebaseEmulator
from tests.support.logins import address, token_in
from tests.support.refusals import snapshot
from tests.support.world import World

ACCEPT = """mutation($token: String!, $login: LoginInput!) {
  invitationAccept(input: {token: $token, login: $login}) { __typename ... on Problem { code } } }"""
SWITCH = """mutation($tenant: ID!) { tenantSwitch(input: {tenantId: $tenant}) { __typename
    ... on Problem { code } } }"""
REFUSALS = {"NOT_INVITED", "UNAUTHENTICATED", "BAD_USER_INPUT"}


@pytest_asyncio.fixture(scope="module")
async def product(
    database: TemporaryDatabase,
    firebase_emulator: RunningFirebaseEmulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Product]:
    """The product that trusts an issuer and Firebase."""
    with firebase_emulator.in_environment():
        folder = tmp_path_factory.mktemp("product")
        async with running_product(database, folder, firebase_project=firebase_emulator.project) as made:
            yield made


async def attacker(product: Product, *, provisioning: bool = True) -> tuple[World, str]:
    """A tenant whose administrators control the guest issuer and a domain."""
    world, domain = await World.make(product), f"{token_hex(6)}.example"
    await own_domain(product, world.owner, domain)
    await connect(product, world.owner, provisioning=provisioning)
    return world, domain


async def victim(product: Product, *, bound: bool = True) -> Member:
    """Somebody of another tenant; ``bound`` to the issuer of the settings by a first login."""
    member = await make_member(product.database, await make_tenant(product.database), "owner")
    if bound:
        assert (await product.login(member.email))["__typename"] == "LoginSuccess"
    return member


async def refused(product: Product, token: str, issuer: str, **choice: object) -> None:
    """The login is refused, and nothing has changed."""
    before = await snapshot(product.database)
    door = {"idToken": token, "issuer": issuer, **choice}
    reply = await product.anonymous.ask(LOGIN, {"input": {"oidc": door}})
    code = reply.codes[0] if reply.errors else reply.data["login"].get("code")
    assert code in REFUSALS, reply.text
    assert await snapshot(product.database) == before


def guest(product: Product) -> str:
    return product.guest.provider.issuer


@pytest.mark.parametrize("bound", [True, False])
async def test_a_tenants_provider_with_the_address_of_somebody_elsewhere(
    product: Product, bound: bool
) -> None:
    world, _ = await attacker(product)
    member = await victim(product, bound=bound)
    other = await product.database.value("SELECT node_id FROM tenant WHERE id = $1", member.tenant_id)
    for choice in ({}, {"tenantId": world.tenant.node_id}, {"tenantId": other}, {"scope": "SYSTEM"}):
        await refused(product, product.guest.id_token(member.email), guest(product), **choice)


async def test_a_tenants_provider_with_the_address_of_the_platforms_staff(product: Product) -> None:
    await attacker(product)
    staff = await make_member(product.database, await platform(product.database), "super_admin")
    await refused(product, product.guest.id_token(staff.email), guest(product))
    await refused(product, product.guest.id_token(staff.email), guest(product), scope="SYSTEM")


async def test_a_provider_never_takes_over_an_address_that_another_identity_owns(product: Product) -> None:
    """Even of its own domain, and even in its own tenant."""
    world, domain = await attacker(product)
    email = f"ada@{domain}"
    await make_member(product.database, world.tenant, "agent", email=email)
    assert (await product.login(email))["__typename"] == "LoginSuccess"
    await refused(product, product.guest.id_token(email), guest(product))


async def test_the_same_issuer_and_subject_for_two_tenants_are_two_people(product: Product) -> None:
    first, here = await attacker(product)
    second, there = await attacker(product)
    subject = token_hex(8)
    for domain, world in ((here, first), (there, second)):
        token = product.guest.id_token(f"ada@{domain}", subject=subject)
        door = {"idToken": token, "issuer": guest(product), "tenantId": world.tenant.node_id}
        made = (await product.anonymous.query(LOGIN, input={"oidc": door}))["login"]
        assert made["viewer"]["tenant"]["id"] == world.tenant.node_id
    count = "SELECT count(DISTINCT user_id) FROM identity WHERE subject = $1"
    assert await product.database.value(count, subject) == 2


async def test_an_address_that_changes_at_the_provider_to_one_of_another_domain(product: Product) -> None:
    _, domain = await attacker(product)
    subject = token_hex(8)
    token = product.guest.id_token(f"ada@{domain}", subject=subject)
    made = await product.anonymous.query(LOGIN, input={"oidc": {"idToken": token, "issuer": guest(product)}})
    assert made["login"]["__typename"] == "LoginSuccess"
    member = await victim(product)
    await refused(product, product.guest.id_token(member.email, subject=subject), guest(product))


async def test_a_session_by_a_tenants_provider_stays_in_that_tenant(product: Product) -> None:
    _, domain = await attacker(product)
    elsewhere = await make_tenant(product.database)
    await make_member(
        product.database, elsewhere, "owner", email=f"waits@{domain}", status=MemberStatus.INVITED
    )
    token = product.guest.id_token(f"waits@{domain}")
    made = await product.anonymous.query(LOGIN, input={"oidc": {"idToken": token, "issuer": guest(product)}})
    speaker = product.with_token(made["login"]["accessToken"])
    before = await snapshot(product.database)
    answer = await speaker.query(SWITCH, tenant=elsewhere.node_id)
    assert answer["tenantSwitch"]["code"] == "NOT_INVITED"
    assert await snapshot(product.database) == before
    seen = await speaker.query("{ viewer { memberships(first: 9) { totalCount } } }")
    assert seen["viewer"]["memberships"]["totalCount"] == 1


async def test_an_invitation_is_not_accepted_by_a_foreign_tenants_provider(product: Product) -> None:
    _, domain = await attacker(product)
    world, email = await World.make(product), f"ada@{domain}"
    token = token_in(await world.invited(email))
    login = {"oidc": {"idToken": product.guest.id_token(email), "issuer": guest(product)}}
    before = await snapshot(product.database)
    answered = await product.anonymous.query(ACCEPT, token=token, login=login)
    assert answered["invitationAccept"]["code"] == "NOT_INVITED"
    assert await snapshot(product.database) == before


@pytest.mark.parametrize("verified", [False, "true", "True", 1, None, "yes", ["true"]])
@pytest.mark.parametrize("by", ["settings", "tenant"])
async def test_an_address_that_is_not_verified_opens_nothing(
    product: Product, by: str, verified: Any
) -> None:
    world, domain = await attacker(product)
    issuer = product.issuer if by == "settings" else product.guest
    member = await make_member(product.database, world.tenant, "agent", email=f"{token_hex(4)}@{domain}")
    token = issuer.id_token(member.email, verified=verified)
    await refused(product, token, issuer.provider.issuer)


@pytest.mark.parametrize(
    "spelled",
    [
        "{name}@{domain}\u200b",
        "{name}@{domain}.",
        "{name}@evil.example@{domain}",
        "{name}@\u0430{domain}",
        "{name}@sub.{domain}",
        "{name}@{domain}\n",
        "{name}@{domain}, {name}@evil.example",
        "{name}%40{domain}",
        "@{domain}",
        "{name}",
    ],
)
async def test_an_address_that_is_spelled_to_look_alike_is_another(product: Product, spelled: str) -> None:
    world, domain = await attacker(product, provisioning=False)
    name = token_hex(4)
    await make_member(product.database, world.tenant, "agent", email=f"{name}@{domain}")
    await refused(product, product.guest.id_token(spelled.format(name=name, domain=domain)), guest(product))


async def test_another_issuer_that_calls_itself_by_a_trusted_name(product: Product) -> None:
    member = await victim(product)
    await refused(product, product.guest.id_token(member.email), product.issuer.provider.issuer)


async def test_an_unverified_address_at_firebase(
    product: Product, firebase_emulator: RunningFirebaseEmulator
) -> None:
    member = await victim(product, bound=False)
    token = await firebase_emulator.sign_up(member.email, "correct horse", verified=False)
    before = await snapshot(product.database)
    reply = await product.anonymous.ask(LOGIN, {"input": {"firebase": {"idToken": token}}})
    code = reply.codes[0] if reply.errors else reply.data["login"].get("code")
    assert code in REFUSALS
    assert await snapshot(product.database) == before


async def test_a_stranger_with_a_fresh_address_leaves_no_trace(product: Product) -> None:
    await refused(product, product.issuer.id_token(address()), product.issuer.provider.issuer)
