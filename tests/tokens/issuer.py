"""An issuer of the tests' own: its documents on a counting server, its tokens as wrong as a test wants."""

import json
from datetime import datetime

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import RSAAlgorithm

from tenantry.settings import OidcProvider
from tests.support.loopback import Answer, LoopbackServer

DISCOVERY, JWKS = "/.well-known/openid-configuration", "/jwks"
AUDIENCE = "spa"
KEY = generate_private_key(65_537, 2_048)


def document(value: object) -> Answer:
    return Answer(json.dumps(value).encode())


def published(kid: str, key=KEY, **members) -> dict:
    return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, **members}


def publish(server: LoopbackServer, *keys: object, **metadata) -> OidcProvider:
    """Puts discovery and keys on ``server``; returns the settings that trust it."""
    known = {"issuer": server.origin, "jwks_uri": server.origin + JWKS} | metadata
    server.answers[DISCOVERY] = document(known)
    server.answers[JWKS] = document({"keys": list(keys)})
    return OidcProvider(issuer=server.origin, audience=AUDIENCE)


def id_token(issuer: str, now: datetime, *, kid="one", key=KEY, alg="RS256", headers=None, **changes) -> str:
    """A token that holds but for ``changes``; a change to ``...`` removes the claim."""
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": "person-1",
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 600,
        "email": "Olivia@Phone.Example",
        "email_verified": True,
        "name": "Olivia Owner",
    } | changes
    claims = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode(claims, key, algorithm=alg, headers={"kid": kid} | (headers or {}))
