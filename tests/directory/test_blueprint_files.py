"""Broken blueprints: every problem is told at once, with file, line and field."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tenantry.directory.blueprints.checks import CANONICAL_CLAIMS
from tenantry.directory.blueprints.document import BlueprintInvalid, load_blueprint
from tenantry.kernel.principal import Scope
from tenantry.tokens import access_tokens

SOUND = """\
blueprint: shop
title: Shop
max_roles: 1
claims:
  userId: sub
permissions:
  Sales:
    order:read: {title: See orders, covers: [tenant:read]}
    order:write: {title: Change orders}
roles:
  clerk: {title: Clerk, grants: [order:read]}
  boss: {title: Boss, includes: [clerk], grants: [order:write], owner: true}
resources:
  order:
    read: {any: order:read}
    actions: {send: order:write}
people:
  - {name: Bea Boss, email: bea@shop.example, roles: [boss]}
"""

IN_A_LIST = "while parsing a flow sequence expected ',' or ']', but got ':'"
AFTER_A_TAB = "while scanning for the next token found character '\\t' that cannot start any token"
OF_TWO = "expected a single document in the stream but found another document"

BROKEN: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("broken_blueprints.yaml").read_text())


def write(folder: Path, text: str) -> Path:
    path = folder / "shop.yaml"
    path.write_text(text)
    return path


def refused(path: Path) -> list[str]:
    with pytest.raises(BlueprintInvalid) as error:
        load_blueprint(path)
    lines = str(error.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


def unknown(what: str, word: str, near: str) -> str:
    return f"unknown {what} `{word}`; did you mean `{near}`?"


def test_the_sound_one_is_taken(tmp_path: Path) -> None:
    document = load_blueprint(write(tmp_path, SOUND))
    assert document.key == "shop"
    assert document.resolved_grants("boss") == ("order:read", "order:write")
    assert document.effective_grants("boss") == {
        "member:own",
        "order:read",
        "order:write",
        "tenant:plan",
        "tenant:read",
    }
    assert document.resources["order"].guards() == {
        ("read", "any"): "order:read",
        ("actions", "send", "any"): "order:write",
    }


@pytest.mark.parametrize("case", BROKEN, ids=[case["case"] for case in BROKEN])
def test_broken(tmp_path: Path, case: dict[str, Any]) -> None:
    broken = SOUND
    for change in (case, case.get("and")):
        if change is not None:
            assert broken.count(change["replace"]) == 1, "the case must change exactly one place"
            broken = broken.replace(change["replace"], change["by"])
    assert sorted(refused(write(tmp_path, broken))) == sorted(case["reported"])


def test_all_problems_are_reported_at_once_by_line(tmp_path: Path) -> None:
    text = SOUND.replace("title: Shop", "titel: Shop").replace(
        "covers: [tenant:read]", "covers: [tenant:reed]"
    )
    text = text.replace("grants: [order:read]", "grants: [ordr:read]").replace(
        "roles: [boss]", "roles: [chief]"
    )
    assert refused(write(tmp_path, text)) == [
        "1: title: is missing",
        "2: titel: unknown key; did you mean `title`?",
        "8: permissions.Sales.order:read.covers[0]: "
        + unknown("built-in permission", "tenant:reed", "tenant:read"),
        "11: roles.clerk.grants[0]: " + unknown("permission", "ordr:read", "order:read"),
        "18: people[0].roles[0]: unknown role `chief`",
    ]


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("", "1: must be a mapping that begins with `blueprint:`"),
        ("- a\n- b\n", "1: must be a mapping that begins with `blueprint:`"),
        ("a: b\n---\nc: d\n", "2: not YAML: " + OF_TWO),
        ("a: [b\nc: d\n", "2: not YAML: " + IN_A_LIST),
        ("a:\n\t- b\n", "2: not YAML: " + AFTER_A_TAB),
        ("a: " + "[" * 5000, "1: nested too deeply"),
        ("a: " + "x" * 1_000_001, "1: the file is larger than 1000000 bytes"),
    ],
    ids=["empty", "list", "two documents", "syntax", "tab", "deep", "large"],
)
def test_not_even_a_mapping(tmp_path: Path, text: str, reported: str) -> None:
    assert refused(write(tmp_path, text)) == [reported]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_bytes(b"blueprint: shop\ntitle: \xff\n")
    assert refused(path) == ["2: the file is not UTF-8"]
    path.write_bytes(b"blueprint: shop\ntitle: \x07\n")
    (problem,) = refused(path)[:1]
    assert problem.startswith("1: not YAML: unacceptable character")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml") == ["1: the file cannot be read: No such file or directory"]


def test_hopeless_shapes_end_in_a_report(tmp_path: Path) -> None:
    reported = refused(
        write(tmp_path, "blueprint: [shop]\ntitle: {}\npermissions: []\nroles: 5\npeople: [1]\n")
    )
    assert {line.split(": ")[1] for line in reported} >= {
        "blueprint",
        "title",
        "permissions",
        "roles",
        "people[0]",
    }


def test_yaml_has_no_surprises(tmp_path: Path) -> None:
    text = SOUND.replace("clerk", "on").replace("See orders", "1:20").replace("Change orders", "2026-11-22")
    document = load_blueprint(write(tmp_path, text))
    assert [*document.roles] == ["on", "boss"]
    assert [info.title for info in document.catalogue.values()] == ["1:20", "2026-11-22"]


def test_system_roles_may_name_built_ins_and_everything(tmp_path: Path) -> None:
    everything = 'system_roles:\n  boss: {title: B, grants: ["*"]}\n'
    more = everything + "  help: {title: H, grants: [user:read_all, order:read]}\n"
    document = load_blueprint(write(tmp_path, SOUND + more))
    assert document.resolved_grants("boss", scope=Scope.SYSTEM) == ("*",)
    assert document.resolved_grants("help", scope=Scope.SYSTEM) == ("order:read", "user:read_all")
    assert document.resolved_grants("boss") == ("order:read", "order:write")


def test_includes_may_meet_again_in_a_diamond(tmp_path: Path) -> None:
    more = "  left: {title: L, includes: [clerk]}\n  top: {title: T, includes: [left, clerk]}\n"
    document = load_blueprint(write(tmp_path, SOUND.replace("resources:\n", more + "resources:\n")))
    assert document.resolved_grants("top") == ("order:read",)


def test_numbers_and_quotes(tmp_path: Path) -> None:
    attributes = "    attributes: {type: object, minimum: -1.5, maximum: 10, text: '5', none: null}\n"
    document = load_blueprint(write(tmp_path, SOUND.replace("    actions:", attributes + "    actions:")))
    assert document.resources["order"].attributes == {
        "type": "object",
        "minimum": -1.5,
        "maximum": 10,
        "text": "5",
        "none": None,
    }


def test_no_claim_of_a_token_can_be_overridden() -> None:
    assert set(access_tokens.CANONICAL_CLAIMS) <= CANONICAL_CLAIMS
