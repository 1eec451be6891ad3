"""The page that a letter's link leads to while developing: its headers, and the way in, in a real browser."""

import httpx
import pytest
from playwright.async_api import Browser, Page
from starlette.applications import Starlette

from tenantry.settings import Settings
from tenantry.web.development.invitation import invitation_routes
from tests.support.chromium import GraphiqlPage, graphiql


def client(*, peer: str = "127.0.0.1") -> httpx.AsyncClient:
    app = Starlette(routes=invitation_routes())
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(peer, 1)), base_url="http://localhost"
    )


async def test_the_page_runs_one_script_of_ours_and_no_other() -> None:
    async with client() as http:
        answer = await http.get("/invitation")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'; connect-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.text.count("<script") == 1
    assert answer.headers["cache-control"] == "no-store"


async def test_the_network_does_not_see_the_page() -> None:
    async with client(peer="192.0.2.7") as far:
        answer = await far.get("/invitation")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("setting", "page"),
    [
        (None, "https://id.example/invitation"),
        ("https://app.example/welcome", "https://app.example/welcome"),
    ],
)
def test_an_operator_says_where_letters_lead(setting: str | None, page: str) -> None:
    settings = Settings.model_validate({"public_url": "https://id.example", "invitation_url": setting})
    assert settings.invitation_page == page


@pytest.mark.browser
async def test_the_invited_person_accepts_once(chromium: Browser, running_server: str) -> None:
    async with graphiql(chromium, running_server) as opened:
        link = await invite(opened, "nora@example.com")
        page = opened.page
        await page.goto(link)
        assert page.url == f"{running_server}/invitation"
        await accept(page, as_address="someone-else@example.com")
        await page.get_by_role("button", name="Try again").wait_for()
        assert await page.locator(".notice code").inner_text() == "NOT_INVITED"
        await accept(page, as_address="nora@example.com", button="Try again")
        await page.get_by_role("heading", name="Welcome to Phone system demo").wait_for()
        assert "nora@example.com is a member now, as Agent" in await page.locator("#invitation").inner_text()
        assert await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])") == "[{},{}]"
        await page.goto("about:blank")
        await page.goto(link)
        await accept(page, as_address="nora@example.com")
        await page.get_by_role("heading", name="This did not work").wait_for()
        assert (opened.witness.foreign, opened.witness.errors) == ([], [])


@pytest.mark.browser
async def test_an_address_without_its_end_is_told(chromium: Browser, running_server: str) -> None:
    async with graphiql(chromium, running_server) as opened:
        await opened.page.goto(f"{running_server}/invitation")
        await opened.page.get_by_role("heading", name="No invitation here").wait_for()
        assert await opened.page.get_by_role("button").count() == 0
        assert (opened.witness.foreign, opened.witness.errors) == ([], [])


async def invite(opened: GraphiqlPage, address: str) -> str:
    """The link of the letter to ``address``, whom Olivia has invited by the tour."""
    await opened.sign_in("Owner")
    await opened.run_step(2)
    await opened.open_step(3)
    await opened.put_variables((await opened.variables()).replace("newcomer@example.com", address))
    assert "errors" not in await opened.run_step(3)
    await opened.page.goto(f"{opened.witness.origin}/dev/mailbox")
    letter = opened.page.locator("article.letter", has_text=address)
    return str(await letter.locator("a").first.get_attribute("href"))


async def accept(page: Page, *, as_address: str, button: str = "Sign in and accept") -> None:
    """By the provider's "Someone else"."""
    async with page.expect_popup() as opened:
        await page.get_by_role("button", name=button).click()
    window = await opened.value
    await window.get_by_label("E-mail address").fill(as_address)
    await window.get_by_role("button", name="Continue").click()
