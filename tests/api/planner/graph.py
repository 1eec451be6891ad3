"""The graph without a wire: its schema over a test's database, and callers for it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

import httpx
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tenantry.api.operations import Caller, Operation
from tenantry.api.schema import TenantrySchema
from tenantry.api.services import Services, SignInMethod
from tenantry.audit.trail import Trail
from tenantry.authentication.sessions.authorities import Authorities
from tenantry.cache.rate_limits import open_rate_limiter
from tenantry.directory.blueprints.types import TypesInForce
from tenantry.directory.webhooks.posting import Poster
from tenantry.dns.resolver import dns_texts
from tenantry.kernel.clock import system_clock
from tenantry.kernel.principal import ANONYMOUS, ActorKind, Authority, Principal, Scope
from tenantry.mail.mailbox import Mailbox
from tenantry.settings import Environment, Limits, Settings
from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.encryption import EncryptionKey, EncryptionKeys
from tenantry.tokens.oidc import OidcVerifier
from tenantry.tokens.signing import SigningKey, SigningKeys
from tests.support.database import TemporaryDatabase

ROOMY = Limits(
    tokens_anonymous=10_000,
    tokens=10_000,
    depth=60,
    aliases=500,
    repeated_fields=1_000,
    cost=10**9,
    compiles_per_minute=10**9,
)
"""For tests that are not about limits."""
METHODS = (SignInMethod("OIDC", "Ours", "https://issuer.example", "client"), SignInMethod("FIREBASE", "Fire"))


@asynccontextmanager
async def graph(
    database: TemporaryDatabase,
    *,
    trail: TemporaryDatabase | None = None,
    limits: Limits = ROOMY,
    environment: Environment = Environment.DEVELOPMENT,
) -> AsyncIterator[TenantrySchema]:
    """The schema over ``database``; with ``trail``, what it records stands in that one instead."""
    settings = Settings(environment=environment, limits=limits)
    written = Trail((trail or database).app_dsn, capacity=1_000)
    await written.start()
    try:
        async with httpx.AsyncClient() as http, open_rate_limiter(None) as limiter:
            yield TenantrySchema(
                Services(
                    settings=settings,
                    database=database,
                    trail=written,
                    authorities=Authorities(database),
                    access_tokens=AccessTokens(
                        SigningKeys([SigningKey.of(generate_private_key(SECP256R1()))]),
                        issuer="https://tenantry.example",
                        audience="tenantry",
                    ),
                    encryption_keys=EncryptionKeys([EncryptionKey("k", AESGCM(bytes(32)))]),
                    oidc=OidcVerifier([], http=http),
                    mailer=Mailbox(),
                    dns_texts=dns_texts(),
                    resource_types=TypesInForce(database),
                    poster=Poster(http),
                    limiter=limiter,
                    clock=system_clock,
                    sign_in_methods=METHODS,
                )
            )
    finally:
        await written.close()


def principal_of(authority: Authority | None) -> Principal:
    """What a token for ``authority`` says."""
    if authority is None:
        return ANONYMOUS
    return Principal(
        kind=ActorKind.USER,
        subject=authority.user,
        session=authority.session_id,
        tenant=authority.tenant if authority.scope is Scope.TENANT else None,
        scope=authority.scope,
        roles=authority.roles,
        member_version=authority.member_version,
        tenant_version=authority.tenant_version,
    )


def caller(authority: Authority | None = None, **more: Any) -> Caller:
    """Whoever holds ``authority``, with a request id of their own."""
    return Caller(token_hex(14), principal_of(authority), **more)


async def ask(
    schema: TenantrySchema,
    authority: Authority | None,
    document: str,
    variables: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
) -> dict[str, Any]:
    """The printed answer, read back."""
    operation = Operation(document, caller(authority), name, variables or {})
    return orjson.loads((await schema.serve(operation)).body)


def codes(answer: Mapping[str, Any]) -> set[tuple[str, tuple[str, ...]]]:
    """The errors of an answer: each one's code and its path without the places in lists."""
    return {
        (
            error["extensions"]["code"],
            tuple(key for key in error.get("path", ()) if isinstance(key, str)),
        )
        for error in answer.get("errors", ())
    }
