"""What anyone may know of the server."""

from collections.abc import Mapping
from typing import Any

from tenantry.access.rules import public
from tenantry.api.call import Call
from tenantry.api.planner.fields import attribute, graph_type


@graph_type(rule=public())
class SignInMethod:
    """A way to sign in that `login` accepts."""

    kind: str = attribute("FIREBASE, OIDC or DEVELOPMENT.")
    title: str = attribute("Name for people.")
    issuer: str | None = attribute("The OIDC issuer, or the Firebase project.")
    client_id: str | None = attribute("The client id that a browser uses there.")


@graph_type(rule=public())
class ServerInfo:
    """The server, before anyone has signed in."""

    version: str = attribute("The server's version.")
    environment: str = attribute("development or production.")
    sign_in_methods: list[SignInMethod] = attribute("The ways to sign in.")


async def server_info(call: Call, _arguments: Mapping[str, Any]) -> object:
    """The server's facts, as settings have them."""
    return call.server_info()
