"""ID tokens of Firebase Authentication, through Google's own SDK."""

# The SDK has no types; its unknowns end in this module.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import asyncio
import os
import secrets
from collections.abc import Mapping
from typing import Any

import firebase_admin
from firebase_admin import auth, credentials
from google.auth.credentials import AnonymousCredentials

from tenantry.kernel.clock import Clock, system_clock
from tenantry.tokens.claims import SKEW, Claims, unverified
from tenantry.tokens.errors import IdTokenRejected, IssuerUnavailable, Reason
from tenantry.tokens.identity import VerifiedIdentity, identity_of

HTTP_TIMEOUT_SECONDS = 2
TOTAL_SECONDS = 3.0
"""For one verification: the SDK's own timeout begins anew with each byte."""
MAX_SUBJECT = 128
EMULATOR_VARIABLE = "FIREBASE_AUTH_EMULATOR_HOST"

_ISSUER_PREFIX = "https://securetoken.google.com/"
_REASONS = (
    ("Certificate for key id", Reason.UNKNOWN_KEY),
    ("Could not verify token signature", Reason.BAD_SIGNATURE),
    ("Token used too early", Reason.NOT_YET_VALID),
)
"""What the SDK's messages mean; it has no codes. A message not listed is no verdict on the token."""


class _NoCredential(credentials.Base):
    """Verifying needs no secret, only Google's public certificates."""

    def get_credential(self) -> AnonymousCredentials:
        return AnonymousCredentials()


class FirebaseVerifier:
    """Verifies ID tokens of one Firebase project whose e-mail address is verified.

    The rules are those of https://firebase.google.com/docs/auth/admin/verify-id-tokens. They
    are checked here for a reason that a client can rely on, and once more by the SDK, which
    alone checks the signature. ``EMULATOR_VARIABLE`` makes the SDK accept unsigned tokens and
    is read by it at each call: so it is here, and refused unless ``emulator_allowed``.
    """

    def __init__(self, project: str, *, emulator_allowed: bool, clock: Clock = system_clock) -> None:
        self._project = project
        self._emulator_allowed = emulator_allowed
        self._clock = clock
        self._app = firebase_admin.initialize_app(
            _NoCredential(),
            {"projectId": project, "httpTimeout": HTTP_TIMEOUT_SECONDS},
            name=f"tenantry-{secrets.token_hex(8)}",
        )

    def close(self) -> None:
        """Forgets the SDK's application; the verifier cannot be used afterwards."""
        firebase_admin.delete_app(self._app)

    async def verify(self, id_token: str, *, nonce: str | None = None) -> VerifiedIdentity:
        """The identity that the token proves; its e-mail address is always a verified one.

        Raises:
            IdTokenRejected: ``reason`` says which rule it breaks.
            IssuerUnavailable: Google's certificates cannot be had.
        """
        emulated = bool(os.environ.get(EMULATOR_VARIABLE))
        if emulated and not self._emulator_allowed:
            raise IdTokenRejected(Reason.EMULATOR_NOT_ALLOWED)
        header, stated = unverified(id_token, IdTokenRejected)
        if not emulated:
            _require_header(header)
        self._require_claims(stated)
        identity = identity_of(await self._proven(id_token), nonce)
        if not identity.email_verified:
            raise IdTokenRejected(Reason.EMAIL_NOT_VERIFIED)
        return identity

    def _require_claims(self, stated: Mapping[str, Any]) -> None:
        if stated.get("aud") != self._project:
            raise IdTokenRejected(Reason.WRONG_AUDIENCE)
        if stated.get("iss") != f"{_ISSUER_PREFIX}{self._project}":
            raise IdTokenRejected(Reason.WRONG_ISSUER)
        claims, now = Claims(stated, IdTokenRejected), self._clock()
        if len(claims.text("sub")) > MAX_SUBJECT:
            raise IdTokenRejected(Reason.MALFORMED)
        claims.require_current(now)
        claims.require_past("auth_time", now)

    async def _proven(self, id_token: str) -> Mapping[str, Any]:
        # The SDK blocks while it fetches certificates: never on the event loop.
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                return await asyncio.to_thread(self._ask_sdk, id_token)
        except TimeoutError as error:
            raise IssuerUnavailable from error

    def _ask_sdk(self, id_token: str) -> Mapping[str, Any]:
        skew = int(SKEW.total_seconds())
        try:
            return auth.verify_id_token(id_token, app=self._app, clock_skew_seconds=skew)
        except auth.ExpiredIdTokenError as error:
            raise IdTokenRejected(Reason.EXPIRED) from error
        except auth.InvalidIdTokenError as error:
            reason = next((reason for text, reason in _REASONS if text in str(error)), None)
            raise (IssuerUnavailable() if reason is None else IdTokenRejected(reason)) from error
        except Exception as error:
            # The token has passed every rule above: what else fails is what the certificate endpoint sent.
            raise IssuerUnavailable from error


def _require_header(header: Mapping[str, Any]) -> None:
    if header.get("alg") != "RS256":
        raise IdTokenRejected(Reason.ALGORITHM_NOT_ALLOWED)
    if not isinstance(header.get("kid"), str) or not header["kid"]:
        raise IdTokenRejected(Reason.UNKNOWN_KEY)
