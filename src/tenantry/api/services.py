"""What the graph works with, put together by ``app`` and passed in."""

from collections.abc import Callable
from dataclasses import dataclass

from tenantry.audit.trail import Trail
from tenantry.authentication.sessions.authorities import Authorities
from tenantry.authentication.sessions.endings import Endings
from tenantry.cache.rate_limits import RateLimiter
from tenantry.directory.blueprints.types import TypesInForce
from tenantry.directory.webhooks.posting import Poster
from tenantry.dns.port import Texts
from tenantry.kernel.clock import Clock
from tenantry.mail.port import Mailer
from tenantry.settings import Settings
from tenantry.storage.database import Database
from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.encryption import EncryptionKeys
from tenantry.tokens.firebase import FirebaseVerifier
from tenantry.tokens.oidc import OidcVerifier

Seen = Callable[..., None]


@dataclass(frozen=True, slots=True)
class SignInMethod:
    """A way to sign in, as ``serverInfo`` shows it."""

    kind: str
    title: str
    issuer: str | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """Everything with a life of its own. ``firebase`` is None where it is not configured."""

    settings: Settings
    database: Database
    trail: Trail
    authorities: Authorities
    access_tokens: AccessTokens
    encryption_keys: EncryptionKeys
    oidc: OidcVerifier
    mailer: Mailer
    dns_texts: Texts
    limiter: RateLimiter
    clock: Clock
    resource_types: TypesInForce
    poster: Poster
    sign_in_methods: tuple[SignInMethod, ...] = ()
    firebase: FirebaseVerifier | None = None
    seen: Seen | None = None
    endings: Endings | None = None
    measure: Callable[[str, str, float], None] | None = None
