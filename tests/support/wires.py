"""The wire around a tiny graph, with real tokens, for tests that need no database."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from fastapi import FastAPI
from starlette.routing import BaseRoute

from tenantry.kernel.principal import ActorKind, Principal, Scope
from tenantry.settings import Settings
from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.signing import SigningKey, SigningKeys
from tenantry.web.metrics import Metrics
from tenantry.web.routes import Ready
from tenantry.web.wire import Wire, WireParts, build_wire
from tests.support.tiny_graph import TinyGraph

ADA = Principal(
    kind=ActorKind.USER,
    subject="U_ada",
    session=UUID(int=7),
    tenant="T_acme",
    scope=Scope.TENANT,
    roles=("admin",),
    member_version=3,
    tenant_version=2,
)


@dataclass(frozen=True)
class TestWire:
    """The application, what stands behind it, and who may speak to it."""

    __test__ = False

    app: Wire
    graph: TinyGraph
    tokens: AccessTokens

    def bearer(self) -> dict[str, str]:
        """The header of a signed-in person."""
        return {"Authorization": f"Bearer {self.tokens.mint(ADA).token}"}


async def ready() -> bool:
    """A database that answers."""
    return True


@asynccontextmanager
async def _nothing(_app: FastAPI) -> AsyncGenerator[None]:
    yield


def make_wire(*, database: Ready = ready, routes: tuple[BaseRoute, ...] = (), **settings: object) -> TestWire:
    """A wire with settings as an operator would give them; the environment's are not read."""
    values = Settings.model_validate({"environment": "production", **settings})
    keys = SigningKeys([SigningKey.of(generate_private_key(SECP256R1()))])
    tokens = AccessTokens(keys, issuer=values.issuer, audience=values.audience)
    graph = TinyGraph()
    parts = WireParts(
        graph=graph,
        access_tokens=tokens,
        keys=keys,
        metrics=Metrics(),
        database_ready=database,
        lifespan=_nothing,
        routes=routes,
    )
    return TestWire(build_wire(values, parts), graph, tokens)
