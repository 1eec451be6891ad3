"""The four parameters of a GraphQL request, from JSON or from a URL (GraphQL over HTTP, section 5)."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl

import orjson

from tenantry.web.refusals import Malformed

NAMES = ("query", "operationName", "variables", "extensions")
MAX_PAIRS = 16
MAX_DEPTH = 32
"""Levels of lists and objects in ``variables``; the scalars and inputs of a schema need a few."""

_KEYS = tuple(f'"{name}"'.encode() for name in NAMES)
_TAKEN = "The request is not one GraphQL operation."


class Parameters(NamedTuple):
    """One operation to run. ``extensions`` are checked to be a map, and ignored.

    ``tenant`` is one that a path's parameter names besides.
    """

    query: str
    operation_name: str | None
    variables: Mapping[str, Any]
    tenant: str | None = None


def from_json(body: bytes) -> Parameters:
    """The parameters of a POST: strict JSON (RFC 8259), so no NaN, no infinity and no byte order mark.

    Raises ``Malformed``, also where a parameter comes twice: two readers could take
    different ones. An integer beyond 64 bits is read as a float; no scalar takes it.
    """
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Malformed("The body is not JSON.") from None
    if isinstance(values, list):
        raise Malformed("Batches are not taken: send one operation a request.")
    if not isinstance(values, dict):
        raise Malformed("The body must be a JSON object.")
    if _may_repeat(body) and (name := _repeated(body)):
        raise Malformed(_TAKEN, {name: "must be given once"})
    return _checked(cast("dict[str, object]", values))


def from_query_string(query_string: bytes) -> Parameters:
    """The parameters of a GET; ``variables`` and ``extensions`` are JSON. Raises ``Malformed``."""
    values: dict[str, object] = {}
    for name, value in query_pairs(query_string):
        if name in values:
            raise Malformed(_TAKEN, {name: "must be given once"} if name in NAMES else None)
        values[name] = _json(name, value) if name in {"variables", "extensions"} else value
    return _checked(values)


def query_pairs(query_string: bytes) -> list[tuple[str, str]]:
    """Names and values of a query string, in order. Raises ``Malformed``."""
    try:
        text = query_string.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PAIRS, errors="strict")
    except ValueError:
        raise Malformed("The query string cannot be read.") from None


def json_object(body: bytes) -> dict[str, object]:
    """A body that is one JSON object (RFC 8259), each name in it once. Raises ``Malformed``."""
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Malformed("The body is not JSON.") from None
    if not isinstance(values, dict):
        raise Malformed("The body must be a JSON object.")
    names = _outermost(body)
    if repeated := {name for name in names if names.count(name) > 1}:
        raise Malformed("The body names something twice.", dict.fromkeys(repeated, "must be given once"))
    return cast("dict[str, object]", values)


def _json(name: str, value: str) -> object:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise Malformed(_TAKEN, {name: "must be JSON"}) from None


def _checked(values: Mapping[str, object]) -> Parameters:
    query, name = values.get("query"), values.get("operationName")
    variables, extensions = values.get("variables"), values.get("extensions")
    if not isinstance(query, str):
        raise Malformed(_TAKEN, {"query": "must be a string" if "query" in values else "is missing"})
    if name is not None and not isinstance(name, str):
        raise Malformed(_TAKEN, {"operationName": "must be a string"})
    if variables is not None and not isinstance(variables, dict):
        raise Malformed(_TAKEN, {"variables": "must be an object"})
    if extensions is not None and not isinstance(extensions, dict):
        raise Malformed(_TAKEN, {"extensions": "must be an object"})
    if variables and is_deep(cast("dict[str, object]", variables)):
        raise too_deep("variables")
    return Parameters(query, name, cast("dict[str, Any]", variables or {}))


def too_deep(name: str) -> Malformed:
    """What is said of a parameter where ``is_deep``."""
    return Malformed(_TAKEN, {name: f"must be nested {MAX_DEPTH} levels at most"})


def is_deep(variables: Mapping[str, object]) -> bool:
    """Whether values are nested deeper than any scalar or input of a schema needs."""
    level: list[object] = [value for value in variables.values() if isinstance(value, (dict, list))]
    if not level:
        return False
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return False
    return True


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()


def _may_repeat(body: bytes) -> bool:
    # Cheap, and wrong in one direction only; a name may also be spelt with escapes.
    if b"\\u" in body:
        return True
    for key in _KEYS:  # noqa: SIM110 - a generator costs more than the counting
        if body.count(key) > 1:
            return True
    return False


def _repeated(body: bytes) -> str | None:
    names = _outermost(body)
    return next((name for name in NAMES if names.count(name) > 1), None)


def _outermost(body: bytes) -> list[str]:
    """The names of the outermost object, as often as they come."""
    outermost: list[str] = []

    def keep(pairs: list[tuple[str, object]]) -> None:
        # Called for every object, the outermost last.
        outermost[:] = [name for name, _ in pairs]

    try:
        json.loads(body, object_pairs_hook=keep)
    except (RecursionError, ValueError):
        raise Malformed("The body is not JSON.") from None
    return outermost
