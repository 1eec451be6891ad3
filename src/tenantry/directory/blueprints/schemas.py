"""Whether a type's attributes are described by a JSON Schema that can be kept."""

from collections.abc import Mapping
from typing import Any, cast

from jsonschema.exceptions import SchemaError
from jsonschema.validators import Draft202012Validator


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a type's schema; None where nothing is."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"is no JSON Schema: {error.message}"
    return "must not refer to other schemas" if _refers(schema) else None


def _refers(schema: object) -> bool:
    if isinstance(schema, dict):
        members = cast("dict[str, Any]", schema)
        return "$ref" in members or "$dynamicRef" in members or any(map(_refers, members.values()))
    return isinstance(schema, list) and any(map(_refers, cast("list[Any]", schema)))
