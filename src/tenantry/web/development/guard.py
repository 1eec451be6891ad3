"""The development pages stay on the developer's machine: checked at start-up and at each request."""

from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tenantry.settings import Settings

HINT = "Set TENANTRY_ENVIRONMENT=development and keep TENANTRY_HOST and TENANTRY_PUBLIC_URL on loopback."


class DevelopmentOnly(RuntimeError):
    """Something that signs anyone in as anyone was asked for where others could reach it."""

    def __init__(self, setting: str, value: str) -> None:
        super().__init__(
            f"The development identity provider and mailbox do not start here: {setting} is {value}. {HINT}"
        )
        self.setting = setting


def require_development(settings: Settings) -> None:
    """Raises DevelopmentOnly unless this is a developer's machine that only itself can reach."""
    if not settings.development:
        raise DevelopmentOnly("TENANTRY_ENVIRONMENT", settings.environment.value)
    if not is_loopback(settings.host):
        raise DevelopmentOnly("TENANTRY_HOST", settings.host)
    if not is_loopback(settings.public_url.host or ""):
        raise DevelopmentOnly("TENANTRY_PUBLIC_URL", str(settings.public_url))


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine; names other than localhost never do."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class LoopbackOnly:
    """Answers 403 unless peer and ``Host`` are loopback.

    The peer keeps the network out where the bind address did not; ``Host`` keeps out a web
    page that has rebound its own name to 127.0.0.1.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _from_here(scope):
            refusal = PlainTextResponse("This page answers on this machine only.\n", status_code=403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _from_here(scope: Scope) -> bool:
    peer = scope.get("client")
    host = Headers(scope=scope).get("host", "")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return peer is not None and is_loopback(peer[0]) and is_loopback(name)
