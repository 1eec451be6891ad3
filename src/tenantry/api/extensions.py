"""Schema extensions: what wraps every operation, whichever way it came in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from strawberry.extensions import SchemaExtension

from tenantry.api.records import Book
from tenantry.audit.errors import NotRecorded
from tenantry.audit.trail import Trail
from tenantry.kernel.errors import ErrorCode

UNAVAILABLE_SECONDS = 0.2
"""How long the record of an operation waits that was refused since something did not answer."""


class AuditExtension(SchemaExtension):
    """The trail: what an operation left to record is durable before its answer leaves.

    A successful mutation is recorded in its own transaction, so nothing of it waits here.
    Raises ``NotRecorded`` (503) when the trail cannot take the records: nothing is served.
    """

    def __init__(self, trail: Trail) -> None:
        self._trail = trail

    async def on_operation(self) -> AsyncIterator[None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Around the whole operation."""
        yield
        book: Book = self.execution_context.context
        if book.waiting and all(each.code == ErrorCode.UNAVAILABLE for each in book.waiting):
            # Nothing is served, for want of the very database that would take the record: it may be
            # written later, and the caller has waited long enough.
            with suppress(TimeoutError, NotRecorded):
                async with asyncio.timeout(UNAVAILABLE_SECONDS):
                    await self._trail.record(book.waiting)
        elif book.waiting:
            await self._trail.record(book.waiting)
