"""The trail written out for an auditor: whole, in order, one tenant's alone, and on the record."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenantry.audit.trail import insert
from tenantry.directory.tenants.models import Tenant
from tests.support.command_line import CommandLine
from tests.support.database import TemporaryDatabase
from tests.support.entries import make_entry
from tests.support.factories import make_tenant

DAY = datetime(2026, 3, 4, tzinfo=UTC)


async def recorded(database: TemporaryDatabase, tenant: Tenant, many: int) -> list[str]:
    """Node ids of so many new records, an hour apart."""
    entries = [make_entry(tenant.id) for _ in range(many)]
    for hours, entry in enumerate(entries):
        entry.at = DAY + timedelta(hours=hours)
    async with database.writing(None) as work:
        for start in range(0, many, 50):
            await insert(work, entries[start : start + 50])
    return [entry.node_id for entry in entries]


def lines(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


@pytest.mark.requirement("000-29")
async def test_a_trail_is_exported_whole_and_in_order(
    stored: TemporaryDatabase, tenantry: CommandLine
) -> None:
    tenant, other = await make_tenant(stored), await make_tenant(stored)
    written = await recorded(stored, tenant, 1_050)
    await recorded(stored, other, 3)
    status, printed = await tenantry.run("audit", "export", tenant.slug)
    found = lines(printed)
    assert (status, f"{tenant.slug}: 1050 records" in printed) == (0, True)
    assert [record["node_id"] for record in found] == written
    numbers = [record["seq"] for record in found]
    assert numbers == sorted(set(numbers))
    assert found[0]["at"] == "2026-03-04T00:00:00Z"
    assert json.loads(found[0]["body"])["action"] == found[0]["action"]
    assert {"tenant_id", "xid"} & found[0].keys() == set()


async def test_an_export_is_bounded_by_time_and_recorded_in_the_trail(
    stored: TemporaryDatabase, tenantry: CommandLine
) -> None:
    tenant = await make_tenant(stored)
    written = await recorded(stored, tenant, 5)
    bounds = ("--since", "2026-03-04T01:00:00", "--until", "2026-03-04T03:00:00")
    status, printed = await tenantry.run("audit", "export", tenant.slug, *bounds)
    assert (status, [record["node_id"] for record in lines(printed)]) == (0, written[1:3])
    _, printed = await tenantry.run("audit", "export", tenant.slug)
    last = lines(printed)[-1]
    assert (last["action"], last["actor_kind"], last["method"], last["path"]) == (
        "audit.export",
        "SYSTEM",
        "CLI",
        "tenantry audit export",
    )


async def test_the_platforms_own_trail_is_exported_by_its_name(
    stored: TemporaryDatabase, tenantry: CommandLine
) -> None:
    status, printed = await tenantry.run("audit", "export", "platform")
    assert (status, lines(printed)) == (0, []), printed


async def test_a_tenant_that_is_not_there_is_said(stored: TemporaryDatabase, tenantry: CommandLine) -> None:
    status, printed = await tenantry.run("audit", "export", "nowhere")
    assert (status, printed.strip()) == (1, "There is no tenant nowhere.")
