"""A real browser that tells on the page: other hosts asked, policies broken, errors on the console."""

import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

EXECUTABLE = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
VARIABLES = ".graphiql-editor-tool .graphiql-editor:not(.hidden)"
DEBOUNCE_MS = 800
WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy broken: ${event.violatedDirective} ${event.blockedURI}`));
"""

DEMO = "Phone system demo"


@dataclass
class Witness:
    """What a browser context did that a well-made page does not."""

    origin: str
    foreign: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])

    def watch(self, context: BrowserContext) -> None:
        """Listens to every page of the context, pop-ups too."""
        context.on("request", self._request)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.foreign.append(request.url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)


@dataclass
class GraphiqlPage:
    """GraphiQL opened in a fresh context."""

    page: Page
    witness: Witness

    async def choose(self, role: str) -> None:
        """The first person of exactly that role in ``DEMO``, at the development provider."""
        async with self.page.expect_popup() as opened:
            await self.page.get_by_role("button", name="Sign in with the development provider").click()
        window = await opened.value
        badge = window.locator(".roles", has_text=re.compile(f"^{re.escape(role)}$"))
        people = window.locator(f"h2:text-is('{DEMO}') + .people")
        await people.locator("button.person", has=badge).first.click()

    async def sign_in(self, role: str) -> None:
        """As the first person of exactly that role in ``DEMO``, in the first tenant they may choose."""
        await self.choose(role)
        choice = self.page.locator(".session-choices button").first
        signed_in = self.page.get_by_role("button", name="Sign out")
        await signed_in.or_(choice).first.wait_for()
        if await choice.is_visible():
            await choice.click()
            await signed_in.wait_for()

    async def sign_out(self) -> None:
        """By the panel's button."""
        await self.page.get_by_role("button", name="Sign out").click()
        await self.page.get_by_text("signed out", exact=True).wait_for()

    async def open_step(self, number: int) -> None:
        """The tour's tab of that number."""
        await self.page.locator(".graphiql-tab-button").nth(number - 1).click()

    async def variables(self) -> str:
        """What is shown under Variables."""
        lines = await self.page.locator(f"{VARIABLES} .view-line").all_inner_texts()
        return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")

    async def put_variables(self, text: str) -> None:
        """In place of all that stands under Variables."""
        await self.page.locator(f"{VARIABLES} .view-lines").click()
        await self.page.keyboard.press("ControlOrMeta+A")
        await self.page.keyboard.insert_text(text)
        # The editor has closed brackets of its own behind the text.
        await self.page.keyboard.press("ControlOrMeta+Shift+End")
        await self.page.keyboard.press("Delete")
        # GraphiQL takes an edit into its tab a moment after the last one.
        await self.page.wait_for_timeout(DEBOUNCE_MS)

    async def run_step(self, number: int) -> dict[str, Any]:
        """Opens the tour's tab of that number, runs it, and returns the answer once it is shown."""
        await self.open_step(number)
        async with self.page.expect_response("**/graphql") as answered:
            await self.page.locator("button.graphiql-execute-button").click()
        answer: dict[str, Any] = await (await answered.value).json()
        await self.page.locator(
            ".graphiql-response .view-line", has_text=re.compile("data|errors")
        ).first.wait_for()
        return answer


@pytest_asyncio.fixture(scope="session")
async def chromium() -> AsyncGenerator[Browser]:
    """One headless browser for the run; a missing one fails the tests that ask for it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=EXECUTABLE, args=list(FLAGS))
        yield browser
        await browser.close()


@asynccontextmanager
async def graphiql(browser: Browser, base_url: str) -> AsyncGenerator[GraphiqlPage]:
    """GraphiQL of the server at ``base_url``, in a context of its own, ready to be used."""
    witness = Witness(base_url.rstrip("/"))
    context = await browser.new_context(viewport={"width": 1400, "height": 860})
    try:
        witness.watch(context)
        await context.add_init_script(WATCH_POLICY)
        page = await context.new_page()
        await page.goto(f"{witness.origin}/graphiql/")
        await page.get_by_text("signed out", exact=True).wait_for()
        yield GraphiqlPage(page, witness)
    finally:
        await context.close()
