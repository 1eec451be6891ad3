"""The development identity provider: OpenID Connect without passwords, on loopback only.

Authorization code with PKCE and nothing else. Whoever reaches it may be anyone, so
``require_development`` guards its start and ``LoopbackOnly`` each of its requests.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tenantry.kernel.clock import Clock
from tenantry.tokens.id_tokens import IdTokenSigner
from tenantry.web.development.authorization import (
    AuthorizationRequest,
    Codes,
    Grant,
    InvalidRequest,
    UnknownClient,
    answer_uri,
    read_parameters,
    read_request,
)
from tenantry.web.development.guard import LoopbackOnly
from tenantry.web.development.sign_in_page import DemoPerson, refusal_page, sign_in_page

__all__ = ["DemoPerson", "identity_provider"]

ID_TOKEN_SECONDS = 300
MAX_FORM_BYTES = 16_384
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_NO_STORE = {"Cache-Control": "no-store"}

People = Callable[[], Awaitable[Sequence[DemoPerson]]]
Handler = Callable[[AuthorizationRequest], Awaitable[Response]]


def identity_provider(
    *, issuer: str, client_id: str, redirect_uris: Sequence[str], people: People, clock: Clock
) -> ASGIApp:
    """The provider as an application, to be mounted at the path of ``issuer``.

    Codes live 60 seconds and are spent by their first use; ID tokens are ES256, live 300
    seconds and name any address as verified. Keys and codes are lost with the process.
    """
    provider = _Provider(
        issuer=issuer.rstrip("/"),
        client_id=client_id,
        redirect_uris=redirect_uris,
        people=people,
        clock=clock,
    )
    origins = sorted({origin_of(uri) for uri in redirect_uris})
    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", provider.configuration, methods=["GET"]),
            Route("/jwks.json", provider.keys, methods=["GET"]),
            Route("/authorize", provider.ask, methods=["GET"]),
            Route("/authorize", provider.answer, methods=["POST"]),
            Route("/token", provider.token, methods=["POST"]),
        ],
        middleware=[
            Middleware(LoopbackOnly),
            Middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"]),
        ],
    )


class _Provider:
    """The endpoints, and what they share."""

    def __init__(
        self, *, issuer: str, client_id: str, redirect_uris: Sequence[str], people: People, clock: Clock
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._redirect_uris = frozenset(redirect_uris)
        self._people = people
        self._clock = clock
        self._codes = Codes(clock)
        self._signer = IdTokenSigner()

    async def configuration(self, _: Request) -> Response:
        """OpenID Connect Discovery 1.0, section 3."""
        return JSONResponse(
            {
                "issuer": self._issuer,
                "authorization_endpoint": f"{self._issuer}/authorize",
                "token_endpoint": f"{self._issuer}/token",
                "jwks_uri": f"{self._issuer}/jwks.json",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query", "fragment"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [self._signer.algorithm],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": ["none"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
                "claims_supported": ["sub", "email", "email_verified", "name", "nonce", "auth_time"],
            }
        )

    async def keys(self, _: Request) -> Response:
        """RFC 7517, section 5."""
        return JSONResponse(self._signer.jwks())

    async def ask(self, request: Request) -> Response:
        """The page that asks who to be."""
        return await self._with_request(request.url.query, self._show)

    async def answer(self, request: Request) -> Response:
        """The page's form: a code for the person chosen."""
        return await self._with_request(await _form(request), self._choose)

    async def token(self, request: Request) -> Response:
        """RFC 6749, section 4.1.3, for a public client with PKCE."""
        try:
            grant = self._codes.redeem(read_parameters(await _form(request)))
        except InvalidRequest as refusal:
            body = {"error": refusal.error, "error_description": refusal.description}
            return JSONResponse(body, status_code=400, headers=_NO_STORE)
        tokens = {
            "access_token": secrets.token_urlsafe(32),
            "token_type": "Bearer",
            "expires_in": ID_TOKEN_SECONDS,
            "id_token": self._signer.sign(self._claims(grant)),
        }
        return JSONResponse(tokens, headers=_NO_STORE)

    async def _with_request(self, raw: str, then: Handler) -> Response:
        try:
            fields = read_parameters(raw)
        except InvalidRequest as refusal:
            return refusal_page(refusal.description)
        try:
            asked = read_request(fields, client_id=self._client_id, redirect_uris=self._redirect_uris)
        except UnknownClient as refusal:
            return refusal_page(str(refusal))
        except InvalidRequest as refusal:
            parameters = {"error": refusal.error, "error_description": refusal.description}
            return self._redirect(answer_uri(fields, {**parameters, "iss": self._issuer}))
        return await then(asked)

    async def _show(self, asked: AuthorizationRequest) -> Response:
        return sign_in_page(
            await self._people(),
            action=urlsplit(f"{self._issuer}/authorize").path,
            fields={name: value for name, value in asked.fields.items() if name != "email"},
            client_origin=origin_of(asked.redirect_uri),
        )

    async def _choose(self, asked: AuthorizationRequest) -> Response:
        email = asked.fields.get("email", "").strip().lower()
        if not _EMAIL.fullmatch(email):
            return refusal_page("That is not an e-mail address. Go back and try again.")
        names = [person.name for person in await self._people() if person.email.lower() == email]
        code = self._codes.issue(asked, email=email, name=(names or [email.partition("@")[0]])[0])
        return self._redirect(answer_uri(asked.fields, {"code": code, "iss": self._issuer}))

    @staticmethod
    def _redirect(uri: str) -> Response:
        return RedirectResponse(uri, status_code=303, headers={**_NO_STORE, "Referrer-Policy": "no-referrer"})

    def _claims(self, grant: Grant) -> Mapping[str, object]:
        """OpenID Connect Core 1.0, sections 2 and 5.1; the subject outlives a restart."""
        now = int(self._clock().timestamp())
        nonce = {} if grant.request.nonce is None else {"nonce": grant.request.nonce}
        return {
            "iss": self._issuer,
            "sub": subject_of(grant.email),
            "aud": self._client_id,
            "iat": now,
            "exp": now + ID_TOKEN_SECONDS,
            "auth_time": int(grant.at.timestamp()),
            "email": grant.email,
            "email_verified": True,
            "name": grant.name,
            **nonce,
        }


def subject_of(email: str) -> str:
    """The ``sub`` of an address: the same in every run, and not the address."""
    return base64.urlsafe_b64encode(hashlib.sha256(email.encode()).digest()[:16]).rstrip(b"=").decode()


def origin_of(uri: str) -> str:
    """Scheme and authority of a URI."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


async def _form(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413)
    return body.decode("ascii", errors="replace")
