"""A provider says that somebody has signed out there: what it opened here ends (Back-Channel Logout 1.0)."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tenantry.audit.actions import AuditAction
from tenantry.audit.records import AuditEntry, Outcome, record_id
from tenantry.audit.trail import Trail
from tenantry.authentication.connections import repository
from tenantry.authentication.connections.models import issuer_of
from tenantry.authentication.connections.repository import Ended
from tenantry.authentication.connections.service import end_by_provider
from tenantry.cache.rate_limits import RateLimiter, RateRule, neighbourhood
from tenantry.kernel.clock import Clock
from tenantry.kernel.errors import ErrorCode, RateLimited, Unavailable
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import ActorKind
from tenantry.settings import OidcProvider
from tenantry.storage.database import Database
from tenantry.storage.unit_of_work import UnitOfWork
from tenantry.tokens.claims import stated_audiences, stated_issuer
from tenantry.tokens.errors import IdTokenRejected, Reason
from tenantry.tokens.identity import LogoutToken
from tenantry.tokens.oidc import OidcVerifier
from tenantry.web.bodies import ClientGone, read_body
from tenantry.web.refusals import RequestRefused
from tenantry.web.requests import Clients, new_request_id, read_headers, user_agent

PATH = "/oidc/backchannel-logout"
MAX_BODY = 32_768
NO_STORE = {"Cache-Control": "no-store"}


class TokenSeen(Exception):
    """This logout token has been taken before."""


@dataclass(frozen=True, slots=True)
class LogoutParts:
    """What the endpoint works with."""

    oidc: OidcVerifier
    database: Database
    trail: Trail
    clients: Clients
    limiter: RateLimiter
    questions: RateRule
    clock: Clock


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request."""

    id: str
    ip: str | None
    user_agent: str | None


def provider_logout_route(parts: LogoutParts) -> Route:
    """``POST /oidc/backchannel-logout``: for the providers of the settings and of tenants alike."""

    async def endpoint(request: Request) -> Response:
        headers = read_headers(request.scope["headers"])
        ip = parts.clients.address(request.client.host if request.client else None, headers)
        asked = _Asked(new_request_id(), ip, user_agent(headers))
        try:
            await parts.limiter.hit(parts.questions, neighbourhood(ip))
            await _end(parts, asked, await _token(request))
        except RateLimited as limit:
            return JSONResponse({"error": "slow_down"}, 429, {"Retry-After": str(limit.retry_after)})
        except Unavailable:
            return JSONResponse({"error": "temporarily_unavailable"}, 503, {"Retry-After": "2"})
        except ClientGone:
            return Response(status_code=400)
        except (IdTokenRejected, TokenSeen, RequestRefused):
            await parts.trail.record([_entry(parts, asked, None)])
            return JSONResponse({"error": "invalid_request"}, 400, NO_STORE)
        return Response(headers=NO_STORE)

    return Route(PATH, endpoint, methods=["POST"])


async def _token(request: Request) -> str:
    body = await read_body(request.receive, MAX_BODY)
    form = dict(parse_qsl(body.decode("latin-1"), max_num_fields=8))
    if not form.get("logout_token"):
        raise IdTokenRejected(Reason.MALFORMED)
    return form["logout_token"]


async def _end(parts: LogoutParts, asked: _Asked, text: str) -> None:
    token, issuers = await _verified(parts, text)
    ended: list[Ended] = []

    async def record(work: UnitOfWork) -> None:
        # What ends nothing is on record too, once.
        entries = [
            _entry(parts, asked, issuers[0], each, place) for place, each in enumerate(ended or [None])
        ]
        await parts.trail.insert(work, entries)

    async with parts.database.writing(None, before_commit=record) as work:
        found = await end_by_provider(work, token, issuers)
        if found is None:
            raise TokenSeen
        ended += found


async def _verified(parts: LogoutParts, text: str) -> tuple[LogoutToken, Sequence[str]]:
    """What the token says, and under which issuers the sessions that it may end were opened."""
    issuer = stated_issuer(text)
    if parts.oidc.trusts(issuer):
        return await parts.oidc.verify_logout(text), [issuer]
    async with parts.database.writing(None) as work:
        found = await repository.find(work, issuer, stated_audiences(text))
    if not found:
        raise IdTokenRejected(Reason.UNKNOWN_ISSUER)
    provider = OidcProvider(issuer=issuer, audience=found[0].client_id)
    token = await parts.oidc.verify_logout(text, provider)
    same = [each for each in found if each.client_id == provider.audience]
    return token, [issuer_of(each.connection_node) for each in same]


def _entry(
    parts: LogoutParts, asked: _Asked, issuer: str | None, ended: Ended | None = None, place: int = 0
) -> AuditEntry:
    """One record; ``issuer`` None is whoever could not prove to be one."""
    platform = ended is None or ended.tenant_id == PLATFORM_TENANT_KEY
    return AuditEntry(
        tenant_id=PLATFORM_TENANT_KEY if ended is None else ended.tenant_id,
        tenant=None if platform or ended is None else ended.tenant_node,
        node_id=record_id(asked.id, place),
        at=parts.clock(),
        actor_kind=str(ActorKind.ANONYMOUS if issuer is None else ActorKind.SERVICE),
        actor_id=issuer,
        action=AuditAction.SESSION_PROVIDER_LOGOUT,
        operation_type="request",
        method="POST",
        path=PATH,
        outcome=Outcome.REFUSED if issuer is None else Outcome.OK,
        code=str(ErrorCode.UNAUTHENTICATED) if issuer is None else None,
        targets=() if ended is None else (ended.session_node,),
        ip=asked.ip,
        user_agent=asked.user_agent,
        request_id=asked.id,
    )
