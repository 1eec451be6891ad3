"""The ASGI application: ``/graphql`` on its own short way, everything else through FastAPI."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenantry.settings import Settings
from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.signing import SigningKeys
from tenantry.web.access_evaluation import PATHS, AccessEvaluation
from tenantry.web.authentication import authenticators
from tenantry.web.graphql_http import GRAPHQL_PATH, HSTS, Door, Graph, GraphQLEndpoint
from tenantry.web.metrics import Metrics, metrics_endpoint
from tenantry.web.origins import CrossSite, Origins
from tenantry.web.pages import page_headers
from tenantry.web.refusals import print_internal
from tenantry.web.requests import Clients, new_request_id, read_headers
from tenantry.web.routes import front_routes, health_routes, well_known_routes
from tenantry.web.stored.endpoint import StoredEndpoint
from tenantry.web.stored.openapi import openapi_routes
from tenantry.web.stored.table import STORED
from tenantry.web.telemetry import request_scope

log = structlog.stdlib.get_logger(__name__)

REQUEST_ID = "tenantry.request_id"
"""The key of the request's id in the ASGI scope of a page."""
NO_WEBSOCKET = "No subscriptions are served here."
_DEFAULTS = page_headers("default-src 'none'; frame-ancestors 'none'")


@dataclass(frozen=True, slots=True)
class WireParts:
    """What the wire is joined to; ``lifespan`` is entered before the first request is taken."""

    graph: Graph
    access_tokens: AccessTokens
    keys: SigningKeys
    metrics: Metrics
    database_ready: Callable[[], Awaitable[bool]]
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]
    routes: Sequence[BaseRoute] = ()
    socket: ASGIApp | None = None
    """What WebSockets at ``/graphql`` are handed to, once their origin was found to be allowed."""


def build_wire(settings: Settings, parts: WireParts) -> "Wire":
    """The application to give to the server. Raises ValueError for an origin that is none."""
    door = Door(
        authenticators=authenticators(parts.access_tokens),
        origins=Origins.of(settings),
        clients=Clients(settings.trusted_proxies),
        body_bytes=settings.limits.body_bytes,
        secure=settings.public_url.scheme == "https",
    )
    socket = None if parts.socket is None else _Guarded(parts.socket, door.origins)
    pages = _pages(settings, parts)
    return Wire(GraphQLEndpoint(parts.graph, door), pages, secure=door.secure, socket=socket)


def _pages(settings: Settings, parts: WireParts) -> FastAPI:
    app = FastAPI(lifespan=parts.lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(Exception, _masked)
    app.include_router(health_routes({"database": parts.database_ready}))
    app.include_router(well_known_routes(settings.issuer, parts.keys, services=bool(settings.services)))
    app.include_router(front_routes(settings, parts.graph.as_str))
    app.include_router(openapi_routes(settings.issuer, parts.graph.as_str))
    app.router.routes.append(Route("/metrics", metrics_endpoint(parts.metrics)))
    app.router.routes.extend(parts.routes)
    return app


async def _masked(request: Request, _error: Exception) -> Response:
    body = print_internal(request.scope[REQUEST_ID])
    return Response(body, status_code=500, media_type="application/json")


class Wire:
    """Sorts what comes in; no exception leaves it, and every answer carries the request's id."""

    def __init__(
        self, graphql: GraphQLEndpoint, pages: ASGIApp, *, secure: bool, socket: ASGIApp | None = None
    ) -> None:
        self.graphql = graphql
        self._stored = StoredEndpoint(graphql, STORED)
        self._evaluation = AccessEvaluation(graphql)
        self._pages = pages
        self._secure = secure
        self._socket = socket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # Compared whole: what is not exactly such a path takes the long way and finds nothing.
            path = scope["path"]
            if path == GRAPHQL_PATH:
                await self.graphql(scope, receive, send)
            elif path in PATHS:
                await self._evaluation(scope, receive, send)
            elif (stored := self._stored.find(scope["method"], path)) is not None:
                await self._stored.answer(stored, scope, receive, send)
            else:
                await self._page(scope, receive, send)
        elif scope["type"] == "websocket":
            if self._socket is not None and scope["path"] == GRAPHQL_PATH:
                await self._socket(scope, receive, send)
            else:
                await _refuse(receive, send)
        else:
            await self._pages(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[REQUEST_ID] = request_id = new_request_id()
        outgoing = _Outgoing(send, request_id, secure=self._secure)
        with request_scope(request_id):
            try:
                await self._pages(scope, receive, outgoing)
            except Exception:
                # Starlette has answered already, with ``_masked``, and passes the exception on.
                log.exception("request.failed", path=scope["path"])


async def _refuse(receive: Receive, send: Send) -> None:
    """Close a socket before it is accepted: the handshake is answered with 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1008, "reason": NO_WEBSOCKET})


class _Guarded:
    """Another site's page may open a socket here, and no browser asks first: its origin is looked at."""

    def __init__(self, socket: ASGIApp, origins: Origins) -> None:
        self._socket = socket
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._origins.check(read_headers(scope["headers"]))
        except CrossSite:
            await _refuse(receive, send)
            return
        await self._socket(scope, receive, send)


class _Outgoing:
    """Adds what every page carries to a response on its way out; a page's own headers stand."""

    def __init__(self, send: Send, request_id: str, *, secure: bool) -> None:
        self._send = send
        self._request_id = request_id
        self._secure = secure

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            for name, value in _DEFAULTS.items():
                headers.setdefault(name, value)
            if self._secure:
                headers.raw.append(HSTS)
        await self._send(message)
