"""The authorization code flow's pure parts: requests read, codes issued and redeemed once."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode

CODE_SECONDS = 60
MAX_CODES = 1_000
"""Codes that may wait at once; beyond it the oldest is forgotten."""

MAX_PARAMETERS = 40

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""SHA-256 in base64url (RFC 7636, section 4.2)."""
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""RFC 7636, section 4.1."""


class UnknownClient(Exception):
    """Client or redirect URI not ours: told to the person, never redirected (RFC 6749, 4.1.2.1)."""


class InvalidRequest(Exception):
    """An OAuth error; ``error`` is its registered code."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request whose client and redirect URI are known to be ours."""

    client_id: str
    redirect_uri: str
    nonce: str | None
    code_challenge: str
    fields: Mapping[str, str]
    """What arrived, to be carried through the form."""


def read_parameters(raw: str) -> dict[str, str]:
    """Parameters of a query or form; one given twice is refused (RFC 6749, section 3.1)."""
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise InvalidRequest("invalid_request", "There are too many parameters.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidRequest("invalid_request", "A parameter was given twice.")
    return fields


def read_request(
    fields: Mapping[str, str], *, client_id: str, redirect_uris: Collection[str]
) -> AuthorizationRequest:
    """The authorization request, or UnknownClient, or InvalidRequest to be sent to the client."""
    if fields.get("client_id") != client_id:
        raise UnknownClient("This provider does not know that client.")
    if fields.get("redirect_uri") not in redirect_uris:
        raise UnknownClient("That redirect address is not one of this client's.")
    if fields.get("response_type") != "code":
        raise InvalidRequest("unsupported_response_type", "Only response_type=code is served.")
    if "openid" not in fields.get("scope", "").split():
        raise InvalidRequest("invalid_scope", "The scope must hold openid.")
    if fields.get("response_mode", "query") not in ("query", "fragment"):
        raise InvalidRequest("invalid_request", "response_mode is query or fragment.")
    challenge = fields.get("code_challenge", "")
    if fields.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise InvalidRequest("invalid_request", "PKCE with S256 is required.")
    return AuthorizationRequest(
        client_id=client_id,
        redirect_uri=fields["redirect_uri"],
        nonce=fields.get("nonce"),
        code_challenge=challenge,
        fields=dict(fields),
    )


def answer_uri(fields: Mapping[str, str], parameters: Mapping[str, str]) -> str:
    """The redirect URI with ``parameters`` and the client's state, as query or fragment."""
    state = {"state": fields["state"]} if "state" in fields else {}
    uri = fields["redirect_uri"]
    mark = "#" if fields.get("response_mode") == "fragment" else "&" if "?" in uri else "?"
    return f"{uri}{mark}{urlencode({**parameters, **state})}"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code stands for."""

    request: AuthorizationRequest
    email: str
    name: str
    at: datetime


class Codes:
    """Codes in memory: 60 seconds, once, for the client, address and verifier they were made for."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._grants: dict[bytes, Grant] = {}

    def issue(self, request: AuthorizationRequest, *, email: str, name: str) -> str:
        """A fresh code of 256 bits; only its hash is kept."""
        while len(self._grants) >= MAX_CODES:
            del self._grants[next(iter(self._grants))]
        code = secrets.token_urlsafe(32)
        self._grants[_digest(code)] = Grant(request, email, name, self._clock())
        return code

    def redeem(self, fields: Mapping[str, str]) -> Grant:
        """The grant of ``fields["code"]``, which is spent whatever the outcome.

        Raises:
            InvalidRequest: unsupported_grant_type, or invalid_grant with one message for every cause.
        """
        if fields.get("grant_type") != "authorization_code":
            raise InvalidRequest("unsupported_grant_type", "Only authorization_code is served.")
        grant = self._grants.pop(_digest(fields.get("code", "")), None)
        if grant is None or not self._holds(grant, fields):
            raise InvalidRequest("invalid_grant", "The code does not hold: unknown, used, late or not yours.")
        return grant

    def _holds(self, grant: Grant, fields: Mapping[str, str]) -> bool:
        request = grant.request
        return (
            self._clock() - grant.at < timedelta(seconds=CODE_SECONDS)
            and fields.get("client_id") == request.client_id
            and fields.get("redirect_uri") == request.redirect_uri
            and proves(fields.get("code_verifier", ""), request.code_challenge)
        )


def proves(verifier: str, challenge: str) -> bool:
    """RFC 7636, section 4.6, in constant time."""
    made = base64.urlsafe_b64encode(_digest(verifier)).rstrip(b"=")
    return _VERIFIER.fullmatch(verifier) is not None and hmac.compare_digest(made, challenge.encode())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
