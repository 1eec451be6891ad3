"""Our own discovery document, so that a service with any JOSE library can verify our tokens."""

from collections.abc import Sequence

from tenantry.tokens.access_tokens import CANONICAL_CLAIMS

JWKS_PATH = "/.well-known/jwks.json"
DISCOVERY_PATH = "/.well-known/openid-configuration"
INTROSPECTION_PATH = "/oauth/introspect"
REVOCATION_PATH = "/oauth/revoke"


def openid_configuration(
    issuer: str, *, algorithms: Sequence[str] = ("ES256",), services: bool = False
) -> dict[str, object]:
    """The metadata of ``issuer``, a URL without a trailing slash (OpenID Connect Discovery 1.0, section 3).

    People sign in by GraphQL, not by redirect, so there is no authorization endpoint, and
    the lists of response and grant types are empty (RFC 8414, section 2, allows that).
    With ``services``, where those that are registered ask about tokens and end them.
    """
    asked = {
        "introspection_endpoint": f"{issuer}{INTROSPECTION_PATH}",
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "revocation_endpoint": f"{issuer}{REVOCATION_PATH}",
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic"],
    }
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}{JWKS_PATH}",
        "response_types_supported": [],
        "grant_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(algorithms),
        "access_token_signing_alg_values_supported": list(algorithms),
        "claims_supported": list(CANONICAL_CLAIMS),
        **(asked if services else {}),
    }
