"""The body of a request: bounded in bytes and in time."""

import asyncio

from starlette.types import Receive

from tenantry.web.refusals import BodyTooLarge, BodyTooSlow, Malformed
from tenantry.web.requests import Headers

BODY_SECONDS = 10.0


class ClientGone(Exception):
    """The client closed the connection; there is nobody to answer."""


def check_declared(headers: Headers, limit: int) -> None:
    """Raises ``BodyTooLarge`` from ``Content-Length`` alone, before a byte is read."""
    declared = headers.get(b"content-length")
    if declared is None:
        return
    if not declared.isdigit():
        raise Malformed("Content-Length must be a number.")
    if int(declared[:20]) > limit:
        raise BodyTooLarge(limit)


async def read_body(receive: Receive, limit: int, *, seconds: float = BODY_SECONDS) -> bytes:
    """The body, ``limit`` bytes of it at most.

    Raises ``BodyTooLarge`` with the first byte too many, ``BodyTooSlow``, ``ClientGone``.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _read(receive, limit)
    except TimeoutError:
        raise BodyTooSlow(seconds) from None


async def _read(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
