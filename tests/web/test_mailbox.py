"""The development mailbox: newest first, links clickable, everything else inert."""

from dataclasses import asdict

import httpx
import pytest
from starlette.applications import Starlette

from tenantry.mail.port import MailMessage
from tenantry.web.development.mailbox import mailbox_routes

FIRST = MailMessage("new@example.com", "You are invited", "Join: http://127.0.0.1:8000/i#tok_en-1.\nBye")
SECOND = MailMessage(
    "evil@example.com", "<script>x()</script>", '<b> javascript:x() "http://a.example/?a=1&b=2"'
)


def client(
    *letters: MailMessage, peer: str = "127.0.0.1", base: str = "http://localhost"
) -> httpx.AsyncClient:
    app = Starlette(routes=mailbox_routes(lambda: letters))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(peer, 1)), base_url=base)


async def test_letters_are_shown_newest_first() -> None:
    async with client(FIRST, SECOND) as http:
        text = (await http.get("/dev/mailbox")).text
    assert text.index("&lt;script&gt;") < text.index("You are invited")


async def test_a_link_is_clickable_without_its_full_stop() -> None:
    async with client(FIRST) as http:
        text = (await http.get("/dev/mailbox")).text
    assert '<a href="http://127.0.0.1:8000/i#tok_en-1" rel="noreferrer">' in text
    assert "</a>.\nBye" in text


async def test_nothing_a_letter_says_is_markup() -> None:
    async with client(SECOND) as http:
        answer = await http.get("/dev/mailbox")
    assert "<script" not in answer.text
    assert "<b>" not in answer.text
    assert 'href="javascript' not in answer.text
    assert 'href="http://a.example/?a=1&amp;b=2"' in answer.text


async def test_the_page_is_strict_and_looks_again_by_itself() -> None:
    async with client() as http:
        answer = await http.get("/dev/mailbox")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers["cache-control"] == "no-store"
    assert '<meta http-equiv="refresh" content="5">' in answer.text
    assert "No letter yet" in answer.text


async def test_programs_read_json() -> None:
    async with client(FIRST, SECOND) as http:
        answer = await http.get("/dev/mailbox.json")
    assert answer.json()["messages"] == [asdict(SECOND), asdict(FIRST)]


@pytest.mark.parametrize("path", ["/dev/mailbox", "/dev/mailbox.json"])
async def test_the_network_reads_no_letter(path: str) -> None:
    async with client(FIRST, peer="192.0.2.7") as far, client(FIRST, base="http://rebound.example") as odd:
        answers = [await far.get(path), await odd.get(path)]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert not any("tok_en" in answer.text for answer in answers)
