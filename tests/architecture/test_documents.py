"""What the documents name exists: symbols, files, tests, commands and settings."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel, SecretStr

from tenantry.__main__ import app
from tenantry.settings import Limits, Settings
from tests.support.documents import missing, named_tests, prose, ticked
from tests.support.rules import RULES
from tests.support.source import ROOT, tree_files

DOCUMENTS = [name for name in tree_files() if name.endswith(".md") and not name.startswith("benchmarks/")]
DECISIONS = [name for name in DOCUMENTS if name.startswith("docs/adr/")]
CONFIGURATION = "docs/configuration.md"
CONTRACTS = "[tool.importlinter]"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_names_is_there(name: str) -> None:
    absent = missing(name)
    assert not absent, f"{name} names what does not exist (any more): {absent}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", prose(name))
    broken = [
        link for link in links if "://" not in link and not ((ROOT / name).parent / link).resolve().exists()
    ]
    assert not broken, f"{name} links to nothing: {broken}"


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_ends_with_what_enforces_it(name: str) -> None:
    last = (ROOT / name).read_text(encoding="utf-8").strip().rsplit("\n\n", 1)[-1]
    assert last.startswith("**Check.**"), f"{name}: the last paragraph says what enforces the decision"
    rules = {rule.name for rule in RULES}
    named = [text for text in re.findall(r"`([^`]+)`", last) if text in rules or text == CONTRACTS]
    assert named or list(named_tests(last)), f"{name}: name a test, a rule or `{CONTRACTS}` in backticks"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_are_the_ones_there_are(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert asked <= targets
    commands = re.findall(r"(?:^|`|/bin/)tenantry ([a-z]+(?: [a-z]+)?)", text, re.MULTILINE)
    unknown = [command for command in commands if not _is_command(command.split())]
    assert not unknown, f"{name}: the command line has no {unknown}"


def _is_command(words: list[str]) -> bool:
    known: Any = typer.main.get_command(app)
    first = known.commands.get(words[0])
    groups = getattr(first, "commands", None)
    return first is not None and (groups is None or words[1] in groups)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_settings_are_the_ones_there_are(name: str) -> None:
    named = set(re.findall(r"TENANTRY_[A-Z_]*[A-Z]", (ROOT / name).read_text(encoding="utf-8")))
    assert named <= set(settings())


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| `(TENANTRY_\w+)` \| ([^|]*) \| [^|]+ \|$", _read(CONFIGURATION), re.MULTILINE)
    documented = {name: default.strip() for name, default in rows}
    assert documented == settings(), f"bring {CONFIGURATION} to what settings.py says"


def test_the_front_page_says_what_it_is_and_how_to_start_on_its_first_screen() -> None:
    first = _read("README.md").splitlines()[:60]
    assert any("make run" in line for line in first)
    assert any('"code": "FORBIDDEN"' in line for line in first)


def test_the_request_path_is_told_by_symbols() -> None:
    symbols = [text for text in ticked("docs/request-path.md") if re.fullmatch(r"[a-z]\w*(\.\w+)+", text)]
    assert len(symbols) > 30


def settings() -> dict[str, str]:
    """Each variable and its default, as the document prints them."""
    found = {f"TENANTRY_{name.upper()}": field for name, field in Settings.model_fields.items()}
    del found["TENANTRY_LIMITS"]
    limits = {f"TENANTRY_LIMITS__{name.upper()}": field for name, field in Limits.model_fields.items()}
    return {
        name: _printed(field.get_default(call_default_factory=True))
        for name, field in (found | limits).items()
    }


def _printed(default: object) -> str:
    if default is None or default == ():
        return "—"
    assert not isinstance(default, BaseModel | SecretStr)
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default.as_posix() if isinstance(default, Path) else str(default).rstrip('/')}`"


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
