"""Where this service may connect for somebody else: checked addresses only (RFC 9700, 4.5 on SSRF)."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

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


def plain_url(url: str, *, schemes: Collection[str] = ("https",)) -> bool:
    """Whether ``url`` has a scheme, a host, perhaps a path and a query, and nothing else."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    bare = not (parsed.userinfo or parsed.fragment or "#" in url)
    return parsed.scheme in schemes and bool(parsed.host) and bare and url == url.strip() and url.isascii()


class AddressGuard:
    """Finds where a URL leads, and refuses what is not public, unless ``allow_private``.

    Only https, and only where **every** address of the host is public. Whoever connects goes to an
    address that was found here (``pinned``), so that a second answer of the resolver changes nothing.
    """

    def __init__(self, *, allow_private: bool, resolver: Resolver = resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolver

    @property
    def schemes(self) -> Collection[str]:
        """Those that a URL may have."""
        return ("https", "http") if self._allow_private else ("https",)

    async def addresses(self, url: httpx.URL) -> Sequence[str]:
        """The addresses to connect to, in turn; never none.

        Raises ``ValueError`` for a URL that is not to be followed, ``OSError`` for an unknown host.
        """
        if url.scheme not in self.schemes:
            raise ValueError("only https is followed")
        if not url.host or url.userinfo:
            raise ValueError("a URL has a host, and no user")
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._resolve(url.raw_host.decode("ascii"), port)
        if not self._allow_private and not all(map(is_public, addresses)):
            raise ValueError("the host has an address that is not public")
        if not addresses:
            raise OSError("the host has no address")
        return addresses


def pinned(url: httpx.URL, address: str) -> tuple[httpx.URL, Mapping[str, str], Mapping[str, str]]:
    """``url`` at ``address``, and the headers and extensions by which the host stays what it was.

    "Connection: close": a connection is authenticated for one host name, addresses are shared by many.
    """
    headers = {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity", "Connection": "close"}
    return url.copy_with(host=address), headers, {"sni_hostname": url.raw_host.decode("ascii")}
