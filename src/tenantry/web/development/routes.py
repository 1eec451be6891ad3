"""The pages of a developer's machine, together."""

from collections.abc import Sequence
from pathlib import Path

from starlette.routing import BaseRoute, Mount

from tenantry.kernel.clock import Clock
from tenantry.mail.mailbox import Mailbox
from tenantry.settings import OidcProvider, Settings
from tenantry.web.development.guard import require_development
from tenantry.web.development.identity_provider import DemoPerson, identity_provider
from tenantry.web.development.invitation import invitation_routes
from tenantry.web.development.mailbox import mailbox_routes
from tenantry.web.graphiql import graphiql_routes

GRAPHIQL = Path(__file__).parents[1] / "static" / "graphiql"
PROVIDER_PATH = "/dev/idp"
CLIENT_ID = "tenantry-development"


def development_issuer(settings: Settings) -> OidcProvider:
    """The development provider as an issuer that ``login`` accepts."""
    issuer = f"{settings.issuer}{PROVIDER_PATH}"
    return OidcProvider(
        issuer=issuer, audience=CLIENT_ID, title="Development provider", algorithms=("ES256",)
    )


def development_routes(
    settings: Settings, *, mailbox: Mailbox, people: Sequence[DemoPerson], clock: Clock
) -> list[BaseRoute]:
    """Provider, mailbox, invitations' page. Raises ``DevelopmentOnly`` where others could reach them."""
    require_development(settings)
    provider = development_issuer(settings)

    async def everyone() -> Sequence[DemoPerson]:
        return people

    app = identity_provider(
        issuer=provider.issuer,
        client_id=provider.audience,
        redirect_uris=[f"{settings.issuer}/graphiql/callback.html"],
        people=everyone,
        clock=clock,
    )
    return [Mount(PROVIDER_PATH, app), *mailbox_routes(mailbox.messages), *invitation_routes()]


def optional_routes(
    settings: Settings, *, mailbox: Mailbox, people: Sequence[DemoPerson], clock: Clock
) -> list[BaseRoute]:
    """What settings ask for beside the service itself: GraphiQL, and the developer's pages."""
    routes = list(graphiql_routes(GRAPHIQL)) if settings.graphiql else []
    if settings.development_provider:
        routes += development_routes(settings, mailbox=mailbox, people=people, clock=clock)
    return routes
