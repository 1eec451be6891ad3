"""``/graphql``: GraphQL over HTTP on bare ASGI, since every operation passes here.

The order of checks is from cheap to dear: media types, origin, size, credential, and only
then the body. A bad credential is refused by the graph, which records it; what is refused
before never was an operation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import structlog
from starlette.types import Receive, Scope, Send

from tenantry.access.rules import Rule
from tenantry.api.operations import Answer, Caller, Operation
from tenantry.kernel.errors import DomainError, Unauthenticated, Unavailable
from tenantry.kernel.principal import ANONYMOUS, Principal
from tenantry.web import bodies, media_types, parameters
from tenantry.web.authentication import Authenticator, authenticate, challenge
from tenantry.web.cookies import refresh_token, set_cookie
from tenantry.web.origins import CSRF_HEADER, Origins
from tenantry.web.parameters import Parameters
from tenantry.web.refusals import (
    BodyTooLarge,
    CrossSite,
    HeaderPairs,
    MethodNotAllowed,
    NotAcceptable,
    RequestRefused,
    UnsupportedMediaType,
    allow,
    print_error,
    print_internal,
)
from tenantry.web.requests import (
    PATH_CHARACTERS,
    Clients,
    Headers,
    Request,
    new_request_id,
    printable,
    read_headers,
)
from tenantry.web.stored.operation import WITH_BODY, Chosen
from tenantry.web.telemetry import request_scope

log = structlog.stdlib.get_logger(__name__)

GRAPHQL_PATH = "/graphql"
HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_METHODS = ("GET", "POST")

_NO_METHOD = "Send operations by POST; queries also by GET."
_NO_STORED_METHOD = "This path is not asked for by this method; the header Allow names those it has."
RETRY_SHORTLY = (b"retry-after", b"2")
_ALWAYS: HeaderPairs = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"accept, authorization, origin"),
)


class Graph(Protocol):
    """What the wire needs of the schema; both verbs return once the record is durable."""

    async def serve(self, operation: Operation) -> Answer:
        """Runs one operation; errors are in the answer."""
        ...

    async def refuse(self, caller: Caller, error: DomainError) -> Answer:
        """Records ``operation.refused`` and prints the error."""
        ...

    def as_str(self) -> str:
        """The schema in SDL."""
        ...


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come in, and with how much."""

    authenticators: Sequence[Authenticator]
    origins: Origins
    clients: Clients
    body_bytes: int
    body_seconds: float = bodies.BODY_SECONDS
    secure: bool = False
    """Reached by HTTPS alone, and browsers are told so."""


class Reply(NamedTuple):
    """One HTTP response."""

    body: bytes
    status: int = 200
    content_type: bytes = media_types.JSON
    headers: HeaderPairs = ()


class GraphQLEndpoint:
    """What answers ``/graphql``: an ASGI application, and what ``web.direct`` calls without ASGI."""

    def __init__(self, graph: Graph, door: Door) -> None:
        self._graph = graph
        self._door = door
        self._always: HeaderPairs = (*_ALWAYS, HSTS) if door.secure else _ALWAYS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self.request_of(scope)
        reply = await self.reply(request, receive)
        if reply is not None:
            await send_reply(send, reply, self.headers(request, reply))

    def request_of(self, scope: Scope) -> Request:
        """The request of an ASGI scope of type ``http``."""
        peer = scope.get("client")
        query_string = scope.get("query_string", b"")
        made = self.request(
            scope["method"], read_headers(scope["headers"]), query_string, peer[0] if peer else None
        )
        if scope["path"] == GRAPHQL_PATH:
            return made
        return made._replace(path=printable(scope["path"][:PATH_CHARACTERS]))

    def request(self, method: str, headers: Headers, query_string: bytes, peer: str | None) -> Request:
        """What is known before the body; ``peer`` is the address at the other end of the socket."""
        return Request(
            id=new_request_id(),
            method=method,
            path=GRAPHQL_PATH,
            headers=headers,
            query_string=query_string,
            ip=self._door.clients.address(peer, headers),
        )

    async def reply(
        self, request: Request, body: bytes | Receive, *, stored: Chosen | None = None
    ) -> Reply | None:
        """The response, its record durable; None where the client has gone. Never raises an ``Exception``.

        ``body`` is all of it, or where to receive it from once it is wanted. ``stored`` is what
        a path of stored operations comes to; its document is run whatever the request says.
        """
        content_type = media_types.response_type(request.headers.get(b"accept"))
        with request_scope(request.id):
            try:
                return await self._reply(request, body, content_type, stored)
            except bodies.ClientGone:
                return None
            except (RequestRefused, Unavailable) as error:
                return _refused(request, error, content_type)
            except Exception:
                log.exception("request.failed", path=request.path)
                return Reply(print_internal(request.id), 500, content_type or media_types.JSON)

    def headers(self, request: Request, reply: Reply) -> HeaderPairs:
        """Every header field of the response."""
        pairs = [
            (b"content-type", reply.content_type),
            (b"content-length", b"%d" % len(reply.body)),
            (b"x-request-id", request.id.encode()),
            *self._always,
            *reply.headers,
            *self._door.origins.cors(request.headers),
        ]
        return pairs[2:] if reply.status == 204 else pairs

    async def _reply(
        self, request: Request, body: bytes | Receive, content_type: bytes | None, stored: Chosen | None
    ) -> Reply:
        methods = _METHODS if stored is None else stored.methods
        if request.method == "OPTIONS":
            cross_site = self._door.origins.preflight(request.headers, methods)
            return Reply(b"", 204, headers=[allow(methods), *cross_site])
        if request.method not in methods:
            raise MethodNotAllowed(_NO_METHOD if stored is None else _NO_STORED_METHOD, methods)
        if content_type is None:
            raise NotAcceptable
        self._door.origins.check(request.headers)
        operation = None if stored is None else stored.operation
        if operation is not None and operation.by_cookie and CSRF_HEADER not in request.headers:
            raise CrossSite
        if request.method in WITH_BODY:
            self._check_body(request)
        try:
            principal = authenticate(self._door.authenticators, request.headers)
        except Unauthenticated as error:
            log.info("credential.refused", reason=str(error.reason))
            answer = await self._graph.refuse(request.caller(ANONYMOUS), error)
        else:
            found = (
                self._whole(body) if isinstance(body, bytes) else await self._received(request, body, stored)
            )
            rule = None if operation is None else operation.rule
            answer = await self._graph.serve(self._operation(request, principal, found, rule))
        return _answered(answer, request, content_type)

    def _check_body(self, request: Request) -> None:
        encoding = request.headers.get(b"content-encoding")
        plain = encoding is None or encoding.lower() == b"identity"
        if not (plain and media_types.is_json(request.headers.get(b"content-type"))):
            raise UnsupportedMediaType
        bodies.check_declared(request.headers, self._door.body_bytes)

    def _whole(self, body: bytes) -> Parameters:
        if len(body) > self._door.body_bytes:
            raise BodyTooLarge(self._door.body_bytes)
        return parameters.from_json(body)

    async def _received(self, request: Request, receive: Receive, stored: Chosen | None) -> Parameters:
        if stored is not None and stored.operation is not None:
            body = await self._body(receive) if stored.operation.reads_body else b""
            return stored.operation.read(stored.values, request.query_string, body)
        if request.method == "GET":
            return parameters.from_query_string(request.query_string)
        return parameters.from_json(await self._body(receive))

    async def _body(self, receive: Receive) -> bytes:
        return await bodies.read_body(receive, self._door.body_bytes, seconds=self._door.body_seconds)

    @staticmethod
    def _operation(request: Request, principal: Principal, found: Parameters, rule: Rule | None) -> Operation:
        return Operation(
            document=found.query,
            caller=request.caller(principal, refresh_token(request.headers)),
            operation_name=found.operation_name,
            variables=found.variables,
            mutations=request.method != "GET",
            rule=rule,
            tenant=found.tenant,
        )


async def send_reply(send: Send, reply: Reply, headers: HeaderPairs) -> None:
    """A response by ASGI."""
    await send({"type": "http.response.start", "status": reply.status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": reply.body})


def _answered(answer: Answer, request: Request, content_type: bytes) -> Reply:
    # A document or variables that cannot be run: clients of plain JSON expect 200 (section 6.4.1).
    # The other statuses are for what stands between, proxies and balancers, whatever the type.
    plain = content_type is media_types.JSON and answer.status == 400
    headers = _asked_for(answer, request)
    if answer.cookie is not None:
        headers = [*headers, set_cookie(answer.cookie)]
    return Reply(answer.body, 200 if plain else answer.status, content_type, headers)


def _asked_for(answer: Answer, request: Request) -> HeaderPairs:
    """The headers that the answer's status demands (RFC 9110, sections 10.2 and 11.6)."""
    if answer.status == 200:
        return ()
    headers: list[tuple[bytes, bytes]] = []
    if answer.status == 401:
        headers.append((b"www-authenticate", challenge(request.headers)))
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    if answer.retry_after is not None:
        headers.append((b"retry-after", b"%d" % answer.retry_after))
    elif answer.status == 503:
        headers.append(RETRY_SHORTLY)
    return headers


def _refused(request: Request, error: RequestRefused | Unavailable, content_type: bytes | None) -> Reply:
    log.info("request.refused", error=type(error).__name__, status=error.http_status, ip=request.ip)
    headers = error.headers() if isinstance(error, RequestRefused) else [RETRY_SHORTLY]
    return Reply(print_error(error), error.http_status, content_type or media_types.JSON, headers)
