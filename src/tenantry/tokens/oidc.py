"""ID tokens of any configured OIDC provider (OpenID Connect Core 1.0, section 3.1.3.7)."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
import jwt

from tenantry.kernel.clock import Clock, system_clock
from tenantry.settings import OidcProvider
from tenantry.tokens.addresses import Resolver, resolve
from tenantry.tokens.claims import Claims, reason_of, stated_issuer, unverified
from tenantry.tokens.errors import IdTokenRejected, IssuerUnavailable, Reason
from tenantry.tokens.fetching import Fetcher, plain_issuer
from tenantry.tokens.identity import LogoutToken, VerifiedIdentity, identity_of, logout_of
from tenantry.tokens.issuer_keys import IssuerKeys

_REQUIRED = ("iss", "aud", "sub", "exp", "iat")
_REQUIRED_OF_LOGOUT = ("iss", "aud", "exp", "iat", "jti", "events")
ID_TOKEN_TYPES = frozenset({"JWT"})
LOGOUT_TOKEN_TYPES = frozenset({"JWT", "LOGOUT+JWT"})
"""Back-Channel Logout 1.0, section 2.4, recommends the second and lets the first be."""
LOGOUT_AGE = timedelta(minutes=5)
OTHERS = 1_000
"""Issuers beside those of the settings whose keys are kept."""


class OidcVerifier:
    """Verifies ID tokens of the providers in the settings, and of no other issuer.

    Keys are pinned to algorithms by their type and by the provider's list, so that neither
    ``none`` nor a symmetric signature made with a public key can pass (RFC 8725, 3.1).
    """

    def __init__(
        self,
        providers: Sequence[OidcProvider],
        *,
        http: httpx.AsyncClient,
        allow_private: bool = False,
        clock: Clock = system_clock,
        resolver: Resolver = resolve,
    ) -> None:
        self._fetcher = Fetcher(http, allow_private=allow_private, resolver=resolver)
        self._clock = clock
        self._providers = {provider.issuer: provider for provider in providers}
        self._keys = {
            issuer: IssuerKeys(issuer, fetcher=self._fetcher, clock=clock) for issuer in self._providers
        }
        self._others: OrderedDict[str, IssuerKeys] = OrderedDict()

    def trusts(self, issuer: str) -> bool:
        """Whether the issuer is one of the settings'."""
        return issuer in self._providers

    async def verify(self, id_token: str, *, issuer: str, nonce: str | None = None) -> VerifiedIdentity:
        """The identity that ``issuer``'s token proves; with ``nonce``, only for the login it was made for.

        Whether an unverified e-mail may be used is the caller's to decide.

        Raises:
            IdTokenRejected: ``reason`` says why; ``UNKNOWN_ISSUER`` before anything is fetched.
            IssuerUnavailable: the provider is down, slow, answers garbage or has a private address.
        """
        provider = self._providers.get(issuer)
        if provider is None:
            raise IdTokenRejected(Reason.UNKNOWN_ISSUER)
        return await self.verify_by(provider, id_token, nonce=nonce)

    async def verify_by(
        self, provider: OidcProvider, id_token: str, *, nonce: str | None = None
    ) -> VerifiedIdentity:
        """As ``verify``, by a provider that the caller has found, and knows what its word is worth."""
        values = await self._proven(id_token, provider, ID_TOKEN_TYPES)
        Claims(values, IdTokenRejected).require_current(self._clock())
        _require_authorized_party(values, provider.audience)
        return identity_of(values, nonce)

    async def verify_logout(self, logout_token: str, provider: OidcProvider | None = None) -> LogoutToken:
        """What a provider says has ended (OpenID Connect Back-Channel Logout 1.0, section 2.6).

        The provider is the one of the settings that the token names, unless it is given. Whether the
        token was seen before is the caller's to know. Raises what ``verify`` does.
        """
        named = provider or self._providers.get(stated_issuer(logout_token))
        if named is None:
            raise IdTokenRejected(Reason.UNKNOWN_ISSUER)
        values = await self._proven(logout_token, named, LOGOUT_TOKEN_TYPES)
        claims = Claims(values, IdTokenRejected)
        claims.require_current(self._clock())
        if self._clock() - claims.instant("iat") > LOGOUT_AGE:
            raise IdTokenRejected(Reason.EXPIRED)
        return logout_of(values)

    async def reachable(self, issuer: str) -> bool:
        """Whether discovery and keys of an issuer can be had from here, as a login would fetch them.

        Nothing is resolved, let alone asked, for what cannot be an issuer's URL.
        """
        if not plain_issuer(issuer, schemes=self._fetcher.schemes):
            return False
        try:
            await self._keys_of(issuer).find("")
        except IssuerUnavailable:
            return False
        except IdTokenRejected:
            pass
        return True

    def _keys_of(self, issuer: str) -> IssuerKeys:
        """Those of the settings stay; of the others, as many as fit, the latest asked for."""
        if issuer in self._keys:
            return self._keys[issuer]
        found = self._others.pop(issuer, None) or IssuerKeys(issuer, fetcher=self._fetcher, clock=self._clock)
        self._others[issuer] = found
        if len(self._others) > OTHERS:
            self._others.popitem(last=False)
        return found

    async def _proven(self, token: str, provider: OidcProvider, types: frozenset[str]) -> Mapping[str, Any]:
        header, _ = unverified(token, IdTokenRejected)
        algorithm, kid = _pinned(header, provider, types)
        key = await self._keys_of(provider.issuer).find(kid)
        if algorithm not in key.algorithms:
            raise IdTokenRejected(Reason.ALGORITHM_NOT_ALLOWED)
        try:
            return jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=provider.audience,
                issuer=provider.issuer,
                options={
                    "require": list(_REQUIRED if types is ID_TOKEN_TYPES else _REQUIRED_OF_LOGOUT),
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as error:
            raise IdTokenRejected(reason_of(error)) from error


def _pinned(header: Mapping[str, Any], provider: OidcProvider, types: frozenset[str]) -> tuple[str, str]:
    """The header's ``alg`` and ``kid``, refused before anything is fetched for them."""
    if str(header.get("typ", "JWT")).upper() not in types:
        raise IdTokenRejected(Reason.WRONG_TYPE)
    if header.get("alg") not in provider.algorithms:
        raise IdTokenRejected(Reason.ALGORITHM_NOT_ALLOWED)
    if not isinstance(header.get("kid"), str):
        raise IdTokenRejected(Reason.UNKNOWN_KEY)
    return header["alg"], header["kid"]


def _require_authorized_party(values: Mapping[str, Any], audience: str) -> None:
    """Rules 4 and 5 of section 3.1.3.7: among several audiences, and when named, the party must be us."""
    several = values["aud"] not in (audience, [audience])
    if (several or "azp" in values) and values.get("azp") != audience:
        raise IdTokenRejected(Reason.WRONG_AUDIENCE)
