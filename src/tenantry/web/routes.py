"""What operators, verifiers and newcomers ask for beside the graph."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from tenantry.settings import Settings
from tenantry.tokens.discovery import DISCOVERY_PATH, JWKS_PATH, openid_configuration
from tenantry.tokens.signing import SigningKeys
from tenantry.web.access_evaluation import CONFIGURATION_PATH, authzen_configuration

log = structlog.stdlib.get_logger(__name__)

READY_SECONDS = 2.0
PUBLIC = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}
"""For documents that are the same for everyone; verifiers look for new keys within five minutes."""

Ready = Callable[[], Awaitable[bool]]


def health_routes(parts: Mapping[str, Ready], *, seconds: float = READY_SECONDS) -> APIRouter:
    """``/healthz``: the process lives. ``/readyz``: and each of ``parts`` answers in time."""
    routes = APIRouter()

    @routes.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @routes.get("/readyz")
    async def readyz() -> JSONResponse:
        answers = await asyncio.gather(*(_answers(name, part, seconds) for name, part in parts.items()))
        missing = [name for name, answered in zip(parts, answers, strict=True) if not answered]
        if missing:
            body = {"status": "unavailable", "missing": missing}
            return JSONResponse(body, status_code=503, headers={"Retry-After": "2"})
        return JSONResponse({"status": "ready", "missing": missing})

    return routes


async def _answers(name: str, part: Ready, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await part()
    except Exception as error:  # noqa: BLE001 - whatever it is, the part does not answer
        log.warning("part.unavailable", part=name, error=type(error).__name__)
        return False


def well_known_routes(issuer: str, keys: SigningKeys, *, services: bool = False) -> APIRouter:
    """What a service needs to verify our access tokens, or to have us decide: the keys, and what is where."""
    routes = APIRouter()

    @routes.get(JWKS_PATH)
    async def jwks() -> JSONResponse:
        return JSONResponse(keys.jwks(), headers=PUBLIC)

    @routes.get(DISCOVERY_PATH)
    async def configuration() -> JSONResponse:
        found = openid_configuration(issuer, algorithms=keys.algorithms, services=services)
        return JSONResponse(found, headers=PUBLIC)

    @routes.get(CONFIGURATION_PATH)
    async def decision_point() -> JSONResponse:
        return JSONResponse(authzen_configuration(issuer), headers=PUBLIC)

    return routes


def front_routes(settings: Settings, schema: Callable[[], str]) -> APIRouter:
    """``/``, and ``/schema.graphql`` in development or where introspection is on."""
    routes = APIRouter()

    @routes.get("/")
    async def front() -> Response:
        if settings.graphiql:
            return RedirectResponse("/graphiql", status_code=307)
        return JSONResponse({"service": "tenantry", "graphql": "/graphql", "discovery": DISCOVERY_PATH})

    if settings.development or settings.introspection:

        @routes.get("/schema.graphql")
        async def sdl() -> PlainTextResponse:
            return PlainTextResponse(schema())

    return routes
