"""A certified OIDC provider (npm oidc-provider), and the code + PKCE flow of an SPA against it."""

import base64
import hashlib
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from tenantry.settings import OidcProvider
from tests.support.node_peer import node_peer

REDIRECT_URI = "https://app.example/callback"


@dataclass(frozen=True)
class Person:
    """Someone with an account at the provider."""

    subject: str
    email: str
    email_verified: bool = True
    name: str = "Olivia Owner"


@dataclass(frozen=True)
class RunningOidcProvider:
    """A provider that listens on loopback; its clients are ``spa-rs256`` and ``spa-es256``."""

    issuer: str

    def settings(self, algorithm: str = "RS256") -> OidcProvider:
        """The settings that make our service trust this provider for one of its clients."""
        return OidcProvider(
            issuer=self.issuer,
            audience=f"spa-{algorithm.lower()}",
            title="Test provider",
            algorithms=(algorithm,),
        )

    async def id_token(self, person: Person, *, algorithm: str = "RS256", nonce: str | None = None) -> str:
        """Signs ``person`` in by code + PKCE (RFC 7636) and returns the ID token."""
        verifier = secrets.token_urlsafe(48)
        async with httpx.AsyncClient(base_url=self.issuer, trust_env=False) as http:
            code = await self._code(http, person, _request(algorithm, verifier, nonce))
            answer = await http.post(
                "/token",
                data={
                    "grant_type": "authorization_code",
                    "client_id": f"spa-{algorithm.lower()}",
                    "code": code,
                    "code_verifier": verifier,
                    "redirect_uri": REDIRECT_URI,
                },
            )
        answer.raise_for_status()
        return str(answer.json()["id_token"])

    async def rotate(self) -> None:
        """New keys under new kids, at once; the old ones are published no longer."""
        async with httpx.AsyncClient(trust_env=False) as http:
            (await http.post(f"{self.issuer}/admin/rotate")).raise_for_status()

    async def log_out(self, subject: str, sid: str, *, to: str, algorithm: str = "RS256") -> None:
        """Tell a client's back channel, at ``to``, that a session has ended; raises where it is refused."""
        told = {"client": f"spa-{algorithm.lower()}", "subject": subject, "sid": sid, "to": to}
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{self.issuer}/admin/logout", json=told)
        if answer.is_error:
            raise RuntimeError(f"the back channel refused: {answer.text}")

    async def key_fetches(self) -> int:
        """How often anyone has fetched the provider's JWK Set."""
        async with httpx.AsyncClient(trust_env=False) as http:
            return int((await http.get(f"{self.issuer}/admin/fetches")).json()["jwks"])

    async def _code(self, http: httpx.AsyncClient, person: Person, request: dict[str, str]) -> str:
        answer = await http.get("/auth", params=request)
        interaction = _location(answer)
        answer = await http.post(
            interaction,
            json={
                "subject": person.subject,
                "email": person.email,
                "emailVerified": person.email_verified,
                "name": person.name,
            },
        )
        while not (location := _location(answer)).startswith(REDIRECT_URI):
            answer = await http.get(location)
        return parse_qs(urlsplit(location).query)["code"][0]


@asynccontextmanager
async def running_oidc_provider() -> AsyncGenerator[RunningOidcProvider]:
    """Starts a provider of its own on a free port (0.7 s), stops it afterwards."""
    async with node_peer("oidc-provider.mjs") as ready:
        yield RunningOidcProvider(ready["issuer"])


def _request(algorithm: str, verifier: str, nonce: str | None) -> dict[str, str]:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return {
        "client_id": f"spa-{algorithm.lower()}",
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "scope": "openid email profile",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **({} if nonce is None else {"nonce": nonce}),
    }


def _location(answer: httpx.Response) -> str:
    if not answer.is_redirect:
        raise RuntimeError(f"the provider answered {answer.status_code}: {answer.text[:500]}")
    return urljoin(str(answer.url), answer.headers["location"])
