"""GraphiQL as a newcomer meets it, in a real browser, against the running service."""

import re

import httpx
import pytest
from playwright.async_api import Browser, Response
from pyotp.totp import TOTP

from tests.support.api import Speaker
from tests.support.authenticator import CONFIRM, ENROLL
from tests.support.chromium import graphiql

pytestmark = pytest.mark.browser


@pytest.mark.requirement("J-07")
async def test_an_owner_signs_in_and_takes_the_tour(chromium: Browser, running_server: str) -> None:
    async with graphiql(chromium, running_server) as opened:
        await opened.sign_in("Owner")
        me, members = await opened.run_step(1), await opened.run_step(2)
        assert "errors" not in me
        assert me["data"]["viewer"]["can"]["allowed"] is True
        assert "errors" not in members
        found = members["data"]["tenant"]["members"]
        assert found["totalCount"] == len(found["nodes"]) > 1
        assert all(member["roles"] for member in found["nodes"])
        assert (opened.witness.foreign, opened.witness.errors) == ([], [])


@pytest.mark.requirement("J-07")
async def test_the_whole_tour_needs_no_typing(chromium: Browser, running_server: str) -> None:
    async with graphiql(chromium, running_server) as opened:
        await opened.sign_in("Owner")
        for step in (1, 2):
            assert "errors" not in await opened.run_step(step)
        invited = (await opened.run_step(3))["data"]["invitationsCreate"]["results"]
        again = (await opened.run_step(3))["data"]["invitationsCreate"]["results"]
        changed = (await opened.run_step(4))["data"]["memberRolesSet"]
        refused = await opened.run_step(5)
        trail = (await opened.run_step(6))["data"]["tenant"]["auditEvents"]["nodes"]
        assert [result["__typename"] for result in (*invited, *again)] == [
            "InvitationCreated",
            "InvitationPending",
        ]
        assert invited[0]["invitation"]["roles"] == [{"name": "Agent"}]
        assert changed["__typename"] == "MemberRolesSet"
        assert changed["member"]["roles"] == [{"key": "agent", "name": "Agent"}]
        assert [error["extensions"]["code"] for error in refused["errors"]] == ["SCOPE_MISMATCH"]
        told = [(record["operationName"], record["outcome"], record["code"]) for record in trail]
        assert told[:4] == [
            ("Refused", "REFUSED", "SCOPE_MISMATCH"),
            ("ChangeRoles", "OK", None),
            ("Invite", "OK", None),
            ("Invite", "OK", None),
        ]
        assert {record["actor"]["label"] for record in trail[:4]} == {"Olivia Owner"}
        assert (opened.witness.foreign, opened.witness.errors) == ([], [])


async def test_a_second_factor_is_asked_for_and_a_wrong_code_is_told(
    chromium: Browser, running_server: str
) -> None:
    async with graphiql(chromium, running_server) as opened:
        tokens: list[str] = []
        async with opened.page.expect_response(carries_a_token) as answered:
            await opened.sign_in("Manager")
        tokens.append((await (await answered.value).json())["data"]["login"]["accessToken"])
        async with httpx.AsyncClient(base_url=running_server, trust_env=False) as http:
            speaker = Speaker(http, tokens[0])
            secret = (await speaker.query(ENROLL))["totpEnroll"]["secret"]
            confirmed = (await speaker.query(CONFIRM, code=TOTP(secret).now()))["totpConfirm"]
        await opened.sign_out()
        await opened.choose("Manager")
        code = opened.page.get_by_label("Code of your authenticator")
        await code.fill("wrong")
        await opened.page.get_by_role("button", name="Confirm").click()
        await opened.page.get_by_text("FACTOR_REJECTED").wait_for()
        await code.fill(confirmed["recoveryCodes"][0])
        await opened.page.get_by_role("button", name="Confirm").click()
        await opened.page.get_by_role("button", name="Sign out").wait_for()
        me = await opened.run_step(1)
        assert "errors" not in me
        assert (opened.witness.foreign, opened.witness.errors) == ([], [])


async def carries_a_token(response: Response) -> bool:
    """Whether it is the answer to a login that succeeded."""
    return response.url.endswith("/graphql") and b'"LoginSuccess"' in await response.body()


async def test_what_was_typed_under_variables_stays(chromium: Browser, running_server: str) -> None:
    async with graphiql(chromium, running_server) as opened:
        await opened.sign_in("Owner")
        await opened.run_step(2)
        await opened.open_step(4)
        await opened.page.get_by_text("// Mia Manager").wait_for()
        await opened.put_variables('{"memberId": "M_mine"}')
        await opened.run_step(2)
        await opened.open_step(4)
        await opened.page.get_by_text("M_mine").wait_for()
        assert await opened.variables() == '{"memberId": "M_mine"}'


async def test_an_agent_is_refused_what_the_role_does_not_allow(
    chromium: Browser, running_server: str
) -> None:
    async with graphiql(chromium, running_server) as opened:
        await opened.sign_in("Agent")
        me, members = await opened.run_step(1), await opened.run_step(2)
        assert me["data"]["viewer"]["can"]["allowed"] is False
        assert {error["extensions"]["code"] for error in members["errors"]} == {"FORBIDDEN"}
        assert not ((members["data"] or {}).get("tenant") or {}).get("members")
        await opened.page.get_by_text("FORBIDDEN").first.wait_for()


async def test_the_platform_is_closed_to_a_tenant_s_owner(chromium: Browser, running_server: str) -> None:
    async with graphiql(chromium, running_server) as opened:
        await opened.sign_in("Owner")
        answer = await opened.run_step(5)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["SCOPE_MISMATCH"]


async def test_signed_out_only_public_fields_answer(chromium: Browser, running_server: str) -> None:
    async with graphiql(chromium, running_server) as opened:
        before = await opened.run_step(1)
        await opened.sign_in("Owner")
        await opened.sign_out()
        after = await opened.run_step(1)
        for answer in (before, after):
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]


async def test_the_trail_holds_what_the_tour_did(chromium: Browser, running_server: str) -> None:
    async with graphiql(chromium, running_server) as opened:
        await opened.sign_in("Owner")
        await opened.run_step(2)
        trail = await opened.run_step(6)
        assert "errors" not in trail
        assert trail["data"]["tenant"]["auditEvents"]["totalCount"] > 0


async def test_the_docs_say_which_permission_a_field_requires(chromium: Browser, running_server: str) -> None:
    async with graphiql(chromium, running_server) as opened:
        page = opened.page
        await page.get_by_role("button", name="Show Documentation Explorer").click()
        docs = page.locator(".graphiql-doc-explorer")
        for type_name in ("Query", "Tenant"):
            await docs.get_by_role("link", name=re.compile(f"^{type_name}!?$")).first.click()
        await docs.get_by_text(re.compile(r"Requires .*:.*")).first.wait_for()
        assert await docs.get_by_text("Requires").count() > 0


@pytest.mark.requirement("003-29")
async def test_the_token_is_in_no_storage_and_no_address(chromium: Browser, running_server: str) -> None:
    async with graphiql(chromium, running_server) as opened:
        await opened.sign_in("Owner")
        await opened.run_step(1)
        page = opened.page
        stored = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert "eyJ" not in stored
        assert not set(re.findall(r"graphiql:(?:tabState|headers|variables|query)", stored))
        assert page.url == f"{opened.witness.origin}/graphiql/"
        assert "eyJ" not in await page.evaluate("document.cookie")


@pytest.mark.parametrize("path", ["/dev/mailbox", "/invitation", "/dev/idp/.well-known/openid-configuration"])
async def test_development_pages_break_no_policy(chromium: Browser, running_server: str, path: str) -> None:
    async with graphiql(chromium, running_server) as opened:
        answer = await opened.page.goto(f"{opened.witness.origin}{path}")
        assert answer is not None
        assert answer.status == 200
        assert (opened.witness.foreign, opened.witness.errors) == ([], [])
