"""For registered services: does this token still hold (RFC 7662), and end its session (RFC 7009).

A service that verifies our tokens by itself learns of a revocation when they expire; one that asks
here learns of it at once. It signs in with a secret of its own by HTTP Basic; every question is in
the trail, as is every refusal.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tenantry.audit.actions import AuditAction
from tenantry.audit.records import AuditEntry, Outcome, record_id
from tenantry.audit.trail import Trail
from tenantry.authentication.sessions.authorities import Authorities
from tenantry.authentication.sessions.service import end_of
from tenantry.cache.rate_limits import RateLimiter, RateRule, neighbourhood
from tenantry.kernel.clock import Clock
from tenantry.kernel.errors import ErrorCode, RateLimited, Unauthenticated, Unavailable
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import ActorKind, Authority, Scope
from tenantry.settings import RegisteredService
from tenantry.storage.database import Database
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.access_tokens import AccessClaims, AccessTokens
from tenantry.tokens.discovery import INTROSPECTION_PATH, REVOCATION_PATH
from tenantry.tokens.errors import AccessTokenRejected
from tenantry.web.bodies import ClientGone, read_body
from tenantry.web.refusals import RequestRefused
from tenantry.web.requests import Clients, new_request_id, read_headers, user_agent

MAX_BODY = 32_768
FORM = "application/x-www-form-urlencoded"
_NOBODY = hashlib.sha256(b"").hexdigest()
_INVALID_CLIENT = {"WWW-Authenticate": 'Basic realm="tenantry"'}


class NoToken(Exception):
    """The form names no token."""


@dataclass(frozen=True, slots=True)
class TokenParts:
    """What the two endpoints work with."""

    services: tuple[RegisteredService, ...]
    tokens: AccessTokens
    authorities: Authorities
    database: Database
    trail: Trail
    clients: Clients
    limiter: RateLimiter
    questions: RateRule
    clock: Clock


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request: who sends it, from where, with which token; ``service`` is None for a stranger."""

    id: str
    path: str
    action: AuditAction
    ip: str | None
    user_agent: str | None
    service: str | None
    token: str


def token_service_routes(parts: TokenParts) -> list[BaseRoute]:
    """The two endpoints; none where no service is registered."""
    if not parts.services:
        return []
    both = {
        INTROSPECTION_PATH: (AuditAction.TOKEN_INTROSPECT, _introspect),
        REVOCATION_PATH: (AuditAction.TOKEN_REVOKE, _revoke),
    }
    return [
        Route(path, _endpoint(parts, action, answer), methods=["POST"])
        for path, (action, answer) in both.items()
    ]


_Answer = Callable[[TokenParts, _Asked], Awaitable[Mapping[str, object] | None]]


def _endpoint(
    parts: TokenParts, action: AuditAction, answer: _Answer
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            asked = await _read(parts, request, action)
            await parts.limiter.hit(parts.questions, asked.service or neighbourhood(asked.ip))
            if asked.service is None:
                refused = _entry(parts, asked, None, Outcome.REFUSED, ErrorCode.UNAUTHENTICATED)
                await parts.trail.record([refused])
                return JSONResponse({"error": "invalid_client"}, 401, _INVALID_CLIENT)
            body = await answer(parts, asked)
        except (NoToken, RequestRefused, RateLimited, Unavailable, ClientGone) as refusal:
            return _refused(refusal)
        return Response() if body is None else JSONResponse(body)

    return endpoint


def _refused(refusal: Exception) -> Response:
    match refusal:
        case RequestRefused():
            return JSONResponse({"error": "invalid_request"}, refusal.http_status)
        case RateLimited():
            return JSONResponse({"error": "slow_down"}, 429, {"Retry-After": str(refusal.retry_after)})
        case Unavailable():
            return JSONResponse({"error": "temporarily_unavailable"}, 503, {"Retry-After": "2"})
        case NoToken():
            return JSONResponse({"error": "invalid_request"}, 400)
        case _:
            return Response(status_code=400)


async def _read(parts: TokenParts, request: Request, action: AuditAction) -> _Asked:
    headers = read_headers(request.scope["headers"])
    service = _service(parts.services, headers.get(b"authorization", b""))
    form: dict[str, str] = {}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
        body = await read_body(request.receive, MAX_BODY)
        form = dict(parse_qsl(body.decode("latin-1"), max_num_fields=8))
    if service is not None and not form.get("token"):
        raise NoToken
    return _Asked(
        id=new_request_id(),
        path=request.url.path,
        action=action,
        ip=parts.clients.address(request.client.host if request.client else None, headers),
        user_agent=user_agent(headers),
        service=service,
        token=form.get("token", ""),
    )


def _service(services: tuple[RegisteredService, ...], authorization: bytes) -> str | None:
    """Whose credentials these are (RFC 6749, section 2.3.1); None where they are nobody's."""
    scheme, _, encoded = authorization.partition(b" ")
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    known = {each.client_id: each.secret_sha256 for each in services}
    given = hashlib.sha256(unquote_plus(secret).encode()).hexdigest()
    # A stranger's secret is compared too: the answer takes as long whether the name is known or not.
    equal = hmac.compare_digest(given, known.get(unquote_plus(name), _NOBODY))
    return unquote_plus(name) if equal and secret and scheme.lower() == b"basic" else None


async def _introspect(parts: TokenParts, asked: _Asked) -> Mapping[str, object]:
    found = await _live(parts, asked.token)
    await parts.trail.record([_entry(parts, asked, found and found[1], Outcome.OK)])
    if found is None:
        return {"active": False}
    claims, _ = found
    return {
        "active": True,
        "token_type": "Bearer",
        "iss": parts.tokens.issuer,
        "aud": parts.tokens.audience,
        "sub": claims.subject,
        "jti": claims.jti,
        "sid": str(claims.session),
        "iat": int(claims.issued_at.timestamp()),
        "exp": int(claims.expires_at.timestamp()),
        "scope": claims.scope.value.lower(),
        "tenant_id": claims.tenant,
        "role": claims.roles[0] if claims.roles else None,
        "roles": list(claims.roles),
    }


async def _revoke(parts: TokenParts, asked: _Asked) -> None:
    """End the token's session. A token that does not hold any more is answered alike (section 2.2)."""
    found = await _live(parts, asked.token)
    if found is None:
        await parts.trail.record([_entry(parts, asked, None, Outcome.OK)])
        return
    _, authority = found

    async def record(work: UnitOfWork) -> None:
        targets = [target for action in work.actions for target in action.targets]
        await parts.trail.insert(work, [_entry(parts, asked, authority, Outcome.OK, targets=targets)])

    async with parts.database.writing(None, before_commit=record) as work:
        await work.enter(authority.tenant_id)
        await end_of(work, authority.session_id)


async def _live(parts: TokenParts, token: str) -> tuple[AccessClaims, Authority] | None:
    try:
        claims = parts.tokens.verify(token)
        return claims, await parts.authorities.current(claims.principal)
    except (AccessTokenRejected, Unauthenticated):
        return None


def _entry(
    parts: TokenParts,
    asked: _Asked,
    authority: Authority | None,
    outcome: Outcome,
    code: str | None = None,
    *,
    targets: list[str] | None = None,
) -> AuditEntry:
    tenant_id: UUID = PLATFORM_TENANT_KEY if authority is None else authority.tenant_id
    tenant = authority.tenant if authority is not None and authority.scope is Scope.TENANT else None
    kind = ActorKind.ANONYMOUS if asked.service is None else ActorKind.SERVICE
    return AuditEntry(
        tenant_id=tenant_id,
        tenant=tenant,
        node_id=record_id(asked.id, 0),
        at=parts.clock(),
        actor_kind=str(kind),
        actor_id=asked.service,
        action=asked.action,
        operation_type="request",
        method="POST",
        path=asked.path,
        outcome=outcome,
        code=code,
        request_id=asked.id,
        targets=tuple(targets or ([authority.user] if authority is not None else [])),
        ip=asked.ip,
        user_agent=asked.user_agent,
    )
