"""``/graphql`` by WebSocket: Strawberry's graphql-transport-ws over the same door, while a caller may act."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from starlette.requests import Request as StarletteRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.schema import BaseSchema
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.unset import UNSET, UnsetType

from tenantry.api.operations import Caller
from tenantry.authentication.sessions.authorities import Authorities
from tenantry.authentication.sessions.endings import Endings
from tenantry.kernel.clock import Clock
from tenantry.kernel.errors import DomainError, Unauthenticated, Unavailable
from tenantry.kernel.principal import ANONYMOUS, Authority, Principal
from tenantry.web.authentication import AUTHORIZATION, Authenticator, authenticate
from tenantry.web.requests import Clients, new_request_id, read_headers, user_agent

PEER = "tenantry.peer"
"""The key of the peer in the ASGI scope of a socket."""
INIT_SECONDS = 5
OPERATIONS = 20
"""At a time on one connection."""
SOCKETS = 20
"""At a time of one session in one worker."""
MESSAGE_BYTES = 65_536
ENDED = 4401
FLUSH_SECONDS = 0.1
"""For the error that tells why to leave before the connection is closed."""


@dataclass(slots=True)
class Peer:
    """Who is at a socket. Strawberry puts ``connection_params`` there."""

    websocket: WebSocket
    ip: str | None
    user_agent: str | None
    principal: Principal = ANONYMOUS
    connection_params: dict[str, Any] | None = None
    session: UUID | None = None
    watch: asyncio.Task[None] | None = field(default=None, repr=False)

    def caller(self) -> Caller:
        """The caller of one operation."""
        return Caller(
            request_id=new_request_id(),
            principal=self.principal,
            method="WEBSOCKET",
            ip=self.ip,
            user_agent=self.user_agent,
        )


@dataclass(frozen=True, slots=True)
class SocketParts:
    """What sockets are joined to."""

    schema: BaseSchema
    authenticators: tuple[Authenticator, ...]
    authorities: Authorities
    endings: Endings
    clients: Clients
    origins: tuple[str, ...]
    clock: Clock


class GraphQLSocket(GraphQL[Peer, None]):
    """The ASGI application for WebSockets; legacy protocols are not spoken, foreign origins not accepted.

    A browser cannot set headers, so the token comes in ``connection_init``:
    ``{"authorization": "Bearer …"}``. One that does not hold closes the connection (4403). When what
    it names ends or changes, so does the connection (4401), whatever runs on it.
    """

    def __init__(self, parts: SocketParts) -> None:
        super().__init__(
            parts.schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=INIT_SECONDS),
            max_subscriptions_per_connection=OPERATIONS,
            allowed_origins=parts.origins,
        )
        self._parts = parts
        self._open: Counter[UUID] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            peer = cast("Peer | None", scope.get(PEER))
            if peer is not None and peer.watch is not None:
                peer.watch.cancel()
                with suppress(asyncio.CancelledError):
                    await peer.watch
            if peer is not None and peer.session is not None:
                self._open -= Counter([peer.session])

    async def get_context(
        self, request: StarletteRequest | WebSocket, response: Response | WebSocket
    ) -> Peer:
        del response
        headers = read_headers(request.scope["headers"])
        client = request.scope.get("client")
        ip = self._parts.clients.address(client[0] if client else None, headers)
        peer = Peer(cast("WebSocket", request), ip, user_agent(headers))
        request.scope[PEER] = peer
        return peer

    async def on_ws_connect(self, context: Peer) -> UnsetType | dict[str, object] | None:
        sent = (context.connection_params or {}).get("authorization")
        if not isinstance(sent, str):
            return UNSET
        try:
            context.principal = authenticate(
                self._parts.authenticators, {AUTHORIZATION: sent.encode("utf-8", "replace")}
            )
            authority = await self._parts.authorities.get(context.principal)
        except DomainError as error:
            raise ConnectionRejectionError from error
        if self._open[authority.session_id] >= SOCKETS:
            raise ConnectionRejectionError
        context.session = authority.session_id
        self._open[authority.session_id] += 1
        context.watch = asyncio.create_task(self._close_with(context, authority))
        return UNSET

    async def _close_with(self, peer: Peer, authority: Authority) -> None:
        """Close the connection when its caller may not act any more."""
        until = peer.principal.expires_at
        async for _ in self._parts.endings.following(authority, until=until):
            reason = await self._ended(peer.principal)
            if reason is None:
                continue
            await asyncio.sleep(FLUSH_SECONDS)
            if peer.websocket.application_state is WebSocketState.CONNECTED:
                await peer.websocket.close(ENDED, reason)
            return

    async def _ended(self, principal: Principal) -> str | None:
        """Why a credential does not hold any more; None where it does, or where nobody can tell."""
        if principal.expires_at is not None and principal.expires_at <= self._parts.clock():
            return "EXPIRED"
        try:
            await self._parts.authorities.current(principal)
        except Unauthenticated as ended:
            return ended.reason
        except Unavailable:
            return None
        return None
