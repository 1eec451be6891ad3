"""Settings: read once from ``TENANTRY_…`` variables, checked before anything starts."""

from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, HttpUrl, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Environment(StrEnum):
    """Where this runs; what is handy in development is refused in production."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class OidcProvider(BaseModel):
    """One OIDC issuer whose ID tokens ``login`` accepts."""

    issuer: str
    audience: str
    """The client id that the SPA is registered under at the issuer."""
    title: str = ""
    algorithms: tuple[str, ...] = ("RS256", "ES256")


class RegisteredService(BaseModel):
    """A service that may ask about tokens (RFC 7662) and end them (RFC 7009)."""

    client_id: str = Field(min_length=1)
    secret_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 of its secret, which is 256 random bits or more, in hex."""


class Limits(BaseModel):
    """Bounds on one operation, checked before any work is done."""

    body_bytes: int = 65_536
    tokens_anonymous: int = 300
    tokens: int = 1_000
    depth: int = 15
    aliases: int = 30
    repeated_fields: int = 100
    cost: int = 20_000
    """Most objects an answer may hold: the product of page sizes, summed over the document."""
    key_operations_per_minute: int = 1_200
    """Operations of one API key."""
    logins_per_minute: int = 120
    """Logins, and as many renewals, from one address, or from one /64 of IPv6."""
    token_questions_per_minute: int = 6_000
    """Introspections and revocations of one registered service."""
    compiles_per_minute: int = 120
    """New documents one principal may bring in a minute; known ones are free."""


class Settings(BaseSettings):
    """Everything an operator can set. ``tenantry config check`` prints what is in force."""

    model_config = SettingsConfigDict(env_prefix="TENANTRY_", env_nested_delimiter="__", extra="ignore")

    environment: Environment = Environment.PRODUCTION
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: HttpUrl = HttpUrl("http://127.0.0.1:8000")
    """Where clients reach the service; also the issuer of access tokens."""
    invitation_url: HttpUrl | None = None
    """The page that mailed links lead to, the token after ``#``; without it ``<public_url>/invitation``."""
    data_dir: Path = Path(".tenantry")

    database_url: SecretStr | None = None
    """postgresql://… of the application's role; without it an embedded server is started."""
    owner_database_url: SecretStr | None = None
    """postgresql://… of the role that owns the schema; only ``migrate`` needs it."""
    redis_url: SecretStr | None = None

    signing_key_file: Path | None = None
    """JWK Set (RFC 7517) with the private keys; made in ``data_dir`` in development."""
    encryption_key_file: Path | None = None
    """JWK Set with the keys that seal what must be read back; made in ``data_dir`` in development."""
    audience: str = "tenantry"
    access_token_seconds: int = 7_200
    session_seconds: int = 7 * 86_400
    refresh_grace_seconds: Annotated[int, Field(ge=0, le=10)] = 0
    """How long after its use a refresh token is answered once more, with the same successor."""
    ticket_seconds: int = 300
    invitation_seconds: int = 7 * 86_400

    totp_issuer: Annotated[str, Field(min_length=1, max_length=64, pattern="^[^:]+$")] = "Tenantry"
    """What a person's authenticator shows beside their address."""

    services: tuple[RegisteredService, ...] = ()
    """Who may introspect and revoke tokens, by HTTP Basic."""

    firebase_project: str | None = None
    oidc_providers: tuple[OidcProvider, ...] = ()
    allow_private_issuers: bool = False
    """Let issuers be fetched from loopback and private addresses; development only."""
    development_provider: bool = False
    """Run the development identity provider at ``/dev/idp``; development, loopback only."""

    smtp_url: SecretStr | None = None
    """smtp://user:password@host:port; without it mail goes to ``/dev/mailbox`` (development only)."""
    mail_from: str = "Tenantry <no-reply@localhost>"

    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    """Peers whose ``X-Forwarded-For`` is believed, as networks."""
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins of SPAs that may call from a browser (CORS)."""
    introspection: bool = False
    graphiql: bool = False
    limits: Limits = Field(default_factory=Limits)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    audit_queue: int = 10_000
    """Records that may wait for the group commit; beyond it operations are refused (503)."""

    @field_validator("trusted_proxies", "allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @property
    def development(self) -> bool:
        """Whether this is a developer's machine."""
        return self.environment is Environment.DEVELOPMENT

    @property
    def issuer(self) -> str:
        """The ``iss`` of access tokens: the public URL without a trailing slash."""
        return str(self.public_url).rstrip("/")

    @property
    def invitation_page(self) -> str:
        """Where the link of an invitation leads, without its token."""
        return str(self.invitation_url or f"{self.issuer}/invitation")
