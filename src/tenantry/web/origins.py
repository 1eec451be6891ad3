"""Which sites' pages may call: CORS for the allowed, and nothing forged by the others.

The rule, for every method. A request with an ``Origin`` is taken from our own and from the
allowed ones, refused (403) from any other. One without, which is how a browser sends a GET of
an image, a script or a link, is refused when ``Sec-Fetch-Site`` says that another site caused
it, or when it carries cookies and no ``Sec-Fetch-Site`` (an old browser), unless it has
``Content-Type: application/json`` or ``X-Tenantry-Csrf``: a page cannot set those without a
preflight, which only allowed origins pass. Programs send none of this and are not in its way.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from tenantry.settings import Settings
from tenantry.web.development.guard import is_loopback
from tenantry.web.media_types import is_json
from tenantry.web.refusals import CrossSite, HeaderPairs
from tenantry.web.requests import Headers

CSRF_HEADER = b"x-tenantry-csrf"
PREFLIGHT_SECONDS = 600

_OTHER_SITES = frozenset({b"cross-site", b"same-site"})
_PREFLIGHT: HeaderPairs = (
    (b"access-control-allow-headers", b"authorization, content-type, x-tenantry-csrf"),
    (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
)
# The refresh cookie; its SameSite=Strict lets it come from pages of our own site alone.
_CREDENTIALS = (b"access-control-allow-credentials", b"true")
_EXPOSED = (b"access-control-expose-headers", b"retry-after, www-authenticate, x-request-id")


class Origins:
    """The allowed ones, as settings name them; compared whole, never by part."""

    def __init__(self, own: str, allowed: Iterable[str], *, loopback: bool = False) -> None:
        self._own = read_origin(own).encode()
        self._allowed = frozenset(read_origin(origin).encode() for origin in allowed)
        self._loopback = loopback

    @classmethod
    def of(cls, settings: Settings) -> "Origins":
        """The service's own, the SPAs', and in development any name of this machine."""
        return cls(settings.issuer, settings.allowed_origins, loopback=settings.development)

    def check(self, headers: Headers) -> None:
        """Raises ``CrossSite`` by the rule above."""
        origin = headers.get(b"origin")
        if origin is None:
            if _caused_elsewhere(headers) and not _preflighted(headers):
                raise CrossSite
        elif origin not in self._allowed and not self._is_own(origin, headers):
            raise CrossSite

    def cors(self, headers: Headers) -> HeaderPairs:
        """The headers that let an allowed origin's page read the answer; never a wildcard."""
        origin = headers.get(b"origin")
        if origin is None or origin not in self._allowed:
            return ()
        return [(b"access-control-allow-origin", origin), _CREDENTIALS, _EXPOSED]

    def preflight(self, headers: Headers, methods: Sequence[str]) -> HeaderPairs:
        """What a preflight is answered beside ``cors``. Raises ``CrossSite``."""
        self.check(headers)
        if headers.get(b"origin") not in self._allowed:
            return ()
        return [(b"access-control-allow-methods", ", ".join(methods).encode()), *_PREFLIGHT]

    def _is_own(self, origin: bytes, headers: Headers) -> bool:
        if origin == self._own:
            return True
        host = headers.get(b"host", b"")
        here = self._loopback and origin in {b"http://" + host, b"https://" + host}
        return here and is_loopback(urlsplit(origin.decode("latin-1")).hostname or "")


def read_origin(text: str) -> str:
    """An origin as browsers write it (RFC 6454, section 6.2). Raises ValueError for anything else."""
    parts = urlsplit(text.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
        raise ValueError(f"{text!r} is no origin; write it as https://app.example")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{text!r} is no origin; write it as https://app.example")
    default = {"http": 80, "https": 443}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in {None, default} else "")


def _caused_elsewhere(headers: Headers) -> bool:
    site = headers.get(b"sec-fetch-site")
    return b"cookie" in headers if site is None else site in _OTHER_SITES


def _preflighted(headers: Headers) -> bool:
    return CSRF_HEADER in headers or is_json(headers.get(b"content-type"))
