"""The claims of one token, read strictly."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import jwt

from tenantry.tokens.errors import IdTokenRejected, Reason, TokenRejected

MAX_TOKEN_CHARACTERS = 16_384
SKEW = timedelta(seconds=60)
"""How far ahead an issuer's clock may be; it never prolongs ``exp``."""

_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_REASONS: tuple[tuple[type[jwt.PyJWTError], Reason], ...] = (
    (jwt.InvalidSignatureError, Reason.BAD_SIGNATURE),
    (jwt.InvalidAlgorithmError, Reason.ALGORITHM_NOT_ALLOWED),
    (jwt.InvalidAudienceError, Reason.WRONG_AUDIENCE),
    (jwt.InvalidIssuerError, Reason.WRONG_ISSUER),
    (jwt.MissingRequiredClaimError, Reason.MISSING_CLAIM),
)


def reason_of(error: jwt.PyJWTError) -> Reason:
    """The reason that a PyJWT error stands for; what is not listed is ``MALFORMED``."""
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), Reason.MALFORMED)


def unverified(token: str, refusal: type[TokenRejected]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims as the token states them: nothing is proved, decide nothing by them alone.

    Raises:
        TokenRejected: as ``refusal``, ``MALFORMED`` when it is no JWS in compact form (RFC 7515, 7.1).
    """
    try:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise refusal(Reason.MALFORMED)
        parts = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, UnicodeEncodeError) as error:
        raise refusal(Reason.MALFORMED) from error
    return parts["header"], parts["payload"]


def stated_audiences(id_token: str) -> list[str]:
    """The audiences that an ID token states, to look its client up by: nothing is proved by them.

    Raises:
        IdTokenRejected: ``MALFORMED``.
    """
    _, stated = unverified(id_token, IdTokenRejected)
    audiences = stated.get("aud")
    named = cast("list[object]", audiences if isinstance(audiences, list) else [audiences])
    return [each for each in named if isinstance(each, str)]


def stated_issuer(token: str) -> str:
    """The issuer that a provider's token states, to look it up by; "" where it states none.

    Raises:
        IdTokenRejected: ``MALFORMED``.
    """
    _, stated = unverified(token, IdTokenRejected)
    issuer = stated.get("iss")
    return issuer if isinstance(issuer, str) else ""


class Claims:
    """Typed access to claims; one that is absent or of another type is refused as ``refusal``."""

    __slots__ = ("_refusal", "_values")

    def __init__(self, values: Mapping[str, object], refusal: type[TokenRejected]) -> None:
        self._values = values
        self._refusal = refusal

    def text(self, name: str) -> str:
        """The claim as a string that is not empty; raises ``MISSING_CLAIM`` or ``MALFORMED``."""
        value = self._values.get(name)
        if value is None or value == "":
            raise self._refusal(Reason.MISSING_CLAIM)
        return self._string(value)

    def optional_text(self, name: str) -> str | None:
        """The claim as a string, or None where it is absent, null or empty."""
        value = self._values.get(name)
        return None if value is None or value == "" else self._string(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """The claim as an array of strings; raises ``MALFORMED``, also where it is absent."""
        value = self._values.get(name)
        if not isinstance(value, list):
            raise self._refusal(Reason.MALFORMED)
        return tuple(self._string(item) for item in cast("list[object]", value))

    def integer(self, name: str) -> int:
        """The claim as a whole number; raises ``MALFORMED``, also where it is absent."""
        value = self._values.get(name)
        if type(value) is not int:  # a bool is an int, but no number
            raise self._refusal(Reason.MALFORMED)
        return value

    def instant(self, name: str) -> datetime:
        """The claim as a NumericDate (RFC 7519, 2), UTC; raises ``MISSING_CLAIM`` or ``MALFORMED``."""
        value = self._values.get(name)
        if value is None:
            raise self._refusal(Reason.MISSING_CLAIM)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
            raise self._refusal(Reason.MALFORMED)
        return datetime.fromtimestamp(value, UTC)

    def require_current(self, now: datetime) -> None:
        """Refuses at or after ``exp``, and before ``iat`` or ``nbf`` less ``SKEW`` (RFC 7519, 4.1).

        Raises:
            TokenRejected: ``EXPIRED``, ``NOT_YET_VALID``, ``MISSING_CLAIM`` or ``MALFORMED``.
        """
        if self.instant("exp") <= now:
            raise self._refusal(Reason.EXPIRED)
        self.require_past("iat", now)
        if "nbf" in self._values:
            self.require_past("nbf", now)

    def require_past(self, name: str, now: datetime) -> None:
        """Refuses a claim that names an instant later than ``now`` plus ``SKEW`` as ``NOT_YET_VALID``."""
        if self.instant(name) > now + SKEW:
            raise self._refusal(Reason.NOT_YET_VALID)

    def _string(self, value: object) -> str:
        if not isinstance(value, str):
            raise self._refusal(Reason.MALFORMED)
        return value
