"""Asking people in through the wire: one answer an address, mail after the commit, links used once."""

from typing import Any

import pytest

from tenantry.mail.port import MailUnavailable
from tests.support.api import Product, Speaker
from tests.support.factories import make_member, make_tenant
from tests.support.logins import address, role_id
from tests.support.world import World

CREATE = """mutation($invitations: [InvitationInput!]!) {
  invitationsCreate(input: {invitations: $invitations}) { results { __typename
    ... on InvitationCreated { link invitation {
        id email status createdAt expiresAt roles { key } inviter { email } } }
    ... on Problem { code message } ... on TooManyRoles { most } } } }"""
RESEND = """mutation($id: ID!) { invitationResend(input: {invitationId: $id}) { __typename
    ... on InvitationResent { link invitation { id status expiresAt } } ... on Problem { code } } }"""
REVOKE = """mutation($id: ID!) { invitationRevoke(input: {invitationId: $id}) { __typename
    ... on InvitationRevoked { invitation { status } } ... on Problem { code } } }"""
ACCEPT = """mutation($input: InvitationAcceptInput!) { invitationAccept(input: $input) { __typename
    ... on LoginSuccess { accessToken viewer { member { email status } roles { key } tenant { id } } }
    ... on Problem { code } } }"""
LIST = """query($status: InvitationStatus) { tenant { invitations(first: 20, status: $status) {
    totalCount nodes { email status } } } }"""


async def create(speaker: Speaker, *invitations: dict[str, Any]) -> list[dict[str, Any]]:
    """The results, in order."""
    return (await speaker.query(CREATE, invitations=list(invitations)))["invitationsCreate"]["results"]


def token(link: str) -> str:
    """The secret of a mailed link: it stands in the fragment."""
    return link.rsplit("#", 1)[1]


@pytest.mark.requirement("003-22", "004-16", "003-14")
async def test_one_answer_for_each_address(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent, manager, owner = [
        await role_id(product.database, world.tenant, key) for key in ("agent", "manager", "owner")
    ]
    known = await make_member(product.database, world.tenant, "agent")
    new, pending = address(), address()
    await world.invited(pending)
    results = await create(
        admin,
        {"email": new.upper(), "roleIds": [agent], "name": "New"},
        {"email": known.email, "roleIds": [agent]},
        {"email": pending, "roleIds": [agent]},
        {"email": address(), "roleIds": [owner]},
        {"email": address(), "roleIds": [agent, manager]},
        {"email": "no address", "roleIds": [agent]},
    )
    assert [each["__typename"] for each in results] == [
        "InvitationCreated",
        "AlreadyMember",
        "InvitationPending",
        "RoleNotGrantable",
        "TooManyRoles",
        "InvalidEmail",
    ]
    made = results[0]["invitation"]
    assert (made["email"], made["status"]) == (new, "PENDING")
    assert [role["key"] for role in made["roles"]] == ["agent"]
    assert made["inviter"]["email"]
    assert results[4]["most"] == 1
    (letter,) = product.mail.to(new)
    assert results[0]["link"] in letter.text
    listed = (await admin.query(LIST, status="PENDING"))["tenant"]["invitations"]
    assert {each["email"] for each in listed["nodes"]} == {new, pending}


async def test_mail_waits_for_the_commit_and_dies_with_a_rollback(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await role_id(product.database, world.tenant, "agent")
    email = address()
    bad = {"email": address(), "roleIds": [agent], "name": "x" * 500}
    reply = await admin.ask(CREATE, {"invitations": [{"email": email, "roleIds": [agent]}, bad]})
    assert reply.codes == ["BAD_USER_INPUT"]
    assert product.mail.to(email) == []
    assert await product.database.value("SELECT count(*) FROM member WHERE email = $1", email) == 0


async def test_mail_that_cannot_be_sent_leaves_the_invitation_standing(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await role_id(product.database, world.tenant, "agent")
    email = address()
    product.mail.failure = MailUnavailable()
    try:
        (made,) = await create(admin, {"email": email, "roleIds": [agent]})
    finally:
        product.mail.failure = None
    assert made["__typename"] == "InvitationCreated"
    data = await admin.query(RESEND, id=made["invitation"]["id"])
    assert data["invitationResend"]["__typename"] == "InvitationResent"
    assert len(product.mail.to(email)) == 1


async def test_a_link_is_used_once_by_the_address_it_was_mailed_to(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await role_id(product.database, world.tenant, "agent")
    email = address()
    (made,) = await create(admin, {"email": email, "roleIds": [agent]})

    async def accept(secret: str, who: str) -> dict[str, Any]:
        given = {"token": secret, "login": product.login_input(who)}
        return (await product.anonymous.query(ACCEPT, input=given))["invitationAccept"]

    secret = token(made["link"])
    assert (await accept(secret, address()))["code"] == "NOT_INVITED"
    assert (await accept("nothing", email))["code"] == "NOT_INVITED"
    accepted = await accept(secret, email)
    assert accepted["viewer"]["member"] == {"email": email, "status": "ACTIVE"}
    assert [role["key"] for role in accepted["viewer"]["roles"]] == ["agent"]
    assert accepted["viewer"]["tenant"]["id"] == world.tenant.node_id
    speaker = product.with_token(accepted["accessToken"])
    assert (await speaker.query("{ tenant { slug } }"))["tenant"]["slug"] == world.tenant.slug
    assert (await accept(secret, email))["code"] == "NOT_INVITED"
    for document in (RESEND, REVOKE):
        data = await admin.query(document, id=made["invitation"]["id"])
        (answered,) = data.values()
        assert answered["code"] == "INVITATION_NOT_PENDING"
    stored = await product.database.seen_by_owner("SELECT i::text FROM invitation i")
    assert not any(secret in row[0] for row in stored)


async def test_sent_again_the_old_link_is_dead(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await role_id(product.database, world.tenant, "agent")
    email = address()
    (made,) = await create(admin, {"email": email, "roleIds": [agent]})
    again = (await admin.query(RESEND, id=made["invitation"]["id"]))["invitationResend"]
    assert again["link"] != made["link"]
    answers = []
    for link in (made["link"], again["link"]):
        given = {"token": token(link), "login": product.login_input(email)}
        answers.append((await product.anonymous.query(ACCEPT, input=given))["invitationAccept"]["__typename"])
    assert answers == ["NotInvited", "LoginSuccess"]


async def test_revoked_means_not_invited(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await role_id(product.database, world.tenant, "agent")
    email = address()
    (made,) = await create(admin, {"email": email, "roleIds": [agent]})
    data = await admin.query(REVOKE, id=made["invitation"]["id"])
    assert data["invitationRevoke"]["invitation"]["status"] == "REVOKED"
    assert (await product.login(email))["__typename"] == "NotInvited"
    listed = (await admin.query(LIST, status="REVOKED"))["tenant"]["invitations"]
    assert [each["email"] for each in listed["nodes"]] == [email]


async def test_an_invitation_expires(product: Product) -> None:
    world = await World.make(product)
    admin = await world.enter("admin")
    agent = await role_id(product.database, world.tenant, "agent")
    email = address()
    await create(admin, {"email": email, "roleIds": [agent]})
    await product.database.seen_by_owner(
        "UPDATE invitation SET expires_at = now() - interval '1 s' WHERE email = $1", email
    )
    assert (await product.login(email))["__typename"] == "NotInvited"
    listed = (await admin.query(LIST, status="EXPIRED"))["tenant"]["invitations"]
    assert listed["totalCount"] == 1


async def test_a_role_of_another_tenant_is_no_role(product: Product) -> None:
    world = await World.make(product)
    other = await make_tenant(product.database)
    foreign = await role_id(product.database, other, "agent")
    reply = await product.as_(world.owner).ask(
        CREATE, {"invitations": [{"email": address(), "roleIds": [foreign]}]}
    )
    assert reply.codes == ["NOT_FOUND"]


async def test_at_most_a_hundred_at_once(product: Product) -> None:
    world = await World.make(product)
    many = [{"email": address(), "roleIds": []} for _ in range(101)]
    reply = await product.as_(world.owner).ask(CREATE, {"invitations": many})
    assert reply.codes == ["BAD_USER_INPUT"]
    made = await create(product.as_(world.owner), *many[:100])
    assert {each["__typename"] for each in made} == {"InvitationCreated"}
    assert len(made) == 100
