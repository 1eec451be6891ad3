"""Fetching an issuer's documents, and nothing else that an address could lead to (RFC 9700, 4.5 on SSRF)."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import cast

import httpx

from tenantry.tokens.errors import IssuerUnavailable

TIMEOUT_SECONDS = 2.0
"""For one document: resolving, connecting and reading together."""
MAX_BYTES = 262_144

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses; raises OSError."""

# What looks public and is not: prefixes that lead to any IPv4 address (RFC 6052, 8215, 3056, 4291 2.5.5.1),
# and those of IANA's special-purpose registries that older Pythons do not know (RFC 6890, 9637, 9602).
_SPECIAL = tuple(
    ip_network(text)
    for text in (
        *("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "::/96"),
        *("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20", "5f00::/16"),
    )
)


async def resolve(host: str, port: int) -> list[str]:
    """Every address of ``host``, as the system's resolver orders them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def issuer_client() -> httpx.AsyncClient:
    """A client for ``Fetcher``: the environment's proxies would undo the check of addresses."""
    return httpx.AsyncClient(trust_env=False, follow_redirects=False)


def is_public(address: str) -> bool:
    """Whether ``address`` can only lead to the public internet; what cannot be read is not public."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        mapped: IPv4Address | None = parsed.ipv4_mapped
        if mapped is not None:
            return mapped.is_global and not mapped.is_multicast
    special = any(parsed in network for network in _SPECIAL)
    return parsed.is_global and not parsed.is_multicast and not special


def plain_issuer(url: str, *, schemes: Collection[str] = ("https",)) -> bool:
    """Whether ``url`` can be an issuer's: a host, perhaps a path, nothing else (OIDC Core 1.0, section 2)."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    bare = not (parsed.userinfo or parsed.query or parsed.fragment or "?" in url or "#" in url)
    return parsed.scheme in schemes and bool(parsed.host) and bare and url == url.strip() and url.isascii()


class Fetcher:
    """GETs small JSON objects of issuers.

    Unless ``allow_private``, only by https, and only where **every** address of the host is
    public; the connection goes to an address that was checked, so that a second answer of
    the resolver changes nothing. Redirects are not followed. ``http`` must use no proxy.
    """

    def __init__(self, http: httpx.AsyncClient, *, allow_private: bool, resolver: Resolver = resolve) -> None:
        self._http = http
        self._allow_private = allow_private
        self._resolve = resolver

    @property
    def schemes(self) -> Collection[str]:
        """Those that an issuer's URL may have."""
        return ("https", "http") if self._allow_private else ("https",)

    async def fetch(self, url: str) -> dict[str, object]:
        """The JSON object at ``url``, at most ``MAX_BYTES``, within ``TIMEOUT_SECONDS``.

        Raises:
            IssuerUnavailable: for every other outcome; the cause is chained for the log.
        """
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                document: object = json.loads(await self._body(httpx.URL(url)))
        except (OSError, ValueError, RecursionError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise IssuerUnavailable from error
        if not isinstance(document, dict):
            raise IssuerUnavailable
        return cast("dict[str, object]", document)

    async def _body(self, url: httpx.URL) -> bytes:
        for address in (addresses := await self._addresses(url)):
            try:
                return await self._get(url, address)
            except httpx.ConnectError:
                if address == addresses[-1]:
                    raise
        raise OSError("the host has no address")

    async def _addresses(self, url: httpx.URL) -> Sequence[str]:
        if url.scheme not in self.schemes:
            raise ValueError("an issuer is fetched by https")
        if not url.host or url.userinfo:
            raise ValueError("an issuer's URL has a host, and no user")
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._resolve(url.raw_host.decode("ascii"), port)
        if not self._allow_private and not all(map(is_public, addresses)):
            raise ValueError("the host has an address that is not public")
        return addresses

    async def _get(self, url: httpx.URL, address: str) -> bytes:
        # "Connection: close": a connection is authenticated for one host name, addresses are shared by many.
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        request = self._http.stream(
            "GET",
            url.copy_with(host=address),
            headers=headers,
            follow_redirects=False,
            timeout=TIMEOUT_SECONDS,
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        async with request as response:
            if response.status_code != 200:
                raise ValueError(f"status {response.status_code}")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError("the document is too large")
            return bytes(body)
