"""Plans through the wire: what is told, and that nothing happened."""

from secrets import token_hex

import pytest

from tests.directory.test_plans import planned
from tests.support.api import Product
from tests.support.connecting import connect, own_domain
from tests.support.factories import make_member, make_tenant, signed_in, system_authority
from tests.support.logins import address, role_id
from tests.support.refusals import snapshot

CREATE = """mutation { roleCreate(input: {name: "Night shift", permissions: []}) { __typename
    ... on Problem { code message } ... on PlanDoesNotAllow { plans } } }"""
INVITE = """mutation($email: String!, $role: ID!) {
  invitationsCreate(input: {invitations: [{email: $email, roleIds: [$role]}]}) { results { __typename
    ... on InvitationCreated { link } ... on Problem { code } } } }"""
ACCEPT = """mutation($token: String!, $login: LoginInput!) {
  invitationAccept(input: {token: $token, login: $login}) { __typename ... on Problem { code } } }"""
PLAN = """mutation($plan: String, $id: ID) {
  tenantPlanSet(input: {plan: $plan, tenantId: $id}) { tenant { plan } } }"""


@pytest.mark.requirement("001-34")
async def test_a_plan_without_roles_of_ones_own_says_which_has_them(product: Product) -> None:
    tenant = await make_tenant(product.database, "messaging-crm")
    admin = product.as_(await signed_in(product.database, tenant, "ADMIN"))
    before = await snapshot(product.database)
    reply = await admin.ask(CREATE)
    assert reply.data["roleCreate"] == {
        "__typename": "PlanDoesNotAllow",
        "code": "PLAN_REQUIRED",
        "message": "This tenant's plan does not include roles of its own.",
        "plans": ["ENTERPRISE"],
    }
    (record,) = await product.trail(reply)
    assert (record["action"], record["outcome"], record["code"]) == (
        "role.create",
        "REFUSED",
        "PLAN_REQUIRED",
    )
    assert await snapshot(product.database) == before


async def test_a_full_tenant_is_told_to_who_asks_in_and_to_who_accepts(product: Product) -> None:
    tenant = await planned(product.database, "SMALL")
    owner = product.as_(await signed_in(product.database, tenant, "owner"))
    await make_member(product.database, tenant)
    email, agent = address(), await role_id(product.database, tenant, "agent")
    made = await owner.query(INVITE, email=email, role=agent)
    token = made["invitationsCreate"]["results"][0]["link"].rsplit("#", 1)[1]
    await make_member(product.database, tenant)
    before = await snapshot(product.database)
    full = {"__typename": "SeatsExhausted", "code": "SEATS_EXHAUSTED"}
    data = await owner.query(INVITE, email=address(), role=agent)
    assert data["invitationsCreate"]["results"] == [full]
    login = product.login_input(email)
    reply = await product.anonymous.ask(ACCEPT, {"token": token, "login": login})
    assert reply.data["invitationAccept"] == full
    assert (await product.login(email))["code"] == "SEATS_EXHAUSTED"
    assert await snapshot(product.database) == before
    assert product.mail.to(email)[1:] == []


async def test_a_connection_lets_nobody_past_the_last_seat(product: Product) -> None:
    tenant = await planned(product.database, "SMALL")
    owner = await signed_in(product.database, tenant, "owner")
    for _ in range(2):
        await make_member(product.database, tenant)
    domain = f"{token_hex(6)}.example"
    await own_domain(product, owner, domain)
    await connect(product, owner, client_id=product.guest.provider.audience, provisioning=True)
    before = await snapshot(product.database)
    data = await product.anonymous.query(
        "mutation($input: LoginInput!) { login(input: $input) { __typename ... on Problem { code } } }",
        input={
            "oidc": {
                "idToken": product.guest.id_token(f"new@{domain}"),
                "issuer": product.guest.provider.issuer,
            }
        },
    )
    assert data["login"] == {"__typename": "SeatsExhausted", "code": "SEATS_EXHAUSTED"}
    assert await snapshot(product.database) == before


async def test_a_plan_that_there_is_not_or_that_is_too_small_is_refused(product: Product) -> None:
    tenant = await planned(product.database, "LARGE")
    staff = product.as_(await system_authority(product.database))
    owner = product.as_(await signed_in(product.database, tenant, "owner"))
    for _ in range(3):
        await make_member(product.database, tenant)
    before = await snapshot(product.database)
    for speaker, named in ((staff, tenant.node_id), (owner, None)):
        unknown = await speaker.ask(PLAN, {"plan": "HUGE", "id": named})
        assert (unknown.codes, list(unknown.errors[0]["extensions"]["fields"])) == (
            ["BAD_USER_INPUT"],
            ["plan"],
        )
        assert (await speaker.ask(PLAN, {"plan": "SMALL", "id": named})).codes == ["CONFLICT"]
    assert await snapshot(product.database) == before
    assert (await owner.query(PLAN, plan="MIDDLE"))["tenantPlanSet"]["tenant"]["plan"] == "MIDDLE"
