"""ID tokens of our own, for the development identity provider alone."""

from collections.abc import Mapping

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tenantry.tokens.signing import SigningKey, SigningKeys


class IdTokenSigner:
    """Signs ID tokens with an ES256 key (RFC 7518, section 3.4) that lives as long as this object.

    The key is never written down and is not one of the service's own: nothing that it signs
    passes for an access token.
    """

    def __init__(self) -> None:
        self._key = SigningKey.of(generate_private_key(SECP256R1()))

    @property
    def algorithm(self) -> str:
        """The one algorithm it signs with, by its JOSE name."""
        return self._key.algorithm

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public JWK Set (RFC 7517, section 5): one key, no private member."""
        return SigningKeys([self._key]).jwks()

    def sign(self, claims: Mapping[str, object]) -> str:
        """A compact JWS over ``claims`` with ``kid`` and ``typ: JWT``; times are Unix seconds.

        The caller has put every claim there that OpenID Connect Core, section 2 asks for.
        """
        headers = {"kid": self._key.kid, "typ": "JWT"}
        return jwt.encode(dict(claims), self._key.private, algorithm=self._key.algorithm, headers=headers)
