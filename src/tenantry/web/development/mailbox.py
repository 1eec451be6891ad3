"""``/dev/mailbox``: the letters that the service would have sent, for a developer to open."""

import re
from collections.abc import Callable, Sequence
from html import escape

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tenantry.mail.port import MailMessage
from tenantry.web.development.guard import LoopbackOnly
from tenantry.web.development.pages import page

REFRESH_SECONDS = 5
_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]")


def mailbox_routes(messages: Callable[[], Sequence[MailMessage]]) -> list[BaseRoute]:
    """The mailbox's routes; ``messages`` gives what was sent, oldest first."""

    async def show(_: Request) -> Response:
        return page("Mailbox · Tenantry", _body(messages()), refresh=REFRESH_SECONDS)

    async def list_as_json(_: Request) -> Response:
        letters = [{"to": item.to, "subject": item.subject, "text": item.text} for item in messages()]
        return JSONResponse({"messages": letters[::-1]}, headers={"Cache-Control": "no-store"})

    guard = [Middleware(LoopbackOnly)]
    return [
        Route("/dev/mailbox", show, methods=["GET"], middleware=guard),
        Route("/dev/mailbox.json", list_as_json, methods=["GET"], middleware=guard),
    ]


def _body(letters: Sequence[MailMessage]) -> str:
    head = (
        '<p class="brand">Tenantry · development</p><h1>Mailbox</h1>'
        '<p class="soft">Nothing leaves this machine: letters end here, in memory, newest first. '
        f"The page looks again every {REFRESH_SECONDS} seconds.</p>"
    )
    if not letters:
        return f"{head}<p>No letter yet. Invite someone, and their letter is here.</p>"
    return head + "".join(_letter(letter) for letter in reversed(letters))


def _letter(letter: MailMessage) -> str:
    return (
        f'<article class="letter"><h2>{escape(letter.subject)}</h2>'
        f'<div class="soft">to {escape(letter.to)}</div><pre>{_with_links(letter.text)}</pre></article>'
    )


def _with_links(text: str) -> str:
    parts: list[str] = []
    end = 0
    for found in _LINK.finditer(text):
        url = escape(found.group())
        parts += [escape(text[end : found.start()]), f'<a href="{url}" rel="noreferrer">{url}</a>']
        end = found.end()
    return "".join([*parts, escape(text[end:])])
