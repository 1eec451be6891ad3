"""The refresh cookie, the only one there is: read by name, written with every protection there is.

``__Host-`` binds it to this very host over HTTPS, at ``Path=/`` (RFC 6265bis, section 4.1.3.2);
``HttpOnly`` keeps scripts from it, ``SameSite=Strict`` other sites' requests.
"""

from tenantry.api.operations import Hidden, RefreshCookie
from tenantry.web.requests import Headers

NAME = b"__Host-tenantry_refresh"
MAX_CHARACTERS = 128
"""A token has 43; what is longer was not ours."""

_PREFIX = NAME + b"="
_PROTECTED = b"; Path=/; Secure; HttpOnly; SameSite=Strict"


def refresh_token(headers: Headers) -> Hidden | None:
    """The token of the request's cookie; None without one, with two, or with what cannot be one."""
    sent = headers.get(b"cookie")
    if sent is None:
        return None
    # A field sent twice has been joined by a comma (RFC 9110), which no token of ours holds.
    found = [part.strip() for part in sent.split(b";") if part.strip().startswith(_PREFIX)]
    if len(found) != 1:
        return None
    token = found[0].removeprefix(_PREFIX)
    if not 0 < len(token) <= MAX_CHARACTERS or not token.isascii() or b"," in token:
        return None
    return Hidden(token.decode("ascii"))


def set_cookie(cookie: RefreshCookie) -> tuple[bytes, bytes]:
    """The header field that makes the browser keep ``cookie``, or forget the one it has."""
    token = b"" if cookie.token is None else cookie.token.encode()
    return (b"set-cookie", b"%b%b%b; Max-Age=%d" % (_PREFIX, token, _PROTECTED, cookie.seconds))
