"""Sending one delivery: to a checked address, once, without following anything (see ``AddressGuard``)."""

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address

import httpx

from tenantry.directory.webhooks.errors import WebhookUrlNotUsable
from tenantry.tokens.addresses import AddressGuard, Resolver, pinned, plain_url, resolve

URL_CHARACTERS = 2_048
TIMEOUT_SECONDS = 15.0
"""For one attempt: resolving, connecting, sending and the answer's status together."""
RESOLVE_SECONDS = 2.0


class SendError(StrEnum):
    """Why no status came back, sorted."""

    ADDRESS_NOT_ALLOWED = "ADDRESS_NOT_ALLOWED"
    """The URL leads where nothing is sent."""
    NO_CONNECTION = "NO_CONNECTION"
    """Not resolved, not connected, cut off, or no HTTP."""
    SECRET_SEALED = "SECRET_SEALED"  # noqa: S105 - a state
    """The key under which the secret was sealed is not here."""
    TIMEOUT = "TIMEOUT"


class NotSent(Exception):
    """Nothing came back that could be taken for an answer."""

    def __init__(self, error: SendError) -> None:
        super().__init__(str(error))
        self.error = error


class Poster:
    """POSTs to the receivers of tenants. ``http`` must use no proxy; plain http goes to loopback alone."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        allow_private: bool = False,
        resolver: Resolver = resolve,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._http = http
        self._guard = AddressGuard(allow_private=allow_private, resolver=resolver)
        self._timeout = timeout

    async def check(self, url: str) -> None:
        """Raises ``WebhookUrlNotUsable`` where nothing would be sent to ``url`` now; connects to nothing.

        What cannot be a webhook's URL is not even resolved.
        """
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                await self._addresses(url)
        except (OSError, ValueError) as error:
            raise WebhookUrlNotUsable from error

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status with which the receiver has answered; its body is not read.

        A redirect is an answer as any other. Raises ``NotSent``.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._first(url, body, headers)
        except TimeoutError as error:
            raise NotSent(SendError.TIMEOUT) from error
        except ValueError as error:
            raise NotSent(SendError.ADDRESS_NOT_ALLOWED) from error
        except (httpx.HTTPError, OSError) as error:
            raise NotSent(SendError.NO_CONNECTION) from error

    async def _first(self, text: str, body: bytes, headers: Mapping[str, str]) -> int:
        *before, last = await self._addresses(text)
        url = httpx.URL(text)
        for address in before:
            try:
                return await self._to(url, address, body, headers)
            except httpx.ConnectError:
                continue
        return await self._to(url, last, body, headers)

    async def _addresses(self, text: str) -> list[str]:
        """Raises ``ValueError`` for a URL that is none, or not to be followed, and ``OSError``."""
        if len(text) > URL_CHARACTERS or not plain_url(text, schemes=self._guard.schemes):
            raise ValueError("this is no URL of a webhook")
        url = httpx.URL(text)
        found = list(await self._guard.addresses(url))
        if url.scheme == "http" and not all(ip_address(each).is_loopback for each in found):
            raise ValueError("plain http goes to this machine alone")
        return found

    async def _to(self, url: httpx.URL, address: str, body: bytes, headers: Mapping[str, str]) -> int:
        there, fixed, extensions = pinned(url, address)
        request = self._http.stream(
            "POST",
            there,
            content=body,
            headers={**headers, **fixed},
            follow_redirects=False,
            timeout=self._timeout,
            extensions=dict(extensions),
        )
        async with request as response:
            return response.status_code
