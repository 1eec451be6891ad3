"""Who acts, resolved once for each request and frozen; nothing below looks at headers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import ceil
from uuid import UUID


class Scope(StrEnum):
    """Where a token, a role or a field belongs: the platform, or one tenant."""

    SYSTEM = "SYSTEM"
    TENANT = "TENANT"


class ActorKind(StrEnum):
    """What kind of identity acted, as the audit trail names it."""

    ANONYMOUS = "ANONYMOUS"
    API_KEY = "API_KEY"
    """A machine that holds a key; the key's own id, never its issuer's."""
    SERVICE = "SERVICE"
    """A registered service that asks about tokens, by its client id."""
    SYSTEM = "SYSTEM"
    USER = "USER"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller as the verified credential names them: claims, not yet authority.

    Every identifier is the outward one (a node id), except ``session``, which is a key.
    ``roles`` are for the audit trail; no decision is made from them. ``member_version``
    and ``tenant_version`` must equal the database's for the credential to hold.
    """

    kind: ActorKind
    subject: str | None = None
    session: UUID | None = None
    tenant: str | None = None
    scope: Scope | None = None
    roles: tuple[str, ...] = ()
    member_version: int = 0
    tenant_version: int = 0
    expires_at: datetime | None = None
    key: bytes | None = None
    """SHA-256 of an API key, which says nothing more: whose it is the database knows."""


ANONYMOUS = Principal(kind=ActorKind.ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Environment:
    """Where and when something is asked; ``ip`` from the peer or a trusted proxy alone."""

    ip: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Authority:
    """What the database grants a live principal: keys, permissions and their versions.

    Valid for exactly (``member_version``, ``tenant_version``); ``begin_request`` refuses
    a statement made under any other, so a copy may be kept.
    """

    session_id: UUID
    user_id: UUID
    member_id: UUID
    tenant_id: UUID
    user: str
    member: str
    tenant: str
    scope: Scope
    permissions: frozenset[str]
    roles: tuple[str, ...]
    is_owner: bool
    member_version: int
    tenant_version: int
    label: str | None = None
    """How the trail names the person: their name, or else their address."""
    factor_at: datetime | None = None
    """When this session last proved a second factor; read anew before anybody is refused for it."""
    key: str | None = None
    """Node id of the API key that acts, for what its issuer may; None for a person."""
    conditional: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]], hash=False)
    """What is held under conditions only (``access.conditions``): by permission, any of which suffices."""
    resource_types: str | None = field(default=None, compare=False)
    """Digest of what the tenant's blueprint says of resources, by which their permissions are found."""
    plan: str | None = field(default=None, compare=False)
    slug: str | None = field(default=None, compare=False)
    email: str | None = field(default=None, compare=False)
    """The address in this tenant, for conditions; never for the trail."""
    awaits_factor: bool = False
    """Whether the tenant or a role asks for a second factor that this session has not proved."""

    @property
    def version(self) -> str:
        """What a client compares to learn that its rights have changed."""
        return f"{self.tenant_version}.{self.member_version}"

    def factor_age(self, now: datetime) -> int | None:
        """Whole seconds since the second factor was proved, rounded up; None without one."""
        return None if self.factor_at is None else ceil((now - self.factor_at).total_seconds())
