"""What an issuer says about a person, once its ID token has been verified."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast

from tenantry.tokens.claims import Claims
from tenantry.tokens.errors import IdTokenRejected, Reason

MAX_SUBJECT = 255
"""OpenID Connect Core 1.0, section 2: ``sub`` is at most 255 ASCII characters."""
MAX_EMAIL = 320


@dataclass(frozen=True, slots=True)
class VerifiedIdentity:
    """One person at one issuer; (``issuer``, ``subject``) is what identities are bound by.

    ``email`` is in lower case. It may be used to find someone only while
    ``email_verified`` is true.
    """

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str | None
    sid: str | None = None
    """The provider's own session, by which it may say that it has ended (Front-Channel Logout 1.0, 3)."""


class IdTokenVerifier(Protocol):
    """Turns one issuer's ID token into an identity."""

    async def verify(self, id_token: str, *, nonce: str | None = None) -> VerifiedIdentity:
        """The identity that the token proves at this moment.

        Raises:
            IdTokenRejected: the token does not hold; ``reason`` says why.
            IssuerUnavailable: the issuer's keys cannot be had, nothing is said about the token.
        """
        ...


def identity_of(values: Mapping[str, object], nonce: str | None) -> VerifiedIdentity:
    """The identity in ``values``, claims whose signature, issuer, audience and times were checked.

    ``email_verified`` counts only as the JSON value ``true`` (OpenID Connect Core 1.0, 5.1).

    Raises:
        IdTokenRejected: ``MISSING_CLAIM`` (``iss``, ``sub``), ``NONCE_MISMATCH`` or ``MALFORMED``.
    """
    claims = Claims(values, IdTokenRejected)
    issuer, subject = claims.text("iss"), claims.text("sub")
    email = claims.optional_text("email")
    if len(subject) > MAX_SUBJECT or len(email or "") > MAX_EMAIL:
        raise IdTokenRejected(Reason.MALFORMED)
    if nonce is not None and not _same(claims.optional_text("nonce"), nonce):
        raise IdTokenRejected(Reason.NONCE_MISMATCH)
    return VerifiedIdentity(
        issuer=issuer,
        subject=subject,
        email=email.lower() if email else None,
        email_verified=email is not None and values.get("email_verified") is True,
        name=claims.optional_text("name"),
        sid=claims.optional_text("sid"),
    )


LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """Whose sessions a provider has ended: all of ``subject``, or those of its session ``sid``."""

    issuer: str
    subject: str | None
    sid: str | None
    jti: str
    expires_at: datetime


def logout_of(values: Mapping[str, object]) -> LogoutToken:
    """What ``values`` end, claims whose signature, issuer, audience and times were checked.

    Raises:
        IdTokenRejected: ``MALFORMED`` for what is no logout token by section 2.4 of Back-Channel Logout
            1.0 (an ID token among them, which has no such event and may have a nonce), ``MISSING_CLAIM``.
    """
    claims = Claims(values, IdTokenRejected)
    events = values.get("events")
    said = cast("dict[str, object]", events).get(LOGOUT_EVENT) if isinstance(events, dict) else None
    if not isinstance(said, dict) or "nonce" in values:
        raise IdTokenRejected(Reason.MALFORMED)
    subject, sid = claims.optional_text("sub"), claims.optional_text("sid")
    if subject is None and sid is None:
        raise IdTokenRejected(Reason.MISSING_CLAIM)
    return LogoutToken(claims.text("iss"), subject, sid, claims.text("jti"), claims.instant("exp"))


def _same(found: str | None, expected: str) -> bool:
    return found is not None and hmac.compare_digest(found.encode(), expected.encode())
