"""Who asks: one principal from one credential, or nobody; a bad credential is never nobody."""

from collections.abc import Callable, Sequence

from tenantry.authentication.api_keys.service import KEY_INVALID
from tenantry.kernel.errors import Unauthenticated
from tenantry.kernel.principal import ANONYMOUS, ActorKind, Principal
from tenantry.tokens.access_tokens import AccessTokens
from tenantry.tokens.api_keys import is_api_key, is_whole
from tenantry.tokens.errors import AccessTokenRejected, Reason
from tenantry.tokens.opaque import digest
from tenantry.web.requests import Headers

Authenticator = Callable[[str], Principal | None]
"""Reads a bearer's text: None where it is not of its kind. Raises ``Unauthenticated`` where it is bad."""

AUTHORIZATION = b"authorization"


def authenticators(access_tokens: AccessTokens) -> Sequence[Authenticator]:
    """Every kind of credential, in the order in which they are looked for."""
    return [api_key, access_token(access_tokens)]


def authenticate(known: Sequence[Authenticator], headers: Headers) -> Principal:
    """The principal of ``Authorization: Bearer …`` (RFC 6750, section 2.1), ``ANONYMOUS`` without any.

    Raises:
        Unauthenticated: a credential was sent that does not hold, or of a kind not known here.
    """
    sent = headers.get(AUTHORIZATION)
    if sent is None:
        return ANONYMOUS
    scheme, _, text = sent.partition(b" ")
    if scheme.lower() == b"bearer":
        # A header holds bytes; any that are not ASCII make the credential malformed.
        credential = text.strip().decode("latin-1")
        for authenticator in known:
            principal = authenticator(credential)
            if principal is not None:
                return principal
    raise AccessTokenRejected(Reason.MALFORMED)


def api_key(credential: str) -> Principal | None:
    """``tntk_…``: an API key of ours, whose standing the graph looks up."""
    if not is_api_key(credential):
        return None
    if not is_whole(credential):
        raise Unauthenticated(KEY_INVALID, "This API key does not hold.")
    return Principal(kind=ActorKind.API_KEY, key=digest(credential))


def access_token(access_tokens: AccessTokens) -> Authenticator:
    """An access token of ours, which every other text is taken for."""
    return lambda credential: access_tokens.verify(credential).principal


def challenge(headers: Headers) -> bytes:
    """The ``WWW-Authenticate`` of a 401 (RFC 6750, section 3: no error code without a credential)."""
    return b'Bearer error="invalid_token"' if AUTHORIZATION in headers else b"Bearer"
