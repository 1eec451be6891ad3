"""What a test must be: it asserts, it runs everywhere, and the product in it is the product."""

import ast
from collections.abc import Iterable, Iterator

from tests.support.source import Finding, Module, Rule

Function = ast.FunctionDef | ast.AsyncFunctionDef
PATCHERS = frozenset({"delattr", "object", "patch", "setattr", "setitem"})
SKIPS = frozenset({"importorskip", "skip", "skipif", "skipIf", "skipUnless", "xfail"})
ASSERTING_CALLS = ("assert_", "check_", "expect_")
RAISING = frozenset({"raises", "warns"})


def dotted(node: ast.expr) -> str:
    """``a.b.c`` for a chain of attributes, the empty string for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{dotted(value)}.{attr}"
        case _:
            return ""


def names_of_the_product(module: Module) -> set[str]:
    """The names that the module binds to something of ``tenantry``."""
    names: set[str] = set()
    for node in module.walk(ast.Import, ast.ImportFrom):
        base = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            if (base or alias.name).split(".")[0] == "tenantry":
                names.add((alias.asname or alias.name).split(".")[0])
    return names


def is_of_the_product(node: ast.expr, names: set[str]) -> bool:
    """Whether the expression names something of ``tenantry``, by reference or as a string."""
    if isinstance(node, ast.Constant):
        return str(node.value).split(".")[0] == "tenantry"
    return dotted(node).split(".")[0] in names


def patches(modules: Iterable[Module]) -> Iterator[Finding]:
    """Tests that replace a part of the product."""
    for module in modules:
        if not module.inside("tests"):
            continue
        names = names_of_the_product(module)
        for call in module.walk(ast.Call):
            patcher = dotted(call.func).split(".")[-1] in PATCHERS
            if patcher and call.args and is_of_the_product(call.args[0], names):
                yield Finding(module.path, call.lineno, f"{ast.unparse(call)[:60]}")


def mocks(modules: Iterable[Module]) -> Iterator[Finding]:
    """Mock objects, which agree with any caller."""
    for module in modules:
        for node in module.walk(ast.Import, ast.ImportFrom):
            base = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            if any(f"{base}.{alias.name}".lstrip(".").startswith("unittest.mock") for alias in node.names):
                yield Finding(module.path, node.lineno, "unittest.mock")


def skips(modules: Iterable[Module]) -> Iterator[Finding]:
    """Tests that may quietly not run."""
    for module in modules:
        if not module.inside("tests"):
            continue
        for node in module.walk(ast.Attribute):
            if node.attr in SKIPS and dotted(node).split(".")[0] in {"pytest", "unittest"}:
                yield Finding(module.path, node.lineno, dotted(node))


def asserts_itself(function: Function) -> bool:
    """Whether the function's own body can fail on purpose."""
    for node in ast.walk(function):
        if isinstance(node, (ast.Assert, ast.Raise)):
            return True
        if isinstance(node, ast.Call):
            name = dotted(node.func).split(".")[-1]
            if name in RAISING or name.startswith(ASSERTING_CALLS) or name == "fail":
                return True
    return False


def calls(function: Function) -> set[str]:
    """The bare names that the function calls."""
    found = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    return {node.func.id for node in found if isinstance(node.func, ast.Name)}


def empty_tests(modules: Iterable[Module]) -> Iterator[Finding]:
    """Tests that cannot fail, neither by themselves nor by a function beside them."""
    for module in modules:
        if not module.inside("tests"):
            continue
        functions = list(module.walk(ast.FunctionDef, ast.AsyncFunctionDef))
        asserting = {function.name for function in functions if asserts_itself(function)}
        for function in functions:
            is_test = function.name.startswith("test_")
            if is_test and function.name not in asserting and not calls(function) & asserting:
                yield Finding(module.path, function.lineno, f"{function.name} asserts nothing")


TEST_RULES = (
    Rule("patched-product", "Pass a fake of the outside in as an argument; run the real product.", patches),
    Rule("mock", "Write a small fake of the outside, typed by its port.", mocks),
    Rule("skipped-test", "A missing component fails; a slow test is marked `long`.", skips),
    Rule("empty-test", "Assert what must hold, and that nothing else happened.", empty_tests),
)
