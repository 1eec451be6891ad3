"""Fetching an issuer's documents, and nothing else that an address could lead to (RFC 9700, 4.5 on SSRF)."""

import asyncio
import json
from collections.abc import Collection
from typing import cast

import httpx

from tenantry.tokens.addresses import AddressGuard, Resolver, pinned, plain_url, resolve
from tenantry.tokens.errors import IssuerUnavailable

TIMEOUT_SECONDS = 2.0
"""For one document: resolving, connecting and reading together."""
MAX_BYTES = 262_144


def issuer_client() -> httpx.AsyncClient:
    """A client for checked addresses alone: the environment's proxies would undo the check."""
    return httpx.AsyncClient(trust_env=False, follow_redirects=False)


def plain_issuer(url: str, *, schemes: Collection[str] = ("https",)) -> bool:
    """Whether ``url`` can be an issuer's: a host, perhaps a path, nothing else (OIDC Core 1.0, section 2)."""
    return "?" not in url and plain_url(url, schemes=schemes)


class Fetcher:
    """GETs small JSON objects of issuers, from where ``AddressGuard`` lets it. Follows no redirects.

    ``http`` must use no proxy.
    """

    def __init__(self, http: httpx.AsyncClient, *, allow_private: bool, resolver: Resolver = resolve) -> None:
        self._http = http
        self._guard = AddressGuard(allow_private=allow_private, resolver=resolver)

    @property
    def schemes(self) -> Collection[str]:
        """Those that an issuer's URL may have."""
        return self._guard.schemes

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
        *before, last = await self._guard.addresses(url)
        for address in before:
            try:
                return await self._get(url, address)
            except httpx.ConnectError:
                continue
        return await self._get(url, last)

    async def _get(self, url: httpx.URL, address: str) -> bytes:
        there, headers, extensions = pinned(url, address)
        request = self._http.stream(
            "GET",
            there,
            headers={**headers, "Accept": "application/json"},
            follow_redirects=False,
            timeout=TIMEOUT_SECONDS,
            extensions=dict(extensions),
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
