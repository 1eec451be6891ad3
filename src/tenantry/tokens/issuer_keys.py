"""The public keys of one OIDC issuer, kept by ``kid`` and fetched seldom."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import AllowedPublicKeys

from tenantry.kernel.clock import Clock
from tenantry.tokens.errors import IdTokenRejected, IssuerUnavailable, Reason
from tenantry.tokens.fetching import Fetcher

REFETCH_AFTER = timedelta(seconds=30)
"""Between two fetches while keys are at hand: a flood of unknown ``kid`` costs one in this time."""
RETRY_AFTER = timedelta(seconds=2)
"""Between two attempts while no keys are at hand."""
LIFETIME = timedelta(hours=1)
"""A key that the issuer withdrew is trusted no longer than this."""
MIN_RSA_BITS = 2_048
"""RFC 7518, section 3.3."""

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_ALGORITHMS: Mapping[tuple[object, object], tuple[str, ...]] = {
    ("RSA", None): _RSA,
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""What a key of a type may verify (RFC 7518, 3.1; RFC 8037, 3.1); no symmetric key is ever taken."""


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """One public key and the only algorithms that it may verify."""

    key: AllowedPublicKeys
    algorithms: tuple[str, ...]


class IssuerKeys:
    """Finds keys by ``kid``; discovery and JWKS are fetched at first use, then as seldom as above.

    Concurrent callers share one fetch, and a caller who goes away does not stop it.
    """

    def __init__(self, issuer: str, *, fetcher: Fetcher, clock: Clock) -> None:
        self._issuer = issuer
        self._fetcher = fetcher
        self._clock = clock
        self._keys: Mapping[str, IssuerKey] = {}
        self._fetched_at: datetime | None = None
        self._started_at: datetime | None = None
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> IssuerKey:
        """The issuer's key of that ``kid``.

        Raises:
            IdTokenRejected: ``UNKNOWN_KEY``, the issuer publishes no such key.
            IssuerUnavailable: its documents cannot be had, so nothing is known about the key.
        """
        key = self._known(kid)
        if key is None:
            await self._refresh()
            key = self._known(kid)
        if key is None and self._failed:
            raise IssuerUnavailable
        if key is None:
            raise IdTokenRejected(Reason.UNKNOWN_KEY)
        return key

    def _known(self, kid: str) -> IssuerKey | None:
        return self._keys.get(kid) if _within(self._fetched_at, LIFETIME, self._clock()) else None

    async def _refresh(self) -> None:
        if self._fetching is None or self._fetching.done():
            now = self._clock()
            pause = REFETCH_AFTER if _within(self._fetched_at, LIFETIME, now) else RETRY_AFTER
            if _within(self._started_at, pause, now):
                return
            self._started_at = now
            self._fetching = asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        self._failed = True
        try:
            metadata = await self._fetcher.fetch(
                f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            )
            self._keys = await self._published(metadata)
        except IssuerUnavailable:
            return
        self._fetched_at = self._clock()
        self._failed = False

    async def _published(self, metadata: Mapping[str, object]) -> Mapping[str, IssuerKey]:
        """OpenID Connect Discovery 1.0, section 4.3: the document's issuer must be the one asked for."""
        location = metadata.get("jwks_uri")
        if metadata.get("issuer") != self._issuer or not isinstance(location, str):
            raise IssuerUnavailable
        keys = usable_keys((await self._fetcher.fetch(location)).get("keys"))
        if not keys:
            raise IssuerUnavailable
        return keys


def usable_keys(entries: object) -> dict[str, IssuerKey]:
    """The keys of a JWK Set that can verify a signature, by ``kid``; any other entry is passed over.

    RFC 7517, section 5: a set may hold keys of types that a reader does not know.
    """
    found: dict[str, IssuerKey] = {}
    for entry in cast("list[object]", entries) if isinstance(entries, list) else ():
        kid = cast("dict[str, object]", entry).get("kid") if isinstance(entry, dict) else None
        key = _usable(cast("dict[str, Any]", entry)) if isinstance(kid, str) else None
        if key is not None:
            found[str(kid)] = key
    return found


def _usable(jwk: Mapping[str, Any]) -> IssuerKey | None:
    kind = (jwk.get("kty"), jwk.get("crv"))
    algorithms = _ALGORITHMS.get(kind, ()) if all(isinstance(part, str | None) for part in kind) else ()
    if "alg" in jwk:
        algorithms = tuple(name for name in algorithms if name == jwk["alg"])
    if not algorithms or jwk.get("use", "sig") != "sig":
        return None
    try:
        key: AllowedPublicKeys = jwt.PyJWK(dict(jwk), algorithms[0]).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        return None
    return IssuerKey(key, algorithms)


def _within(since: datetime | None, span: timedelta, now: datetime) -> bool:
    """Whether ``now`` is less than ``span`` after ``since``; a clock set back does not lengthen the wait."""
    return since is not None and timedelta() <= now - since < span
