"""Our access tokens: minted at login, verified on every request (RFC 9068, RFC 8725)."""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import jwt

from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.principal import ActorKind, Principal, Scope
from tenantry.tokens.claims import MAX_TOKEN_CHARACTERS, Claims, reason_of
from tenantry.tokens.errors import AccessTokenRejected, Reason
from tenantry.tokens.signing import SigningKey, SigningKeys
from tenantry.tokens.spelling import is_one_spelling, one_spelling

TOKEN_TYPE = "at+jwt"  # noqa: S105 - the media type of RFC 9068, section 2.1
LIFETIME_SECONDS = 7_200
CACHED_TOKENS = 10_000
CANONICAL_CLAIMS = (
    "iss",
    "aud",
    "sub",
    "jti",
    "iat",
    "exp",
    "sid",
    "scope",
    "tenant_id",
    "role",
    "roles",
    "mv",
    "tv",
)
"""The claims of every access token; a blueprint's profile adds others, and never one of these."""

_RESERVED = frozenset((*CANONICAL_CLAIMS, "nbf", "scp", "client_id", "cnf", "act"))


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified access token says: claims, not yet authority.

    ``principal`` is the same as the flat fields, built once, ready for a request.
    ``extra`` holds the claims of the blueprint's profile; the server decides nothing by them.
    """

    subject: str
    session: UUID
    tenant: str | None
    scope: Scope
    roles: tuple[str, ...]
    member_version: int
    tenant_version: int
    jti: str
    issued_at: datetime
    expires_at: datetime
    extra: Mapping[str, object]
    principal: Principal
    kid: str
    """Of the key that has signed it: a token ends when its key does."""


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A fresh access token; ``jti`` may be stored, ``token`` may not."""

    token: str
    expires_at: datetime
    jti: str

    def __repr__(self) -> str:
        return f"MintedToken(jti={self.jti!r}, expires_at={self.expires_at!r})"


class AccessTokens:
    """Mints and verifies the access tokens of one issuer for one audience.

    Verified tokens are remembered, ``cached`` of them at most, by the SHA-256 of their
    text and never past their ``exp``; refusals are not remembered. Remembering proves
    only that the token is ours and whole: whether its session still lives is asked in
    the database by every operation.
    """

    def __init__(
        self,
        keys: SigningKeys,
        *,
        issuer: str,
        audience: str,
        lifetime_seconds: int = LIFETIME_SECONDS,
        clock: Clock = system_clock,
        cached: int = CACHED_TOKENS,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._lifetime = lifetime_seconds
        self._clock = clock
        self._bound = cached
        self._verified: OrderedDict[bytes, AccessClaims] = OrderedDict()

    @property
    def issuer(self) -> str:
        """The ``iss`` of every token."""
        return self._issuer

    @property
    def audience(self) -> str:
        """The ``aud`` of every token."""
        return self._audience

    def mint(
        self, principal: Principal, *, extra: Mapping[str, object] = MappingProxyType({})
    ) -> MintedToken:
        """A token for ``principal``, signed with the active key; ``exp - iat`` is the lifetime exactly.

        The caller must have found session, membership and versions live in the same
        transaction. ``extra`` is the blueprint's claim profile, already computed.

        Raises:
            ValueError: ``extra`` names a canonical claim, or the principal is not whole: it needs a
                subject, a session, a scope, and a tenant if and only if the scope is ``TENANT``.
        """
        if taken := _RESERVED.intersection(extra):
            raise ValueError(f"a claim profile may not set {', '.join(sorted(taken))}")
        identity = _identity_claims(principal)
        issued = int(self._clock().timestamp())
        jti = secrets.token_urlsafe(16)
        claims = {
            **extra,
            **identity,
            "iss": self._issuer,
            "aud": self._audience,
            "jti": jti,
            "iat": issued,
            "exp": issued + self._lifetime,
        }
        key = self._keys.active
        headers = {"typ": TOKEN_TYPE, "kid": key.kid}
        token = one_spelling(jwt.encode(claims, key.private, algorithm=key.algorithm, headers=headers))
        return MintedToken(token, datetime.fromtimestamp(issued + self._lifetime, UTC), jti)

    def verify(self, token: str) -> AccessClaims:
        """The claims of a token of ours that has not expired.

        A repeated token costs a hash and a look-up. The caller must still ask the
        database whether session and versions are live.

        Raises:
            AccessTokenRejected: ``reason`` is one of ``Reason``; only ``EXPIRED`` is worth a refresh.
        """
        try:
            digest = hashlib.sha256(token.encode("ascii")).digest()
        except UnicodeEncodeError:
            raise AccessTokenRejected(Reason.MALFORMED) from None
        known = self._verified.get(digest)
        if known is None:
            known = self._prove(token)
            self._remember(digest, known)
        elif known.expires_at <= self._clock():
            del self._verified[digest]
            raise AccessTokenRejected(Reason.EXPIRED)
        elif self._keys.find(known.kid) is None:
            del self._verified[digest]
            raise AccessTokenRejected(Reason.UNKNOWN_KEY)
        else:
            self._verified.move_to_end(digest)
        return known

    def _remember(self, digest: bytes, claims: AccessClaims) -> None:
        self._verified[digest] = claims
        if len(self._verified) > self._bound:
            self._verified.popitem(last=False)

    def _prove(self, token: str) -> AccessClaims:
        try:
            key = self._key_of(token)
            values: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                # Times are checked below, against a clock that tests can stop.
                options={
                    "require": list(CANONICAL_CLAIMS[:7]),
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as error:
            raise AccessTokenRejected(reason_of(error)) from error
        Claims(values, AccessTokenRejected).require_current(self._clock())
        return _read(values, key.kid)

    def _key_of(self, token: str) -> SigningKey:
        if len(token) > MAX_TOKEN_CHARACTERS or not is_one_spelling(token):
            raise AccessTokenRejected(Reason.MALFORMED)
        header = jwt.get_unverified_header(token)
        if header.get("typ") != TOKEN_TYPE:
            raise AccessTokenRejected(Reason.WRONG_TYPE)
        key = self._keys.find(header.get("kid"))
        if key is None:
            raise AccessTokenRejected(Reason.UNKNOWN_KEY)
        return key


def _identity_claims(principal: Principal) -> dict[str, object]:
    tenant_bound = principal.scope is Scope.TENANT
    if principal.subject is None or principal.session is None or principal.scope is None:
        raise ValueError("a token needs a subject, a session and a scope")
    if tenant_bound != (principal.tenant is not None):
        raise ValueError("a token of scope TENANT names one tenant, one of scope SYSTEM none")
    return {
        "sub": principal.subject,
        "sid": str(principal.session),
        "scope": principal.scope.value.lower(),
        "tenant_id": principal.tenant,
        "role": principal.roles[0] if principal.roles else None,
        "roles": list(principal.roles),
        "mv": principal.member_version,
        "tv": principal.tenant_version,
    }


def _read(values: Mapping[str, object], kid: str) -> AccessClaims:
    claims = Claims(values, AccessTokenRejected)
    scope, tenant, session = _place(claims)
    principal = Principal(
        kind=ActorKind.USER,
        subject=claims.text("sub"),
        session=session,
        tenant=tenant,
        scope=scope,
        roles=claims.texts("roles"),
        member_version=claims.integer("mv"),
        tenant_version=claims.integer("tv"),
        expires_at=claims.instant("exp"),
    )
    return AccessClaims(
        subject=claims.text("sub"),
        session=session,
        tenant=tenant,
        scope=scope,
        roles=principal.roles,
        member_version=principal.member_version,
        tenant_version=principal.tenant_version,
        jti=claims.text("jti"),
        issued_at=claims.instant("iat"),
        expires_at=claims.instant("exp"),
        extra=MappingProxyType({name: value for name, value in values.items() if name not in _RESERVED}),
        principal=principal,
        kid=kid,
    )


def _place(claims: Claims) -> tuple[Scope, str | None, UUID]:
    tenant = claims.optional_text("tenant_id")
    try:
        scope, session = Scope(claims.text("scope").upper()), UUID(claims.text("sid"))
    except ValueError as error:
        raise AccessTokenRejected(Reason.MALFORMED) from error
    if (scope is Scope.TENANT) != (tenant is not None):
        raise AccessTokenRejected(Reason.MALFORMED)
    return scope, tenant, session
