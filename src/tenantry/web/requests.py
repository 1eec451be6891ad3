"""Who sends a request, from where: read once from the ASGI scope, in microseconds."""

import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from os import urandom
from typing import NamedTuple

from tenantry.api.operations import Caller, Hidden
from tenantry.kernel.principal import Principal

USER_AGENT_CHARACTERS = 300
PATH_CHARACTERS = 300
MAX_HOPS = 32
"""Entries of ``X-Forwarded-For`` that are looked at, from the right."""

Headers = Mapping[bytes, bytes]
"""By lower-case name; a field sent twice is joined by a comma (RFC 9110, section 5.3), so that a
second ``Authorization`` or ``Origin`` makes the value wrong instead of winning or losing."""


class Request(NamedTuple):
    """What is known before the body is read."""

    id: str
    method: str
    path: str
    headers: Headers
    query_string: bytes
    ip: str | None

    def caller(self, principal: Principal, refresh_token: Hidden | None = None) -> Caller:
        """The caller of the one operation in this request."""
        return Caller(
            request_id=self.id,
            principal=principal,
            method=self.method,
            path=self.path,
            ip=self.ip,
            user_agent=user_agent(self.headers),
            refresh_token=refresh_token,
        )


def read_headers(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The header fields by name; see ``Headers`` for one that comes twice."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        headers[name] = b"%b, %b" % (headers[name], value) if name in headers else value
    return headers


def new_request_id() -> str:
    """12 hex digits of Unix milliseconds, 16 random ones: sorts by time, cannot be guessed."""
    return f"{time.time_ns() // 1_000_000:012x}{urandom(8).hex()}"


def user_agent(headers: Headers) -> str | None:
    """The client's name for itself, for the records: printable, 300 characters at most."""
    value = headers.get(b"user-agent")
    if value is None:
        return None
    return printable(value[:USER_AGENT_CHARACTERS].decode("latin-1"))


def printable(text: str) -> str:
    """What of a client's text can stand in a record: no NUL, which would keep it from being made."""
    return text if text.isprintable() else "".join(filter(str.isprintable, text))


class Clients:
    """Finds the address of the client, believing ``X-Forwarded-For`` from trusted peers alone.

    The list grows at its right end as it passes proxies, so it is read from there: the
    first address that is no trusted proxy is the client. What stands left of it was
    written by the client and proves nothing.
    """

    def __init__(self, trusted: Iterable[IPv4Network | IPv6Network]) -> None:
        self._trusted = tuple(trusted)

    def address(self, peer: str | None, headers: Headers) -> str | None:
        """The client's address in its shortest form; None behind a unix socket that says nothing."""
        address = None if peer is None else read_address(peer)
        if address is None or not self._trusted or not self._is_trusted(address):
            return None if address is None else str(address)
        hops = headers.get(b"x-forwarded-for", b"").decode("latin-1").rsplit(",", MAX_HOPS)[-MAX_HOPS:]
        for hop in reversed(hops):
            found = read_address(hop.strip())
            if found is None:
                break
            address = found
            if not self._is_trusted(address):
                break
        return str(address)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


@lru_cache(maxsize=4_096)
def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address with or without port; IPv4 mapped into IPv6 (RFC 4291, 2.5.5.2) as IPv4; else None."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
