"""An OIDC issuer for the logins of the mixed load: two documents over HTTP, and ID tokens made beforehand."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantry.tokens.id_tokens import IdTokenSigner

AUDIENCE = "bench"


@dataclass(frozen=True, slots=True)
class Issuer:
    """A running issuer."""

    url: str
    signer: IdTokenSigner

    def id_token(self, person: int) -> str:
        """What the issuer would say of the ``person``-th user of the data, for the next hour."""
        now = int(time.time())
        return self.signer.sign(
            {
                "iss": self.url,
                "aud": AUDIENCE,
                "sub": f"person-{person}",
                "iat": now,
                "exp": now + 3600,
                "email": f"person{person}@example.com",
                "email_verified": True,
            }
        )

    @property
    def settings(self) -> dict[str, str]:
        """What makes Tenantry trust it; an issuer on loopback is for development only."""
        return {
            "TENANTRY_OIDC_PROVIDERS": json.dumps([{"issuer": self.url, "audience": AUDIENCE}]),
            "TENANTRY_ALLOW_PRIVATE_ISSUERS": "true",
        }


@asynccontextmanager
async def running_issuer() -> AsyncGenerator[Issuer]:
    """Serve discovery and keys on a free port while the context lasts."""
    signer = IdTokenSigner()
    documents: dict[bytes, bytes] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        content = documents[head.split(b" ", 2)[1]]
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(content), content)
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    documents[b"/.well-known/openid-configuration"] = json.dumps(
        {"issuer": url, "jwks_uri": f"{url}/jwks"}
    ).encode()
    documents[b"/jwks"] = json.dumps(signer.jwks()).encode()
    async with server:
        yield Issuer(url, signer)
