"""A tenant's own provider over the wire: proved domains, members made, and an end to all of it at once."""

import asyncio
from secrets import token_hex
from typing import Any

import pytest

from tests.support.api import LOGIN, Product, Speaker
from tests.support.connecting import connect, list_domain, own_domain
from tests.support.factories import make_member, make_tenant, sign_in
from tests.support.logins import role_id
from tests.support.refusals import snapshot
from tests.support.world import World

CREATE = """mutation($input: IdentityProviderCreateInput!) {
  identityProviderCreate(input: $input) { __typename
    ... on IdentityProviderCreated { identityProvider {
        id issuer clientId title provisioning roles { key } } }
    ... on Problem { code message } } }"""
ADD = """mutation($domain: String!) { emailDomainAdd(input: {domain: $domain}) {
    emailDomain { id domain recordName recordValue verifiedAt } } }"""
VERIFY = """mutation($id: ID!) { emailDomainVerify(input: {emailDomainId: $id}) { __typename
    ... on EmailDomainVerified { emailDomain { verifiedAt } } ... on Problem { code } } }"""
OPTIONS = """query($email: String!) { signInOptions(email: $email) {
    methods { kind title issuer clientId } } }"""
MEMBERS = "{ tenant { members(first: 20) { nodes { email status roles { key } } } } }"
WHO = "{ viewer { member { id } tenant { id } memberships(first: 9) { totalCount } } }"


def fresh() -> str:
    """A domain that nobody has."""
    return f"{token_hex(6)}.example"


async def by_guest(product: Product, email: str, **more: Any) -> dict[str, Any]:
    """What a login with the guest issuer's token comes to."""
    verified, choice = more.pop("verified", True), more.pop("choice", {})
    token = product.guest.id_token(email, verified=verified, **more)
    door = {"idToken": token, "issuer": product.guest.provider.issuer, **choice}
    reply = await product.anonymous.ask(LOGIN, {"input": {"oidc": door}})
    if reply.errors:
        return {"__typename": "Error", **reply.errors[0]["extensions"]}
    return reply.data["login"]


async def opened(product: Product, **settings: Any) -> tuple[World, str]:
    """A tenant that trusts the guest issuer, and its domain."""
    world, domain = await World.make(product), fresh()
    await own_domain(product, world.owner, domain)
    await connect(product, world.owner, **settings)
    return world, domain


async def provisioned(product: Product) -> tuple[World, str, Speaker]:
    """A member made by their first login, and their session."""
    world = await World.make(product)
    domain = fresh()
    await own_domain(product, world.owner, domain)
    agent = await role_id(product.database, world.tenant, "agent")
    await connect(product, world.owner, provisioning=True, roles=[agent])
    made = await by_guest(product, f"new@{domain}")
    assert made["__typename"] == "LoginSuccess", made
    return world, domain, product.with_token(made["accessToken"])


async def test_a_tenant_adds_a_provider_proves_a_domain_and_its_people_find_the_way(product: Product) -> None:
    world, domain = await World.make(product), fresh()
    await world.prove(world.owner)
    owner = product.as_(world.owner)
    agent = await role_id(product.database, world.tenant, "agent")
    given = {
        "issuer": product.guest.provider.issuer,
        "clientId": "spa",
        "title": "Acme",
        "provisioning": True,
        "roleIds": [agent],
    }
    made = await owner.ask(CREATE, {"input": given})
    provider = made.data["identityProviderCreate"]["identityProvider"]
    assert (provider["title"], provider["roles"]) == ("Acme", [{"key": "agent"}])
    (record,) = await product.trail(made)
    assert (record["action"], record["targets"]) == ("connection.create", [provider["id"]])
    listed = (await owner.query(ADD, domain=f" {domain.upper()} "))["emailDomainAdd"]["emailDomain"]
    assert (listed["domain"], listed["verifiedAt"]) == (domain, None)
    assert listed["recordName"] == f"_tenantry.{domain}"
    assert (await owner.query(VERIFY, id=listed["id"]))["emailDomainVerify"]["code"] == "DOMAIN_NOT_VERIFIED"
    before = await product.anonymous.query(OPTIONS, email=f"ada@{domain}")
    assert before == await product.anonymous.query(OPTIONS, email="nobody@nowhere.example")
    assert (await by_guest(product, f"ada@{domain}"))["code"] == "NOT_INVITED"
    product.names[listed["recordName"]] = [listed["recordValue"]]
    verified = (await owner.query(VERIFY, id=listed["id"]))["emailDomainVerify"]
    assert verified["emailDomain"]["verifiedAt"] is not None
    after = await product.anonymous.query(OPTIONS, email=f"whoever@{domain.upper()}")
    assert after["signInOptions"]["methods"] == [
        {"kind": "OIDC", "title": "Acme", "issuer": product.guest.provider.issuer, "clientId": "spa"}
    ]
    signed = await by_guest(product, f"ada@{domain}")
    assert signed["viewer"]["tenant"]["id"] == world.tenant.node_id
    members = (await owner.query(MEMBERS))["tenant"]["members"]["nodes"]
    (ada,) = [each for each in members if each["email"] == f"ada@{domain}"]
    assert (ada["status"], ada["roles"]) == ("ACTIVE", [{"key": "agent"}])
    again = await by_guest(product, f"ada@{domain}")
    assert again["viewer"]["member"] == signed["viewer"]["member"]


async def test_first_logins_at_once_make_one_member(product: Product) -> None:
    world, domain = await opened(product, provisioning=True)
    answers = await asyncio.gather(*(by_guest(product, f"ada@{domain}") for _ in range(8)))
    assert {answer["__typename"] for answer in answers} == {"LoginSuccess"}
    count = "SELECT count(*) FROM member WHERE tenant_id = $1 AND email = $2"
    assert await product.database.value(count, world.tenant.id, f"ada@{domain}") == 1


async def test_without_provisioning_only_who_is_awaited_comes_in(product: Product) -> None:
    world, domain = await opened(product)
    before = await snapshot(product.database)
    assert (await by_guest(product, f"stranger@{domain}"))["code"] == "NOT_INVITED"
    assert await snapshot(product.database) == before
    await world.invited(f"ada@{domain}")
    assert (await by_guest(product, f"ada@{domain}"))["__typename"] == "LoginSuccess"


async def test_a_suspended_member_is_not_provisioned_anew(product: Product) -> None:
    world, domain, _ = await provisioned(product)
    await product.database.seen_by_owner(
        "UPDATE member SET status = 'SUSPENDED', version = version + 1 WHERE tenant_id = $1 AND email = $2",
        world.tenant.id,
        f"new@{domain}",
    )
    assert (await by_guest(product, f"new@{domain}"))["code"] == "MEMBER_SUSPENDED"


@pytest.mark.parametrize("end", ["identityProviderDelete", "emailDomainRemove"])
async def test_what_is_taken_away_ends_the_sessions_it_opened_and_lets_nobody_in(
    product: Product, end: str
) -> None:
    world, domain, member = await provisioned(product)
    assert (await member.ask(WHO)).errors == []
    table, name = (
        ("connection", "identityProviderId") if "Provider" in end else ("email_domain", "emailDomainId")
    )
    node = await product.database.value(
        f"SELECT node_id FROM {table} WHERE tenant_id = $1",  # noqa: S608
        world.tenant.id,
    )
    document = f"mutation($id: ID!) {{ {end}(input: {{{name}: $id}}) {{ {name} }} }}"
    reply = await product.as_(world.owner).ask(document, {"id": node})
    assert reply.errors == []
    assert (await member.ask(WHO)).errors[0]["extensions"]["reason"] == "REVOKED"
    refused = await by_guest(product, f"new@{domain}")
    assert refused.get("reason", refused.get("code")) in {"UNKNOWN_ISSUER", "NOT_INVITED"}
    assert (await product.as_(world.owner).ask(WHO)).errors == []
    if table == "connection":
        await connect(product, world.owner)
        assert (await by_guest(product, f"new@{domain}"))["__typename"] == "LoginSuccess"


async def test_a_domain_is_one_tenants_however_many_prove_it_at_once(product: Product) -> None:
    domain = fresh()
    worlds = [await World.make(product) for _ in range(6)]
    rows = [await list_domain(product, world.owner, domain) for world in worlds]
    product.names[f"_tenantry.{domain}"] = [f"tenantry-verification={row.token}" for row in rows]
    for world in worlds:
        await world.prove(world.owner)
    asked = [
        product.as_(world.owner).query(VERIFY, id=row.node_id)
        for world, row in zip(worlds, rows, strict=True)
    ]
    told = [each["emailDomainVerify"]["__typename"] for each in await asyncio.gather(*asked)]
    assert sorted(told) == ["DomainTaken"] * 5 + ["EmailDomainVerified"]


@pytest.mark.parametrize(
    "domain", ["", "a", "exa mple.com", "a..example", "http://a.example", "a@b.example", "1.2.3.4", "x" * 300]
)
async def test_what_is_no_domain_is_named(product: Product, domain: str) -> None:
    world = await World.make(product)
    before = await snapshot(product.database)
    reply = await product.as_(world.owner).ask(ADD, {"domain": domain})
    assert reply.codes == ["BAD_USER_INPUT"]
    assert await snapshot(product.database) == before


async def test_an_issuer_of_everybodys_or_of_nobodys_cannot_be_one_tenants(product: Product) -> None:
    world = await World.make(product)
    await world.prove(world.owner)
    owner, before = product.as_(world.owner), await snapshot(product.database)
    for issuer in (
        product.issuer.provider.issuer,
        product.settings.issuer,
        f"{product.guest.provider.issuer}/elsewhere",
        "https://user@issuer.example",
        "file:///etc/passwd",
        "nonsense",
    ):
        given = {"issuer": issuer, "clientId": "spa", "title": "X"}
        answered = (await owner.query(CREATE, input=given))["identityProviderCreate"]
        assert answered["code"] == "ISSUER_NOT_USABLE", issuer
    assert await snapshot(product.database) == before


async def test_nobody_lets_a_provider_give_what_they_do_not_hold_nor_make_owners(product: Product) -> None:
    world = await World.make(product)
    admin = await sign_in(product.database, await make_member(product.database, world.tenant, "admin"))
    for who in (admin, world.owner):
        await world.prove(who)
        owner_role = await role_id(product.database, world.tenant, "owner")
        given = {
            "issuer": product.guest.provider.issuer,
            "clientId": "spa",
            "title": "X",
            "roleIds": [owner_role],
        }
        answered = await product.as_(who).query(CREATE, input=given)
        assert answered["identityProviderCreate"]["code"] == "ROLE_NOT_GRANTABLE"


async def test_a_provider_twice_is_a_conflict(product: Product) -> None:
    world = await World.make(product)
    await world.prove(world.owner)
    await connect(product, world.owner)
    given = {"issuer": product.guest.provider.issuer, "clientId": "spa", "title": "Again"}
    assert (await product.as_(world.owner).ask(CREATE, {"input": given})).codes == ["CONFLICT"]
    domain = fresh()
    await list_domain(product, world.owner, domain)
    assert (await product.as_(world.owner).ask(ADD, {"domain": domain})).codes == ["CONFLICT"]


async def test_what_a_provider_is_called_and_gives_can_be_changed(product: Product) -> None:
    world, domain = await opened(product)
    await world.prove(world.owner)
    node = await product.database.value(
        "SELECT node_id FROM connection WHERE tenant_id = $1", world.tenant.id
    )
    agent = await role_id(product.database, world.tenant, "agent")
    changed = await product.as_(world.owner).query(
        """mutation($id: ID!, $roles: [ID!]) { identityProviderUpdate(input: {identityProviderId: $id,
            title: "New", provisioning: true, roleIds: $roles}) { ... on IdentityProviderUpdated {
            identityProvider { title provisioning roles { key } } } } }""",
        id=node,
        roles=[agent],
    )
    made = changed["identityProviderUpdate"]["identityProvider"]
    assert (made["title"], made["provisioning"], made["roles"]) == ("New", True, [{"key": "agent"}])
    assert (await by_guest(product, f"ada@{domain}"))["__typename"] == "LoginSuccess"


async def test_the_guest_issuer_is_nobodys_where_no_tenant_trusts_it(product: Product) -> None:
    tenant = await make_tenant(product.database)
    member = await make_member(product.database, tenant)
    refused = await by_guest(product, member.email, choice={"tenantId": tenant.node_id})
    assert refused["code"] in {"UNAUTHENTICATED", "NOT_INVITED"}
