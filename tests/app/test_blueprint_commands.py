"""The commands about blueprints against a real database: foreseen, applied on the record, compared."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tenantry.directory.roles.service import create_role
from tenantry.directory.tenants.models import Tenant
from tests.support.command_line import CommandLine
from tests.support.database import SEEDS, TemporaryDatabase
from tests.support.factories import make_member, make_tenant, signed_in
from tests.support.refusals import snapshot
from tests.support.source import ROOT

SHOP = """\
blueprint: shop
title: Shop
permissions:
  Sales:
    order:read: {title: See orders, covers: [tenant:read]}
    order:write: {title: Change orders}
    order:ship: {title: Ship orders}
roles:
  boss: {title: Boss, grants: [order:read, order:write], owner: true}
  clerk: {title: Clerk, grants: [order:read, order:ship when own]}
system_roles:
  helper: {title: Helper, grants: [tenant:read]}
resources:
  order: {read: order:read, update: order:write, actions: {ship: order:ship}}
"""
RECORDS = "SELECT * FROM audit_record WHERE action = 'blueprint.apply' ORDER BY seq"


def write(folder: Path, text: str, name: str = "shop") -> str:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


async def records(database: TemporaryDatabase) -> list[dict[str, Any]]:
    return [dict(row) for row in await database.seen_by_owner(RECORDS)]


async def make_custom_role(database: TemporaryDatabase, tenant: Tenant, key: str, *permissions: str) -> None:
    async with database.writing(await signed_in(database, tenant, "boss")) as work:
        await create_role(work, name=key.title(), key=key, permissions=permissions)


async def test_the_schema_of_the_format_is_the_one_published(tenantry: CommandLine) -> None:
    status, printed = await tenantry.run("blueprint", "schema")
    published = (ROOT / "docs" / "blueprint.schema.json").read_text(encoding="utf-8")
    assert (status, printed) == (0, published), "run `make schema` and read the difference"


def test_an_editor_completes_keys_and_the_services_own_permissions() -> None:
    schema = json.loads((ROOT / "docs" / "blueprint.schema.json").read_text(encoding="utf-8"))
    assert set(schema["properties"]) == {
        *(
            "blueprint",
            "title",
            "description",
            "membership",
            "max_roles",
            "max_sessions",
            "orphan_lock",
            "claims",
        ),
        *("permissions", "roles", "system_roles", "plans", "resources", "people", "staff"),
    }
    assert schema["required"] == ["blueprint", "title"]
    assert schema["additionalProperties"] is False
    covers = schema["$defs"]["PermissionShape"]["properties"]["covers"]["items"]["enum"]
    assert {"member:invite", "team:read", "audit:read"} <= set(covers)
    read = schema["$defs"]["ResourceShape"]["properties"]["read"]["anyOf"]
    assert [each.get("type") or each.get("$ref") for each in read[0].get("anyOf", read)][:2] == [
        "string",
        "#/$defs/Narrowed",
    ]


@pytest.mark.parametrize("seed", sorted(SEEDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_seed_names_its_schema_on_the_first_line(seed: Path) -> None:
    first = seed.read_text(encoding="utf-8").splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (seed.parent / named).resolve() == ROOT / "docs" / "blueprint.schema.json"


async def test_all_problems_of_all_files_are_listed(tenantry: CommandLine, tmp_path: Path) -> None:
    one = write(tmp_path, SHOP.replace("ship when own", "ship when owner"), "one")
    other = write(tmp_path, SHOP.replace("order:write]", "order:wriet]"), "other")
    status, said = await tenantry.run("blueprint", "check", one, other, str(SEEDS / "platform.yaml"))
    assert status == 1
    assert f"{one}:10: roles.clerk.grants[1]: no condition: `owner` is neither true nor false" in said
    assert f"{other}:9: roles.boss.grants[1]: unknown permission `order:wriet`" in said


async def test_a_plan_says_who_gains_and_loses_what_and_changes_nothing(
    stored: TemporaryDatabase, tenantry: CommandLine, tmp_path: Path
) -> None:
    file = write(tmp_path, SHOP)
    assert (await tenantry.run("blueprint", "apply", file))[0] == 0
    first, second = [await make_tenant(stored, "shop", slug) for slug in ("first", "second")]
    for tenant in (first, first, second):
        await make_member(stored, tenant, "clerk")
    await make_member(stored, first, "boss")
    write(
        tmp_path,
        SHOP.replace("order:ship when own]", "order:ship, order:write when own]").replace(
            "order:write], owner", "order:ship], owner"
        )
        + "  parcel: {read: order:read}\n",
    )
    before = await snapshot(stored)
    status, said = await tenantry.run("blueprint", "plan", file)
    assert status == 0
    assert said.splitlines() == [
        "shop: 2 roles would change",
        "  boss (changed; 1 member of 1 tenant)",
        "    + order:ship",
        "    - order:write",
        "  clerk (changed; 3 members of 2 tenants)",
        "    + order:ship",
        "    + order:write when own",
        "    - order:ship when own",
    ]
    assert await snapshot(stored) == before
    assert len(await records(stored)) == 1


async def test_a_plan_tells_new_roles_those_that_go_and_custom_ones(
    stored: TemporaryDatabase, tenantry: CommandLine, tmp_path: Path
) -> None:
    file = write(tmp_path, SHOP.replace("order:write], owner", "order:write, order:ship], owner"))
    await tenantry.run("blueprint", "apply", file)
    first, second = [await make_tenant(stored, "shop", slug) for slug in ("first", "second")]
    await make_member(stored, first, "clerk")
    await make_tenant(stored, "shop", "third")
    await make_custom_role(stored, second, "packer", "order:ship")
    await make_member(stored, second, "packer")
    data = yaml.safe_load(SHOP)
    del data["permissions"]["Sales"]["order:ship"], data["roles"]["clerk"]
    del data["resources"]["order"]["actions"]
    data["roles"]["guest"] = {"title": "Guest", "grants": ["order:read"], "mfa_required": True}
    data["system_roles"]["helper"]["grants"].append("audit:read")
    status, said = await tenantry.run("blueprint", "plan", write(tmp_path, yaml.safe_dump(data)))
    assert status == 0
    assert said.splitlines() == [
        "shop: 6 roles would change",
        "  helper, of the platform (changed; 0 members of 0 tenants)",
        "    + audit:read",
        "  boss (changed; 1 member of 1 tenant)",
        "    - order:ship",
        "  guest (new; 0 members of 0 tenants)",
        "    + (acts only with a second factor)",
        "    + order:read",
        "    + tenant:read",
        "  clerk (gone; 0 members of 0 tenants)",
        "    - order:read",
        "    - order:ship when own",
        "    - tenant:read",
        "  clerk of first (stays as a custom role; 1 member of 1 tenant)",
        "  packer of second (changed; 1 member of 1 tenant)",
        "    - order:ship",
    ]
    assert (await tenantry.run("blueprint", "apply", file))[0] == 0
    status, said = await tenantry.run("blueprint", "plan", file)
    assert (status, said) == (0, "shop: no role would change\n")


async def test_a_plan_tells_whose_custom_role_the_blueprint_takes_over(
    stored: TemporaryDatabase, tenantry: CommandLine, tmp_path: Path
) -> None:
    await tenantry.run("blueprint", "apply", write(tmp_path, SHOP))
    tenant = await make_tenant(stored, "shop", "first")
    await make_custom_role(stored, tenant, "guest", "order:write")
    await make_member(stored, tenant, "guest")
    guest = "  guest: {title: Guest, grants: [order:read]}\nsystem_roles:\n"
    file = write(tmp_path, SHOP.replace("system_roles:\n", guest))
    status, said = await tenantry.run("blueprint", "plan", file)
    assert status == 0
    assert said.splitlines()[-4:] == [
        "  guest of first (changed; 1 member of 1 tenant)",
        "    + order:read",
        "    + tenant:read",
        "    - order:write",
    ]


async def test_applying_is_recorded_once_and_harmless_twice(
    stored: TemporaryDatabase, tenantry: CommandLine, tmp_path: Path
) -> None:
    file = write(tmp_path, SHOP)
    status, said = await tenantry.run("blueprint", "apply", file, str(SEEDS / "phone-system.yaml"))
    assert (status, said.splitlines()) == (0, ["shop: applied", "phone-system: is so already"])
    (record,) = await records(stored)
    assert {key: record[key] for key in ("actor_kind", "action", "method", "path", "outcome", "targets")} == {
        "actor_kind": "SYSTEM",
        "action": "blueprint.apply",
        "method": "CLI",
        "path": "tenantry blueprint apply",
        "outcome": "OK",
        "targets": ["shop"],
    }
    assert (record["tenant_id"].int, record["tenant"], record["actor_id"]) == (0, None, None)
    before = await snapshot(stored)
    assert (await tenantry.run("blueprint", "apply", file))[1] == "shop: is so already\n"
    assert await snapshot(stored) == before
    assert await records(stored) == [record]


async def test_several_files_are_applied_together_or_not_at_all(
    stored: TemporaryDatabase, tenantry: CommandLine, tmp_path: Path
) -> None:
    taken = SHOP.replace("blueprint: shop", "blueprint: mart").replace("helper:", "SUPER_ADMIN:")
    files = write(tmp_path, SHOP), write(tmp_path, taken, "mart")
    before = await snapshot(stored)
    status, said = await tenantry.run("blueprint", "apply", *files)
    assert status == 1
    assert "the system role SUPER_ADMIN is one of mart already" in said.replace("\n", " ")
    assert "Traceback" not in said
    assert await snapshot(stored) == before
    assert await records(stored) == []


async def test_a_file_is_compared_with_what_is_stored(
    stored: TemporaryDatabase, tenantry: CommandLine, tmp_path: Path
) -> None:
    file = write(tmp_path, SHOP)
    status, said = await tenantry.run("blueprint", "diff", file)
    assert (status, said.startswith("--- stored\n+++ file\n")) == (1, True)
    await tenantry.run("blueprint", "apply", file)
    status, said = await tenantry.run("blueprint", "diff", file)
    assert (status, said) == (0, "shop: the file is what is stored.\n")
    write(tmp_path, SHOP.replace("title: Ship orders", "title: Send orders"))
    status, said = await tenantry.run("blueprint", "diff", file)
    assert status == 1
    changed = [line for line in said.splitlines()[2:] if line[0] in "+-"]
    assert changed == ["-  title: Ship orders", "+  title: Send orders"]
    for seed in sorted(SEEDS.glob("*.yaml")):
        assert (await tenantry.run("blueprint", "diff", str(seed)))[0] == 0, seed


@pytest.mark.parametrize("command", ["plan", "apply", "diff"])
async def test_without_a_database_it_says_which_setting(tenantry: CommandLine, command: str) -> None:
    status, said = await tenantry.run("blueprint", command, str(SEEDS / "platform.yaml"))
    assert (status, "DATABASE_URL" in said) == (1, True)
