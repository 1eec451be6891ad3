"""Why a token is not accepted: one closed list for ID tokens and access tokens."""

from enum import StrEnum

from tenantry.kernel.errors import Unauthenticated, Unavailable


class Reason(StrEnum):
    """``extensions.reason`` of a refused token, sorted.

    Naming rule: what is wrong with the token, never what would have been right. Only
    ``EXPIRED`` may lead a client to refresh.
    """

    ALGORITHM_NOT_ALLOWED = "ALGORITHM_NOT_ALLOWED"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    EMAIL_NOT_VERIFIED = "EMAIL_NOT_VERIFIED"
    EMULATOR_NOT_ALLOWED = "EMULATOR_NOT_ALLOWED"
    EXPIRED = "EXPIRED"
    MALFORMED = "MALFORMED"
    MISSING_CLAIM = "MISSING_CLAIM"
    NONCE_MISMATCH = "NONCE_MISMATCH"
    NOT_YET_VALID = "NOT_YET_VALID"
    UNKNOWN_ISSUER = "UNKNOWN_ISSUER"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    WRONG_AUDIENCE = "WRONG_AUDIENCE"
    WRONG_ISSUER = "WRONG_ISSUER"
    WRONG_TYPE = "WRONG_TYPE"


class TokenRejected(Unauthenticated):
    """A token that does not hold; neither the token nor its claims are in the message."""

    reason: Reason
    sentence = "The token is not accepted."

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason, self.sentence)


class IdTokenRejected(TokenRejected):
    """An issuer's ID token that ``login`` does not take."""

    sentence = "The ID token is not accepted."


class AccessTokenRejected(TokenRejected):
    """An access token that is not ours, not whole or no longer valid."""

    sentence = "The access token is not accepted."


class IssuerUnavailable(Unavailable):
    """The issuer is down, slow, answers garbage, or may not be fetched from here (503).

    Never a verdict on the token: the person may try again.
    """

    def __init__(self) -> None:
        super().__init__("The identity provider does not answer; try again shortly.")


class KeyFileError(ValueError):
    """A key file that cannot be used; the message names the file and what to do, and no key."""


class SealBroken(Exception):
    """What was sealed does not open: another key, another place, or a changed byte."""
