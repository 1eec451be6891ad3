"""One organisation a person, through the wire: told to the person, and to nobody else."""

from secrets import token_hex

import pytest

from tests.support.api import Product
from tests.support.connecting import connect, own_domain
from tests.support.factories import make_member, make_tenant, signed_in
from tests.support.logins import address
from tests.support.refusals import snapshot

INVITE = """mutation($email: String!) {
  invitationsCreate(input: {invitations: [{email: $email, roleIds: []}]}) { results { __typename
    ... on InvitationCreated { link invitation { email status } } } } }"""
ACCEPT = """mutation($token: String!, $login: LoginInput!) {
  invitationAccept(input: {token: $token, login: $login}) { __typename ... on Problem { code message } } }"""
LOGIN = "mutation($input: LoginInput!) { login(input: $input) { __typename ... on Problem { code } } }"
TOLD = {
    "__typename": "SingleMembership",
    "code": "SINGLE_MEMBERSHIP",
    "message": "You belong to another tenant of this product already, and can belong to one only.",
}


async def owner_role(product: Product, tenant: object) -> str:
    sql = "SELECT key FROM role WHERE tenant_id = $1 AND is_owner ORDER BY position LIMIT 1"
    return str(await product.database.value(sql, tenant))


@pytest.mark.requirement("004-02")
async def test_an_administrator_sees_no_difference_and_the_person_is_told(product: Product) -> None:
    here, there = [await make_tenant(product.database, "abac-suite") for _ in range(2)]
    member = await make_member(product.database, here, ())
    owner = product.as_(await signed_in(product.database, there, await owner_role(product, there.id)))
    results = []
    for email in (member.email, address()):
        (result,) = (await owner.query(INVITE, email=email))["invitationsCreate"]["results"]
        results.append(result)
    known, unknown = results
    assert known["invitation"]["status"] == unknown["invitation"]["status"] == "PENDING"
    before = await snapshot(product.database)
    token = known["link"].rsplit("#", 1)[1]
    login = product.login_input(member.email)
    reply = await product.anonymous.ask(ACCEPT, {"token": token, "login": login})
    assert reply.data["invitationAccept"] == TOLD
    (record,) = await product.trail(reply)
    assert (record["action"], record["outcome"], record["code"]) == (
        "invitation.accept",
        "REFUSED",
        "SINGLE_MEMBERSHIP",
    )
    asked = product.login_input(member.email, tenantId=there.node_id)
    assert (await product.anonymous.query(LOGIN, input=asked))["login"]["code"] == "SINGLE_MEMBERSHIP"
    assert await snapshot(product.database) == before


async def test_a_connection_takes_nobody_from_another_organisation(product: Product) -> None:
    here, there = [await make_tenant(product.database, "abac-suite") for _ in range(2)]
    owner = await signed_in(product.database, there, await owner_role(product, there.id))
    domain = f"{token_hex(6)}.example"
    await own_domain(product, owner, domain)
    await connect(product, owner, client_id=product.guest.provider.audience, provisioning=True)
    member = await make_member(product.database, here, (), email=f"ann@{domain}")
    before, issuer = await snapshot(product.database), product.guest.provider.issuer
    door = {"oidc": {"idToken": product.guest.id_token(member.email), "issuer": issuer}}
    assert (await product.anonymous.query(LOGIN, input=door))["login"]["code"] == "SINGLE_MEMBERSHIP"
    assert await snapshot(product.database) == before
