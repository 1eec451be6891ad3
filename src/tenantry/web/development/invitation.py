"""``/invitation``, where the link of a letter leads on a developer's machine: sign in, and accept.

The token stands in the address's fragment, so no request holds it; the script, which is built
with GraphiQL and shares its sign-in, reads it there and gives it to ``invitationAccept``.
"""

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tenantry.web.development.guard import LoopbackOnly
from tenantry.web.development.pages import page

PATH = "/invitation"
SCRIPT = "/graphiql/invitation.js"
_BODY = (
    '<p class="brand">Tenantry · development</p><h1>Invitation</h1>'
    '<div id="invitation" aria-live="polite"><noscript>This page needs JavaScript.</noscript></div>'
)


def invitation_routes() -> list[BaseRoute]:
    """The page's route; its script is GraphiQL's to serve."""

    async def show(_: Request) -> Response:
        return page("Invitation · Tenantry", _BODY, script=SCRIPT)

    return [Route(PATH, show, methods=["GET"], middleware=[Middleware(LoopbackOnly)])]
