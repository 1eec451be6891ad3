"""The documents as their tests see them: what stands in backticks, and whether it exists."""

import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.source import ROOT, tree_files

PACKAGES = frozenset(path.name for path in (ROOT / "src" / "tenantry").iterdir() if path.is_dir())
SINGLE_MODULES = frozenset({"__main__", "settings"})

_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_TICKED = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w.-]+(?:/[\w.<>-]+)*(?:/|\.(?:py|md|yaml|graphql|ts|tsx|css|toml|sql))")
_SYMBOL = re.compile(r"[a-z_]\w*(?:\.\w+)+")
_TEST = re.compile(r"(?P<file>tests/[\w/]+\.py)(?:::(?P<name>\w+))?")


def prose(name: str) -> str:
    """A document without its blocks of code."""
    return _FENCED.sub("", (ROOT / name).read_text(encoding="utf-8"))


def ticked(name: str) -> list[str]:
    """Everything between single backticks in a document."""
    return _TICKED.findall(prose(name))


def missing(name: str) -> list[str]:
    """The paths, tests and symbols that a document names and that do not exist."""
    return sorted({text for text in ticked(name) if not _exists(text)})


def named_tests(text: str) -> Iterator[str]:
    """The tests, or files of tests, that a text names in backticks."""
    for each in _TICKED.findall(text):
        if _TEST.fullmatch(each):
            yield each


def _exists(text: str) -> bool:
    if test := _TEST.fullmatch(text):
        return _test_exists(test["file"], test["name"])
    if _PATH.fullmatch(text):
        return _path_exists(text)
    if _SYMBOL.fullmatch(text) and text.split(".", maxsplit=1)[0] in PACKAGES | SINGLE_MODULES:
        return _symbol_exists(text)
    return True


def _test_exists(file: str, name: str | None) -> bool:
    path = ROOT / file
    return path.is_file() and (name is None or f"def {name}(" in path.read_text(encoding="utf-8"))


def _path_exists(text: str) -> bool:
    """From the root, or from the package; ``directory/<feature>`` and a bare name stand for any such."""
    if "/" not in text:
        return any(Path(name).name == text for name in tree_files())
    text = text.split("<", maxsplit=1)[0]
    tracked = {str(parent) for name in tree_files() for parent in (Path(name), *Path(name).parents)}
    plain = text.rstrip("/")
    return any(f"{start}{plain}" in tracked for start in ("", "src/tenantry/"))


@cache
def _symbol_exists(text: str) -> bool:
    parts = text.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(f"tenantry.{'.'.join(parts[:end])}")
        except ModuleNotFoundError:
            continue
        return _has(found, parts[end:])
    return False


def _has(found: Any, names: list[str]) -> bool:
    for name in names:
        annotated = getattr(found, "__annotations__", {})
        if not hasattr(found, name) and name not in annotated:
            return False
        found = getattr(found, name, None)
    return True
