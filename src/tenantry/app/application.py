"""Putting the service together, and taking it apart again."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tenantry.api.schema import TenantrySchema
from tenantry.api.services import Services, SignInMethod
from tenantry.app.checks import RefusedToStart, check_database, check_settings
from tenantry.app.demo_people import demo_people
from tenantry.audit.trail import Trail
from tenantry.authentication.api_keys.service import authority_of
from tenantry.authentication.sessions.authorities import Authorities
from tenantry.authentication.sessions.denylist import Denylist
from tenantry.authentication.sessions.endings import Endings
from tenantry.authentication.sessions.last_seen import LastSeen
from tenantry.cache.port import open_cache
from tenantry.cache.rate_limits import RateRule, open_rate_limiter
from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.blueprints.types import TypesInForce
from tenantry.directory.webhooks.courier import Courier
from tenantry.directory.webhooks.posting import Poster
from tenantry.directory.webhooks.sender import Sender
from tenantry.dns.port import Texts
from tenantry.dns.resolver import dns_texts
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.principal import Authority
from tenantry.mail.mailbox import Mailbox
from tenantry.mail.port import Mailer
from tenantry.mail.smtp import SmtpMailer
from tenantry.settings import OidcProvider, Settings
from tenantry.storage.database import Database
from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.encryption import EncryptionKeys, read_encryption_keys
from tenantry.tokens.fetching import issuer_client
from tenantry.tokens.firebase import FirebaseVerifier
from tenantry.tokens.key_watch import KeyWatch
from tenantry.tokens.oidc import OidcVerifier
from tenantry.tokens.signing import SigningKeys, read_keys
from tenantry.web.authentication import authenticators
from tenantry.web.development.routes import development_issuer, optional_routes
from tenantry.web.metrics import Metrics
from tenantry.web.provider_logout import LogoutParts, provider_logout_route
from tenantry.web.requests import Clients
from tenantry.web.socket import GraphQLSocket, SocketParts
from tenantry.web.token_services import TokenParts, token_service_routes
from tenantry.web.wire import Wire, WireParts, build_wire

ENCRYPTION_KEYS = "encryption-keys.json"
SIGNING_KEYS = "signing-keys.json"


@dataclass(frozen=True, slots=True)
class Outside:
    """What is not ours, and the demo people: a test passes its own. ``mailer`` None goes by settings."""

    clock: Clock = system_clock
    mailer: Mailer | None = None
    dns_texts: Texts = field(default_factory=dns_texts)
    documents: Sequence[BlueprintDocument] = field(default_factory=tuple)


@asynccontextmanager
async def running(settings: Settings, dsn: str, outside: Outside | None = None) -> AsyncGenerator[Wire]:
    """The ASGI application over a migrated database at ``dsn``, everything started.

    Raises ``RefusedToStart`` for settings or rights that would be a hole, ``Unavailable``
    when the database does not answer.
    """
    outside = outside or Outside()
    if problems := check_settings(settings):
        raise RefusedToStart(problems)
    async with AsyncExitStack() as stack:
        database = Database(dsn)
        stack.push_async_callback(database.close)
        await check_database(database)
        mailbox = Mailbox()
        metrics = Metrics()
        keys = await _signing_keys(settings, outside.clock, stack)
        made = _Made(database, metrics, keys, await _encryption_keys(settings, outside.clock, stack), mailbox)
        services = await _services(settings, dsn, outside, stack, made)
        schema = TenantrySchema(services)
        metrics.audit_queue.set_function(lambda: services.trail.waiting)
        if (endings := services.endings) is not None:
            metrics.followers.set_function(lambda: endings.followers)
            metrics.listening.set_function(lambda: endings.listening)
        yield build_wire(
            settings,
            WireParts(
                graph=schema,
                access_tokens=services.access_tokens,
                keys=keys,
                metrics=metrics,
                database_ready=database.ready,
                socket=GraphQLSocket(_socket_parts(settings, schema, services)),
                lifespan=_nothing,
                routes=[
                    provider_logout_route(_logout_parts(settings, services)),
                    *token_service_routes(_token_parts(settings, services)),
                    *optional_routes(
                        settings,
                        mailbox=mailbox,
                        people=demo_people(outside.documents),
                        clock=outside.clock,
                    ),
                ],
            ),
        )


@dataclass(frozen=True, slots=True)
class _Made:
    """What is there before the services."""

    database: Database
    metrics: Metrics
    keys: SigningKeys
    encryption_keys: EncryptionKeys
    mailbox: Mailbox


async def _services(
    settings: Settings, dsn: str, outside: Outside, stack: AsyncExitStack, made: _Made
) -> Services:
    trail = Trail(dsn, capacity=settings.audit_queue)
    await trail.start()
    stack.push_async_callback(trail.close)
    last_seen = LastSeen(made.database, clock=outside.clock)
    await last_seen.start()
    stack.push_async_callback(last_seen.close)
    redis = settings.redis_url.get_secret_value() if settings.redis_url else None
    endings = await _endings(made.database, dsn, outside.clock, redis, stack)
    http = await stack.enter_async_context(issuer_client())
    firebase: FirebaseVerifier | None = None
    if settings.firebase_project is not None:
        firebase = FirebaseVerifier(
            settings.firebase_project, emulator_allowed=settings.development, clock=outside.clock
        )
        stack.callback(firebase.close)
    providers = _providers(settings)
    private = settings.allow_private_issuers or settings.development_provider
    poster = Poster(http, allow_private=private)
    await _send_webhooks(dsn, outside.clock, made, poster, stack)
    return Services(
        settings=settings,
        database=made.database,
        trail=trail,
        authorities=Authorities(
            made.database, of_key=partial(_of_key, made.database, outside.clock), clock=outside.clock
        ),
        access_tokens=AccessTokens(
            made.keys,
            issuer=settings.issuer,
            audience=settings.audience,
            lifetime_seconds=settings.access_token_seconds,
            clock=outside.clock,
        ),
        encryption_keys=made.encryption_keys,
        oidc=OidcVerifier(
            providers,
            http=http,
            allow_private=private,
            clock=outside.clock,
        ),
        dns_texts=outside.dns_texts,
        resource_types=TypesInForce(made.database),
        poster=poster,
        mailer=outside.mailer or _mailer(settings, made.mailbox),
        limiter=await stack.enter_async_context(open_rate_limiter(redis)),
        clock=outside.clock,
        sign_in_methods=tuple(_methods(settings, providers)),
        firebase=firebase,
        seen=last_seen.see,
        endings=endings,
        measure=made.metrics.operation,
    )


def _token_parts(settings: Settings, services: Services) -> TokenParts:
    return TokenParts(
        services=settings.services,
        tokens=services.access_tokens,
        authorities=services.authorities,
        database=services.database,
        trail=services.trail,
        clients=Clients(settings.trusted_proxies),
        limiter=services.limiter,
        questions=RateRule("token", settings.limits.token_questions_per_minute, 60),
        clock=services.clock,
    )


def _socket_parts(settings: Settings, schema: TenantrySchema, services: Services) -> SocketParts:
    if services.endings is None:
        raise RuntimeError("sockets end when what they stand on does")
    return SocketParts(
        schema=schema,
        authenticators=tuple(authenticators(services.access_tokens)),
        authorities=services.authorities,
        endings=services.endings,
        clients=Clients(settings.trusted_proxies),
        origins=(settings.issuer, *settings.allowed_origins),
        clock=services.clock,
    )


def _logout_parts(settings: Settings, services: Services) -> LogoutParts:
    return LogoutParts(
        oidc=services.oidc,
        database=services.database,
        trail=services.trail,
        clients=Clients(settings.trusted_proxies),
        limiter=services.limiter,
        questions=RateRule("logout", settings.limits.token_questions_per_minute, 60),
        clock=services.clock,
    )


async def _endings(
    database: Database, dsn: str, clock: Clock, redis: str | None, stack: AsyncExitStack
) -> Endings:
    """Who follows an end; with a Redis, the list of what has ended too."""
    if redis is None:
        endings = Endings(database, dsn, clock=clock)
    else:
        denylist = Denylist(await stack.enter_async_context(open_cache(redis)), database)
        await denylist.start()
        stack.push_async_callback(denylist.close)
        endings = Endings(database, dsn, clock=clock, told=denylist.hear)
    await endings.start()
    stack.push_async_callback(endings.close)
    return endings


async def _send_webhooks(dsn: str, clock: Clock, made: _Made, poster: Poster, stack: AsyncExitStack) -> None:
    sender = Sender(Courier(made.database, poster, made.encryption_keys, clock=clock), dsn)
    await sender.start()
    stack.push_async_callback(sender.close)


async def _of_key(database: Database, clock: Clock, key_hash: bytes) -> Authority:
    return await authority_of(database, key_hash, clock=clock)


async def _signing_keys(settings: Settings, clock: Clock, stack: AsyncExitStack) -> SigningKeys:
    path = settings.signing_key_file
    if path is None:
        path = settings.data_dir / SIGNING_KEYS
        keys = SigningKeys.load_or_generate(path, clock=clock)
    else:
        keys = SigningKeys.load(path, clock=clock)
    await _follow(KeyWatch(path, keys, read_keys), stack)
    return keys


async def _encryption_keys(settings: Settings, clock: Clock, stack: AsyncExitStack) -> EncryptionKeys:
    path = settings.encryption_key_file
    if path is None:
        path = settings.data_dir / ENCRYPTION_KEYS
        keys = EncryptionKeys.load_or_generate(path, clock=clock)
    else:
        keys = EncryptionKeys.load(path, clock=clock)
    await _follow(KeyWatch(path, keys, read_encryption_keys), stack)
    return keys


async def _follow(watch: KeyWatch[Any], stack: AsyncExitStack) -> None:
    await watch.start()
    stack.push_async_callback(watch.close)


def _mailer(settings: Settings, mailbox: Mailbox) -> Mailer:
    if settings.smtp_url is None:
        return mailbox
    return SmtpMailer(settings.smtp_url.get_secret_value(), settings.mail_from)


def _providers(settings: Settings) -> list[OidcProvider]:
    own = [development_issuer(settings)] if settings.development_provider else []
    return [*settings.oidc_providers, *own]


def _methods(settings: Settings, providers: Sequence[OidcProvider]) -> list[SignInMethod]:
    development = development_issuer(settings).issuer if settings.development_provider else None
    found = [
        SignInMethod(
            kind="DEVELOPMENT" if each.issuer == development else "OIDC",
            title=each.title or each.issuer,
            issuer=each.issuer,
            client_id=each.audience,
        )
        for each in providers
    ]
    if settings.firebase_project is not None:
        found.append(SignInMethod("FIREBASE", "Firebase", settings.firebase_project))
    return found


@asynccontextmanager
async def _nothing(_app: object) -> AsyncGenerator[None]:
    """Everything is started and stopped by ``running``."""
    yield
