"""Second factors over the wire: set up once, asked for at every way in, proved anew, taken away."""

import asyncio
import re
from typing import Any

import pytest

from tests.support.api import LOGIN, Product, Reply
from tests.support.authenticator import CONFIRM, ENROLL, STEP_UP, Authenticator, draft, set_up
from tests.support.factories import make_member, make_tenant, sign_in, signed_in, system_authority
from tests.support.logins import address, role_id, token_in
from tests.support.refusals import snapshot
from tests.support.world import World

VERIFY = """mutation($challenge: String!, $code: String!) {
  mfaVerify(input: {challenge: $challenge, code: $code}) { __typename
    ... on LoginSuccess { accessToken viewer { user { mfaEnabled } session { factorAt } member { id } } }
    ... on FactorRejected { triesLeft } ... on Problem { code message } } }"""
DISABLE = """mutation($code: String!) { totpDisable(input: {code: $code}) { __typename
    ... on FactorRejected { triesLeft } ... on Problem { code } } }"""
SWITCH = """mutation($tenant: ID!, $ticket: String) {
  tenantSwitch(input: {tenantId: $tenant, ticket: $ticket}) { __typename
    ... on LoginSuccess { accessToken viewer { session { factorAt } } }
    ... on MfaRequired { challenge } } }"""
ACCEPT = """mutation($input: InvitationAcceptInput!) { invitationAccept(input: $input) { __typename
    ... on MfaRequired { challenge } ... on Problem { code } } }"""
TRANSFER = """mutation($member: ID!) { ownershipTransfer(input: {memberId: $member}) { __typename } }"""
REQUIRE = """mutation($on: Boolean!) { tenantUpdate(input: {mfaRequired: $on}) { tenant { mfaRequired } } }"""
MEMBERS = "{ tenant { members(first: 5) { totalCount } } }"
WHO = "{ viewer { scope user { mfaEnabled } session { factorAt } } }"


async def person(product: Product, role: str = "agent") -> tuple[World, str, Authenticator]:
    """Somebody with a second factor: their tenant, their address and their authenticator."""
    world = await World.make(product)
    member = await make_member(product.database, world.tenant, role)
    return world, member.email, await set_up(product, await product.as_member(member))


async def verified(product: Product, challenge: str, code: str) -> dict[str, Any]:
    """What a code comes to."""
    return (await product.anonymous.query(VERIFY, challenge=challenge, code=code))["mfaVerify"]


async def challenge_of(product: Product, email: str) -> str:
    """The challenge of a login by password, as it were."""
    made = await product.login(email)
    assert made["__typename"] == "MfaRequired", made
    return made["challenge"]


async def live_sessions(product: Product, email: str) -> int:
    found = await product.database.value(
        'SELECT count(*) FROM session s JOIN "user" u ON u.id = s.user_id'
        " WHERE u.email = $1 AND NOT s.revoked",
        email,
    )
    return int(str(found))


@pytest.mark.requirement("002-03", "002-04", "002-06", "002-07")
async def test_a_factor_is_set_up_and_its_secret_is_never_seen_again(product: Product) -> None:
    world = await World.make(product)
    speaker = product.as_(world.owner)
    before = await speaker.query(WHO)
    assert before["viewer"]["user"]["mfaEnabled"] is False
    assert before["viewer"]["session"]["factorAt"] is None
    enrolled = await speaker.ask(ENROLL)
    made = enrolled.data["totpEnroll"]
    assert re.fullmatch(r"[A-Z2-7]{32}", made["secret"])
    assert f"secret={made['secret']}" in made["uri"]
    assert made["svg"].startswith("<svg")
    phone = Authenticator(made["secret"], product.clock)
    assert (await speaker.query(WHO))["viewer"]["user"]["mfaEnabled"] is False
    confirmed = await speaker.ask(CONFIRM, {"code": phone.shown()})
    codes = confirmed.data["totpConfirm"]["recoveryCodes"]
    assert len(codes) == 10
    after = await speaker.query(WHO)
    assert after["viewer"]["user"]["mfaEnabled"] is True
    assert after["viewer"]["session"]["factorAt"] is not None
    again = (await speaker.query(ENROLL))["totpEnroll"]
    assert (again["__typename"], again["code"]) == ("FactorAlreadySet", "FACTOR_ALREADY_SET")
    assert (await speaker.query(CONFIRM, code=phone.next()))["totpConfirm"]["code"] == "FACTOR_ALREADY_SET"
    for reply, action in ((enrolled, "factor.enroll"), (confirmed, "factor.confirm")):
        (record,) = await product.trail(reply)
        assert (record["action"], record["outcome"]) == (action, "OK")
        assert not any(secret in str(record) for secret in (made["secret"], *codes))


@pytest.mark.requirement("002-05", "002-07")
async def test_what_is_stored_is_a_box_and_hashes(product: Product) -> None:
    world = await World.make(product)
    phone = await set_up(product, product.as_(world.owner))
    (row,) = await product.database.seen_by_owner(
        "SELECT f::text AS factor, (SELECT string_agg(r::text, ' ') FROM recovery_code r"
        " WHERE r.user_id = f.user_id) AS codes, key_id FROM totp_factor f WHERE user_id = $1",
        world.owner.user_id,
    )
    stored = row["factor"] + row["codes"]
    assert row["key_id"] in row["factor"]
    assert phone.secret not in stored
    assert phone.secret.encode().hex() not in stored
    for code in phone.recovery_codes:
        assert code not in stored
        assert code.encode().hex() not in stored


@pytest.mark.requirement("002-07")
async def test_no_field_of_the_schema_leads_back_to_a_secret(product: Product) -> None:
    text = (await product.http.get("/schema.graphql")).text
    holding = [
        f"{kind}.{name}"
        for kind, fields in re.findall(r"^type (\w+)[^{]*{\n(.*?)^}", text, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"^  (secret|recoveryCodes|svg|uri):", fields, re.MULTILINE)
    ]
    # Of a factor by enrolling and confirming alone, of a webhook where its secret is made.
    assert sorted(holding) == [
        "TotpConfirmed.recoveryCodes",
        "TotpEnrolled.secret",
        "TotpEnrolled.svg",
        "TotpEnrolled.uri",
        "WebhookCreated.secret",
        "WebhookSecretRotateResult.secret",
    ]


async def test_a_draft_is_replaced_and_asks_nothing_of_anyone(product: Product) -> None:
    tenant = await make_tenant(product.database)
    member = await make_member(product.database, tenant)
    speaker = await product.as_member(member)
    first, second = await draft(product, speaker), await draft(product, speaker)
    assert first.secret != second.secret
    rejected = (await speaker.query(CONFIRM, code=first.shown()))["totpConfirm"]
    assert (rejected["__typename"], rejected["triesLeft"]) == ("FactorRejected", 4)
    assert (await product.login(member.email))["__typename"] == "LoginSuccess"
    assert (await speaker.query(STEP_UP, code=second.shown()))["stepUp"]["code"] == "FACTOR_NOT_SET"
    assert (await speaker.query(CONFIRM, code=second.shown()))["totpConfirm"]["__typename"] == "TotpConfirmed"


@pytest.mark.requirement("002-03")
async def test_a_login_asks_for_the_factor_and_the_challenge_is_no_token(product: Product) -> None:
    world, email, phone = await person(product)
    before = await live_sessions(product, email)
    reply = await product.anonymous.ask(LOGIN, {"input": product.login_input(email)})
    made = reply.data["login"]
    assert (made["__typename"], made["code"]) == ("MfaRequired", "MFA_REQUIRED")
    assert made["methods"] == ["TOTP", "RECOVERY_CODE"]
    assert "set-cookie" not in reply.headers
    (record,) = await product.trail(reply)
    assert (record["outcome"], record["code"], record["tenant"]) == (
        "REFUSED",
        "MFA_REQUIRED",
        world.tenant.node_id,
    )
    challenge = made["challenge"]
    assert challenge not in str(record)
    refused = await product.with_token(challenge).ask(WHO)
    assert (refused.status, refused.codes) == (401, ["UNAUTHENTICATED"])
    ticket = await product.anonymous.ask(SWITCH, {"tenant": world.tenant.node_id, "ticket": challenge})
    assert ticket.errors[0]["extensions"]["reason"] == "TICKET_INVALID"
    assert await live_sessions(product, email) == before
    signed = await verified(product, challenge, phone.next())
    assert signed["__typename"] == "LoginSuccess"
    assert signed["viewer"]["session"]["factorAt"] is not None
    assert (await product.with_token(signed["accessToken"]).query(WHO))["viewer"]["scope"] == "TENANT"


async def test_a_challenge_is_good_once_for_five_minutes_and_survives_a_wrong_code(product: Product) -> None:
    _, email, phone = await person(product)
    challenge = await challenge_of(product, email)
    wrong = await verified(product, challenge, phone.wrong())
    assert (wrong["__typename"], wrong["code"], wrong["triesLeft"]) == (
        "FactorRejected",
        "FACTOR_REJECTED",
        4,
    )
    assert (await verified(product, challenge, phone.next()))["__typename"] == "LoginSuccess"
    late = await challenge_of(product, email)
    product.clock.forward(301)
    for lapsed in (challenge, late, "none", "", "x.%", "x.ÿ"):
        reply = await product.anonymous.ask(VERIFY, {"challenge": lapsed, "code": phone.next()})
        assert reply.errors[0]["extensions"] == {"code": "UNAUTHENTICATED", "reason": "CHALLENGE_INVALID"}


async def test_each_code_is_taken_once_in_parallel_too(product: Product) -> None:
    _, email, phone = await person(product)
    for _ in range(3):
        challenges = [await challenge_of(product, email) for _ in range(8)]
        code = phone.next()
        answers = await asyncio.gather(*(verified_raw(product, each, code) for each in challenges))
        assert [reply.text.count('"LoginSuccess"') for reply in answers].count(1) == 1
        assert {len(reply.codes) for reply in answers} <= {0, 1}
        product.clock.forward(901)


async def verified_raw(product: Product, challenge: str, code: str) -> Reply:
    return await product.anonymous.ask(VERIFY, {"challenge": challenge, "code": code})


async def test_a_recovery_code_stands_in_once(product: Product) -> None:
    _, email, phone = await person(product)
    code = phone.recovery_codes[3]
    challenge = await challenge_of(product, email)
    assert (await verified(product, challenge, code.upper()))["__typename"] == "LoginSuccess"
    again = await challenge_of(product, email)
    assert (await verified(product, again, code))["code"] == "FACTOR_REJECTED"
    assert (await verified(product, again, phone.recovery_codes[4]))["__typename"] == "LoginSuccess"


async def test_confirming_and_disabling_end_every_other_session_in_all_tenants(product: Product) -> None:
    email = address()
    here, there = await make_tenant(product.database), await make_tenant(product.database)
    member = await make_member(product.database, here, email=email)
    other = await product.as_member(await make_member(product.database, there, email=email))
    another = await product.as_member(member)
    speaker = await product.as_member(member)
    phone = await set_up(product, speaker)
    for ended in (other, another):
        reply = await ended.ask(WHO)
        assert reply.errors[0]["extensions"]["reason"] == "REVOKED"
    assert (await speaker.query(WHO))["viewer"]["user"]["mfaEnabled"] is True
    second = await verified(product, await switch_challenge(product, email, here.node_id), phone.next())
    later = product.with_token(second["accessToken"])
    assert (await later.query(DISABLE, code=phone.next()))["totpDisable"]["__typename"] == "TotpDisabled"
    assert (await speaker.ask(WHO)).errors[0]["extensions"]["reason"] == "REVOKED"
    assert (await later.ask(WHO)).errors[0]["extensions"]["reason"] == "AUTHORITY_CHANGED"
    assert (await product.login(email, tenantId=here.node_id))["__typename"] == "LoginSuccess"


async def switch_challenge(product: Product, email: str, tenant: str) -> str:
    """By the ticket of a person of several tenants."""
    ticket = (await product.login(email))["ticket"]
    made = (await product.anonymous.query(SWITCH, tenant=tenant, ticket=ticket))["tenantSwitch"]
    assert made["__typename"] == "MfaRequired"
    return made["challenge"]


async def test_a_switch_by_token_takes_the_factor_along(product: Product) -> None:
    world, email, phone = await person(product)
    there = await make_tenant(product.database)
    await make_member(product.database, there, email=email)
    signed = await verified(
        product, await switch_challenge(product, email, world.tenant.node_id), phone.next()
    )
    proved = signed["viewer"]["session"]["factorAt"]
    made = await product.with_token(signed["accessToken"]).query(SWITCH, tenant=there.node_id)
    assert made["tenantSwitch"]["viewer"]["session"]["factorAt"] == proved


async def test_an_invitation_is_accepted_when_the_factor_is_proved(product: Product) -> None:
    _, email, phone = await person(product)
    there = await World.make(product)
    token = token_in(await there.invited(email))
    given = {"token": token, "login": product.login_input(email)}
    asked = (await product.anonymous.query(ACCEPT, input=given))["invitationAccept"]
    assert asked["__typename"] == "MfaRequired"
    status = "SELECT status FROM member WHERE tenant_id = $1 AND email = $2"
    assert await product.database.value(status, there.tenant.id, email) == "INVITED"
    assert (await verified(product, asked["challenge"], phone.wrong()))["code"] == "FACTOR_REJECTED"
    assert await product.database.value(status, there.tenant.id, email) == "INVITED"
    assert (await verified(product, asked["challenge"], phone.next()))["__typename"] == "LoginSuccess"
    assert await product.database.value(status, there.tenant.id, email) == "ACTIVE"
    assert (await product.anonymous.query(ACCEPT, input=given))["invitationAccept"]["code"] == "NOT_INVITED"


async def test_what_has_changed_since_the_challenge_counts(product: Product) -> None:
    world, email, phone = await person(product)
    challenge = await challenge_of(product, email)
    await product.database.seen_by_owner(
        "UPDATE member SET status = 'SUSPENDED', version = version + 1 WHERE tenant_id = $1 AND email = $2",
        world.tenant.id,
        email,
    )
    before = await snapshot(product.database)
    assert (await verified(product, challenge, phone.next()))["code"] == "MEMBER_SUSPENDED"
    assert await snapshot(product.database) == before


async def test_a_stale_factor_is_proved_anew_for_what_asks_for_a_fresh_one(product: Product) -> None:
    world = await World.make(product)
    admin = await make_member(product.database, world.tenant, "admin")
    speaker = product.as_(world.owner)
    phone = await set_up(product, speaker)
    product.clock.forward(301)
    before = await snapshot(product.database)
    refused = await speaker.ask(TRANSFER, {"member": admin.node_id})
    assert refused.errors[0]["extensions"] == {"code": "STEP_UP_REQUIRED", "freshness": 300}
    assert await snapshot(product.database) == before
    stepped = await speaker.ask(STEP_UP, {"code": phone.shown()})
    assert stepped.data["stepUp"]["__typename"] == "SteppedUp"
    (record,) = await product.trail(stepped)
    assert (record["action"], record["outcome"]) == ("factor.step_up", "OK")
    assert (await speaker.query(TRANSFER, member=admin.node_id))["ownershipTransfer"]


async def test_a_factor_is_proved_for_one_session_and_not_for_another(product: Product) -> None:
    world = await World.make(product)
    member = await make_member(product.database, world.tenant, "owner")
    phone = await set_up(product, await product.as_member(member))
    signed = await verified(product, await challenge_of(product, member.email), phone.next())
    product.clock.forward(301)
    other = await verified(product, await challenge_of(product, member.email), phone.next())
    admin = await make_member(product.database, world.tenant, "admin")
    old, new = (product.with_token(each["accessToken"]) for each in (signed, other))
    assert (await old.ask(TRANSFER, {"member": admin.node_id})).codes == ["STEP_UP_REQUIRED"]
    assert (await new.ask(TRANSFER, {"member": admin.node_id})).errors == []


async def test_a_tenant_can_ask_its_members_for_a_factor(product: Product) -> None:
    world = await World.make(product)
    member = await make_member(product.database, world.tenant, "manager")
    manager = await product.as_member(member)
    assert (await manager.ask(MEMBERS)).errors == []
    owner = product.as_(world.owner)
    await set_up(product, owner)
    assert (await owner.query(REQUIRE, on=True))["tenantUpdate"]["tenant"]["mfaRequired"] is True
    assert (await manager.ask(MEMBERS)).errors[0]["extensions"]["reason"] == "AUTHORITY_CHANGED"
    made = await product.login(member.email)
    waiting = product.with_token(made["accessToken"])
    refused = await waiting.ask(MEMBERS)
    assert refused.errors[0]["extensions"] == {"code": "STEP_UP_REQUIRED", "freshness": None}
    can = await waiting.query('{ viewer { can(permission: "user:read") { allowed } } }')
    assert can["viewer"]["can"]["allowed"] is False
    await set_up(product, waiting)
    assert (await waiting.ask(MEMBERS)).errors == []
    proved = await product.login(await owner_address(product, world))
    assert proved["__typename"] == "MfaRequired"


async def owner_address(product: Product, world: World) -> str:
    return str(await product.database.value("SELECT email FROM member WHERE id = $1", world.owner.member_id))


async def test_taking_the_factor_away_takes_away_what_asks_for_it(product: Product) -> None:
    world = await World.make(product)
    await product.database.seen_by_owner(
        "UPDATE role SET mfa_required = true WHERE tenant_id = $1 AND key = 'manager'", world.tenant.id
    )
    member = await make_member(product.database, world.tenant, "manager")
    made = await product.login(member.email)
    speaker = product.with_token(made["accessToken"])
    assert (await speaker.ask(MEMBERS)).codes == ["STEP_UP_REQUIRED"]
    phone = await set_up(product, speaker)
    assert (await speaker.ask(MEMBERS)).errors == []
    assert (await speaker.query(DISABLE, code=phone.next()))["totpDisable"]["__typename"] == "TotpDisabled"
    assert (await speaker.ask(MEMBERS)).codes == ["UNAUTHENTICATED"]
    again = product.with_token((await product.login(member.email))["accessToken"])
    assert (await again.ask(MEMBERS)).codes == ["STEP_UP_REQUIRED"]


async def test_a_wrong_code_disables_nothing_and_is_counted(product: Product) -> None:
    world = await World.make(product)
    speaker = product.as_(world.owner)
    phone = await set_up(product, speaker)
    rejected = (await speaker.query(DISABLE, code=phone.wrong()))["totpDisable"]
    assert (rejected["__typename"], rejected["triesLeft"]) == ("FactorRejected", 4)
    assert (await speaker.query(WHO))["viewer"]["user"]["mfaEnabled"] is True


async def test_the_platform_helps_a_person_out_who_has_lost_everything(product: Product) -> None:
    world, email, _ = await person(product)
    staff = await system_authority(product.database)
    await world.prove(staff)
    reset = "mutation($id: ID!) { factorReset(input: {userId: $id}) { __typename ... on Problem { code } } }"
    user = await product.database.value('SELECT node_id FROM "user" WHERE email = $1', email)
    reply = await product.as_(staff).ask(reset, {"id": user})
    assert reply.data["factorReset"]["__typename"] == "FactorReset"
    (record,) = await product.trail(reply)
    assert record["action"] == "factor.reset"
    assert user in record["targets"]
    assert await live_sessions(product, email) == 0
    assert (await product.login(email))["__typename"] == "LoginSuccess"
    assert (await product.as_(staff).query(reset, id=user))["factorReset"]["code"] == "FACTOR_NOT_SET"


async def test_a_role_of_a_blueprint_is_seen_to_ask_for_a_factor(product: Product) -> None:
    tenant = await make_tenant(product.database)
    assert await role_id(product.database, tenant, "manager")
    authority = await signed_in(product.database, tenant, "manager")
    assert authority.awaits_factor is False
    await product.database.seen_by_owner("UPDATE tenant SET mfa_required = true WHERE id = $1", tenant.id)
    member = await make_member(product.database, tenant, "manager")
    assert (await sign_in(product.database, member)).awaits_factor is True
