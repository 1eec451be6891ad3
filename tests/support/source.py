"""The tree as the architecture tests see it: each file read and parsed once.

A rule is a function that yields ``Finding`` objects. A finding is let through by a comment
on its line, or alone on the line above, or (for findings about a whole file) anywhere in it:

    # exempt: <rule> because <reason>
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)
ROOT = Path(__file__).resolve().parents[2]
WHOLE_FILE = 0
EXPLAINED_IN = frozenset({"tests/support/source.py", "tests/architecture/test_rules_notice.py"})
EXEMPTION = re.compile(r"#\s*exempt:\s*(?P<rule>[\w-]+)(?P<reason>\s+because\s+\S.*)?")


@dataclass(frozen=True)
class Exemption:
    """One comment that lets a finding through."""

    path: str
    line: int
    rule: str
    reasoned: bool
    alone: bool
    """The line holds nothing else, so that it speaks for the next one."""


@dataclass(frozen=True)
class Module:
    """One Python file; ``path`` is relative to the root, with slashes."""

    path: str
    text: str
    tree: ast.Module = field(repr=False)

    @property
    def lines(self) -> int:
        """How many lines the file has."""
        return len(self.text.splitlines())

    def inside(self, *folders: str) -> bool:
        """Whether the file lies in one of the folders, or is one of the named files."""
        return any(self.path == folder or self.path.startswith(f"{folder}/") for folder in folders)

    def walk(self, *kinds: type[Node]) -> Iterator[Node]:
        """Every node of the kinds, in no particular order."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))


@dataclass(frozen=True)
class Finding:
    """One place that breaks a rule."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        where = self.path if self.line == WHOLE_FILE else f"{self.path}:{self.line}"
        return f"{where}: {self.what}"


@dataclass(frozen=True)
class Rule:
    """A named check over the whole tree, and what to do when it finds something."""

    name: str
    advice: str
    find: Callable[[Iterable[Module]], Iterator[Finding]]


@cache
def tree_files() -> tuple[str, ...]:
    """Every file of the project that git tracks or would track, relative to the root."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return tuple(sorted({name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()}))


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file of the project, parsed."""
    names = (name for name in tree_files() if name.endswith(".py"))
    return tuple(parse(name, (ROOT / name).read_text(encoding="utf-8")) for name in names)


def parse(path: str, text: str) -> Module:
    """A module from its text; tests of the rules use it with made-up files."""
    return Module(path, text, ast.parse(text, filename=path))


def exemptions_in(path: str, text: str) -> tuple[Exemption, ...]:
    """The exemptions that a file's comments name."""
    found: list[Exemption] = []
    for number, line in enumerate(text.splitlines(), start=1):
        match = EXEMPTION.search(line)
        if match and '"' not in line[: match.start()]:
            alone = not line[: match.start()].strip()
            found.append(Exemption(path, number, match["rule"], bool(match["reason"]), alone))
    return tuple(found)


@cache
def exemptions() -> tuple[Exemption, ...]:
    """Every exemption in the Python files of the project, except where they are explained."""
    return tuple(
        exemption
        for module in modules()
        if module.path not in EXPLAINED_IN
        for exemption in exemptions_in(module.path, module.text)
    )


def lets_through(exemption: Exemption, rule: str, finding: Finding) -> bool:
    """Whether this exemption speaks for this finding."""
    if (exemption.rule, exemption.path) != (rule, finding.path) or not exemption.reasoned:
        return False
    above = exemption.alone and exemption.line == finding.line - 1
    return finding.line in {WHOLE_FILE, exemption.line} or above


def broken(rule: Rule) -> list[str]:
    """What breaks the rule and is not exempt, one line for each place."""
    return [
        str(finding)
        for finding in rule.find(modules())
        if not any(lets_through(exemption, rule.name, finding) for exemption in exemptions())
    ]
