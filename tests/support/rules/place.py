"""Where things may stand: imports, queries, commits, names, output."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from tests.support.source import ROOT, WHOLE_FILE, Finding, Module, Rule, tree_files

SOURCE = "src/tenantry"
STORAGE = f"{SOURCE}/storage"
DRAWERS = frozenset({"common", "helper", "helpers", "libraries", "misc", "stuff", "util", "utils"})
SQL_MODULES = frozenset({"sa", "sqlalchemy", "sqlmodel"})
ORM_MODULES = ("sqlalchemy.orm", "sqlalchemy.ext")

SQL_TEXT = re.compile(
    r"\s*(select\b.*\bfrom\b|insert\s+into\b|update\s+\S+\s+set\b|delete\s+from\b|with\s+\w+\s+as\s*\()",
    re.IGNORECASE | re.DOTALL,
)

# Put together from pieces, so that these lines do not find themselves.
REGISTRIES = (
    "py" + "pi.org",
    "pythonhosted" + ".org",
    "npm" + "js.org",
    "npm" + "js.com",
    "yarn" + "pkg.com",
)
MACHINE_FOLDERS = ("ro" + "ot", "ho" + r"me/\w+", "Us" + r"ers/\w+", "wo" + "rk")
HOST_OR_PATH = re.compile(
    "|".join(
        [
            *(re.escape(host) for host in REGISTRIES),
            r"--(?:extra-)?index" + r"-url[ =]\S",
            *(rf"(?<![\w./\-*}}$~]){re.escape('/')}{folder}/" for folder in MACHINE_FOLDERS),
        ]
    )
)
BINARY = frozenset({".gif", ".ico", ".jpg", ".jpeg", ".png", ".webp", ".woff", ".woff2"})


def inner_imports(modules: Iterable[Module]) -> Iterator[Finding]:
    """Imports inside functions."""
    for module in modules:
        for function in module.walk(ast.FunctionDef, ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    yield Finding(module.path, node.lineno, f"import inside {function.name}()")


def may_select(module: Module) -> bool:
    """Whether the file is one of those that read tables."""
    return module.path.endswith("/repository.py") or module.inside(STORAGE, f"{SOURCE}/api")


def is_select(call: ast.Call) -> bool:
    """Whether the call is SQLAlchemy's or SQLModel's ``select(...)``."""
    match call.func:
        case ast.Name(id="select"):
            return True
        case ast.Attribute(attr="select", value=ast.Name(id=name)):
            return name in SQL_MODULES
        case _:
            return False


def stray_selects(modules: Iterable[Module]) -> Iterator[Finding]:
    """Queries outside repositories, storage and the graph's read definitions."""
    for module in modules:
        if module.inside(SOURCE) and not may_select(module):
            for call in module.walk(ast.Call):
                if is_select(call):
                    yield Finding(module.path, call.lineno, "select(...)")


def sql_texts(module: Module) -> Iterator[ast.Constant]:
    """The module's strings that are statements, docstrings and other bare strings aside."""
    bare = {id(node.value) for node in module.walk(ast.Expr)}
    for node in module.walk(ast.Constant):
        if id(node) not in bare and isinstance(node.value, str) and SQL_TEXT.match(node.value):
            yield node


def stray_sql(modules: Iterable[Module]) -> Iterator[Finding]:
    """Statements written by hand outside repositories, storage and the trail's own writer."""
    for module in modules:
        if not module.inside(SOURCE) or may_select(module) or module.inside(f"{SOURCE}/audit"):
            continue
        for node in sql_texts(module):
            yield Finding(module.path, node.lineno, f"SQL: {str(node.value).strip()[:40]}")


def stray_commits(modules: Iterable[Module]) -> Iterator[Finding]:
    """Commits outside storage."""
    for module in modules:
        if module.inside(SOURCE) and not module.inside(STORAGE):
            for call in module.walk(ast.Call):
                if isinstance(call.func, ast.Attribute) and call.func.attr == "commit":
                    yield Finding(module.path, call.lineno, ".commit(...)")


def orm_in_access(modules: Iterable[Module]) -> Iterator[Finding]:
    """Sessions and engines imported by the package of pure decisions."""
    for module in modules:
        if not module.inside(f"{SOURCE}/access"):
            continue
        for node in module.walk(ast.Import, ast.ImportFrom):
            base = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            names = [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
            if any(name.startswith(ORM_MODULES) for name in names):
                yield Finding(module.path, node.lineno, f"imports {', '.join(names)}")


def missing_docstrings(modules: Iterable[Module]) -> Iterator[Finding]:
    """Modules that do not say what they are."""
    for module in modules:
        if not ast.get_docstring(module.tree):
            yield Finding(module.path, WHOLE_FILE, "no docstring")


def prints(modules: Iterable[Module]) -> Iterator[Finding]:
    """Output that goes past the log."""
    for module in modules:
        if module.inside(SOURCE):
            for call in module.walk(ast.Call):
                if isinstance(call.func, ast.Name) and call.func.id == "print":
                    yield Finding(module.path, call.lineno, "print(...)")


def drawers(modules: Iterable[Module]) -> Iterator[Finding]:
    """Files and folders named after nothing, in any language."""
    del modules  # Names are looked up in the whole tree.
    for name in tree_files():
        parts = PurePosixPath(name).with_suffix("").parts
        if DRAWERS & {part.lower() for part in parts}:
            yield Finding(name, WHOLE_FILE, "a drawer, not a noun")


def hosts_and_paths_in(path: str, text: str) -> Iterator[Finding]:
    """Registry hosts and one machine's paths in one text."""
    for number, line in enumerate(text.splitlines(), start=1):
        if match := HOST_OR_PATH.search(line):
            yield Finding(path, number, match[0])


def hosts_and_paths(modules: Iterable[Module]) -> Iterator[Finding]:
    """Registry hosts and one machine's paths in any text of the tree."""
    del modules  # Every file counts, not only Python's.
    for name in tree_files():
        if PurePosixPath(name).suffix not in BINARY:
            yield from hosts_and_paths_in(name, (ROOT / name).read_text(encoding="utf-8", errors="replace"))


PLACE_RULES = (
    Rule("inner-import", "Import at the top; if that is a cycle, the layering is wrong.", inner_imports),
    Rule("select-place", "Move the query to the feature's repository.py.", stray_selects),
    Rule("sql-place", "Move the statement to the feature's repository.py.", stray_sql),
    Rule("commit-place", "Services never commit: the unit of work does, when its block ends.", stray_commits),
    Rule("pure-access", "access/ may build predicates, never open a session.", orm_in_access),
    Rule("module-docstring", "Say in one line what the module is for.", missing_docstrings),
    Rule("print", "Log through structlog; the command line writes to its rich console.", prints),
    Rule("file-name", "Name the file after the one thing that it holds.", drawers),
    Rule("host-or-path", "Commit no registry host and no path of one machine.", hosts_and_paths),
)
