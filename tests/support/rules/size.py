"""Ceilings. Medians look after themselves; it is the tails that rot."""

import ast
from collections.abc import Iterable, Iterator

from tests.support.source import WHOLE_FILE, Finding, Module, Rule

SOURCE_LINES = 400
TEST_LINES = 500
FUNCTION_LINES = 60
RESOLVER_LINES = 12
ARGUMENTS = 6

Function = ast.FunctionDef | ast.AsyncFunctionDef
RESOLVER_DECORATORS = frozenset({"field", "mutation", "subscription", "root", "edge", "connection"})


def functions(module: Module) -> Iterator[Function]:
    """Every function and method of the module, inner ones too."""
    yield from module.walk(ast.FunctionDef, ast.AsyncFunctionDef)


def length(function: Function) -> int:
    """Lines from ``def`` to the end, without the docstring, which is free."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is None:
        return total
    return total - ((first.end_lineno or first.lineno) - first.lineno + 1)


def decorator_names(function: Function) -> set[str]:
    """The last part of each decorator's name: ``field`` for ``@strawberry.field(...)``."""
    calls = (item.func if isinstance(item, ast.Call) else item for item in function.decorator_list)
    return {
        item.attr if isinstance(item, ast.Attribute) else item.id
        for item in calls
        if isinstance(item, (ast.Attribute, ast.Name))
    }


def is_resolver(function: Function) -> bool:
    """Whether GraphQL calls it: it is decorated as a field or takes ``info``."""
    takes_info = any(argument.arg == "info" for argument in function.args.args)
    return takes_info or bool(decorator_names(function) & RESOLVER_DECORATORS)


def long_files(modules: Iterable[Module]) -> Iterator[Finding]:
    """Files beyond the ceiling of their kind."""
    for module in modules:
        ceiling = TEST_LINES if module.inside("tests", "benchmarks") else SOURCE_LINES
        if module.lines > ceiling:
            yield Finding(module.path, WHOLE_FILE, f"{module.lines} lines, {ceiling} allowed")


def long_functions(modules: Iterable[Module]) -> Iterator[Finding]:
    """Functions beyond the ceiling."""
    for module in modules:
        for function in functions(module):
            if length(function) > FUNCTION_LINES:
                what = f"{function.name} has {length(function)} lines, {FUNCTION_LINES} allowed"
                yield Finding(module.path, function.lineno, what)


def long_resolvers(modules: Iterable[Module]) -> Iterator[Finding]:
    """Resolvers that hold more than a call of a service."""
    for module in modules:
        if not module.inside("src/tenantry/api") or module.inside("src/tenantry/api/planner"):
            continue
        for function in functions(module):
            if is_resolver(function) and length(function) > RESOLVER_LINES:
                what = f"{function.name} has {length(function)} lines, {RESOLVER_LINES} allowed"
                yield Finding(module.path, function.lineno, what)


def many_arguments(modules: Iterable[Module]) -> Iterator[Finding]:
    """Functions that take too much."""
    for module in modules:
        for function in functions(module):
            named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            count = sum(argument.arg not in {"self", "cls"} for argument in named)
            if count > ARGUMENTS:
                what = f"{function.name} takes {count} arguments, {ARGUMENTS} allowed"
                yield Finding(module.path, function.lineno, what)


SIZE_RULES = (
    Rule("file-length", "Split the file by what changes together.", long_files),
    Rule("function-length", "Name the steps and make them functions.", long_functions),
    Rule("resolver-length", "Move the work to the feature's service; a resolver calls it.", long_resolvers),
    Rule("argument-count", "Give what belongs together a frozen dataclass.", many_arguments),
)
