"""A refusal is shown together with what did not happen."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from tenantry.kernel.errors import DomainError
from tests.support.database import TemporaryDatabase

DIRECTORY = (
    "blueprint",
    "tenant",
    "role",
    "member",
    "member_role",
    "invitation",
    "invitation_role",
    "session",
    "api_key",
    "totp_factor",
    "recovery_code",
    "connection",
    "connection_role",
    "email_domain",
    "resource",
    "team",
    "team_member",
    "webhook_endpoint",
    "webhook_secret",
    "webhook_delivery",
)


async def snapshot(database: TemporaryDatabase) -> dict[str, list[str]]:
    """Every row of the directory, of all tenants. Not `last_seen_at`: that is written behind."""
    rows = "SELECT (to_jsonb(t) - 'last_seen_at')::text FROM {table} t ORDER BY 1"
    return {
        table: [row[0] for row in await database.seen_by_owner(rows.format(table=table))]
        for table in DIRECTORY
    }


@asynccontextmanager
async def expect_refusal(
    database: TemporaryDatabase, refusal: type[DomainError]
) -> AsyncGenerator[pytest.ExceptionInfo[DomainError]]:
    """The block raises ``refusal``, and not one row of the directory is another afterwards."""
    before = await snapshot(database)
    with pytest.raises(refusal) as caught:
        yield caught
    if await snapshot(database) != before:
        pytest.fail("refused, and yet something has changed")
