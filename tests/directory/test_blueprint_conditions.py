"""Whether a JSON Schema lets an attribute be what a condition reads it as, as a table of yes and no."""

from typing import Any

import pytest

from tenantry.access.conditions import Kind
from tenantry.directory.blueprints.conditions import fits

TABLE: list[tuple[dict[str, Any], str]] = [
    ({"type": "boolean"}, "boolean"),
    ({"type": "integer"}, "number"),
    ({"type": "number"}, "number"),
    ({"type": "string"}, "text"),
    ({"type": "array"}, "list of texts"),
    ({"type": "array", "items": {"type": "string"}}, "list of texts"),
    ({"type": "array", "items": {"type": "integer"}}, ""),
    ({"type": ["integer", "null"]}, "number"),
    ({"type": "object"}, ""),
    ({"const": "open"}, "text"),
    ({"const": 5}, "number"),
    ({"const": None}, ""),
    ({"const": ["a"]}, "list of texts"),
    ({"enum": ["in", "out"]}, "text"),
    ({"enum": ["in", 1, True]}, "boolean number text"),
    ({}, "boolean number text list of texts"),
]
KINDS = [Kind.BOOLEAN, Kind.NUMBER, Kind.TEXT, Kind.TEXTS]


@pytest.mark.parametrize(("schema", "kinds"), TABLE, ids=[str(row[0]) for row in TABLE])
def test_what_a_schema_allows(schema: dict[str, Any], kinds: str) -> None:
    assert " ".join(kind for kind in KINDS if fits(schema, kind)) == kinds


@pytest.mark.parametrize("kind", [Kind.PERSON, Kind.TEAM, Kind.ADDRESS])
def test_no_attribute_is_a_person_a_team_or_an_address(kind: Kind) -> None:
    assert not fits({"type": "string"}, kind)
