"""An OIDC issuer of the tests' own on loopback: real discovery, real keys, anyone it is told to name."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tenantry.kernel.clock import Clock
from tenantry.settings import OidcProvider
from tenantry.tokens.id_tokens import IdTokenSigner
from tests.support.loopback import Answer, LoopbackServer, loopback_server

CLIENT = "spa"


@dataclass(frozen=True)
class LocalIssuer:
    """Signs ID tokens that ``login`` can verify by the issuer's published keys."""

    server: LoopbackServer
    clock: Clock
    signer: IdTokenSigner = field(default_factory=IdTokenSigner)

    @property
    def provider(self) -> OidcProvider:
        """The settings that trust it."""
        return OidcProvider(issuer=self.server.origin, audience=CLIENT, algorithms=("ES256",))

    def publish(self) -> None:
        """Put discovery and keys where a verifier looks for them (OpenID Connect Discovery, section 4)."""
        origin = self.server.origin
        metadata = {"issuer": origin, "jwks_uri": f"{origin}/jwks"}
        self.server.answers["/.well-known/openid-configuration"] = _json(metadata)
        self.server.answers["/jwks"] = _json(self.signer.jwks())

    def id_token(self, email: str, *, subject: str | None = None, verified: bool = True) -> str:
        """A token for whoever has this address; one subject for each address unless said otherwise."""
        now = int(self.clock().timestamp())
        return self.signer.sign(
            {
                "iss": self.server.origin,
                "aud": CLIENT,
                "sub": subject or f"subject of {email}",
                "iat": now,
                "exp": now + 300,
                "email": email,
                "email_verified": verified,
                "name": "Ann Example",
            }
        )


@asynccontextmanager
async def local_issuer(clock: Clock) -> AsyncGenerator[LocalIssuer]:
    """Listens on a free port of loopback until the block ends."""
    async with loopback_server() as server:
        issuer = LocalIssuer(server, clock)
        issuer.publish()
        yield issuer


def _json(value: object) -> Answer:
    return Answer(json.dumps(value).encode())
