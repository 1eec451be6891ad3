"""Whether a grant's condition says something: about what it may, of facts there are, of a fitting type."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from tenantry.access.conditions import ConditionInvalid, Kind, attributes_of, facts_of, parse_condition
from tenantry.access.grants import Grant
from tenantry.access.permissions import CONDITIONABLE, WILDCARD
from tenantry.directory.blueprints.shape import COVERABLE, BlueprintDocument, ResourceShape

_TYPES: Mapping[Kind, frozenset[str]] = {
    Kind.BOOLEAN: frozenset({"boolean"}),
    Kind.NUMBER: frozenset({"integer", "number"}),
    Kind.TEXT: frozenset({"string"}),
    Kind.TEXTS: frozenset({"array"}),
}


def condition_problems(document: BlueprintDocument, grant: Grant) -> Iterator[str]:
    """Everything wrong with a grant's condition; nothing where it has none."""
    if grant.condition is None:
        return
    try:
        condition = parse_condition(grant.condition)
    except ConditionInvalid as error:
        yield f"no condition: {error}"
        return
    closed = document.catalogue.effective([grant.permission]) | {grant.permission}
    fixed = sorted((closed & COVERABLE) - CONDITIONABLE)
    if grant.permission == WILDCARD:
        yield "`*` is everything, and cannot depend on a condition"
        return
    if fixed:
        yield f"`{grant.permission}` cannot depend on a condition, since it is or covers `{fixed[0]}`"
    guarded = _guarded(document, grant.permission)
    if not guarded and not closed & CONDITIONABLE and any(fact.of_resource for fact in facts_of(condition)):
        yield f"no resource type asks for `{grant.permission}`, so a condition about a resource never holds"
        return
    for name, kind in attributes_of(condition).items():
        if problem := _attribute_problem(name, kind, guarded):
            yield problem


def _guarded(document: BlueprintDocument, permission: str) -> dict[str, ResourceShape]:
    """The types of resources that ask for a permission."""
    return {
        kind: resource
        for kind, resource in document.resources.items()
        if permission in resource.guards().values()
    }


def _attribute_problem(name: str, kind: Kind, guarded: Mapping[str, ResourceShape]) -> str | None:
    """What is wrong where no guarded type has such an attribute, or none of a fitting type."""
    schemas = [
        schema
        for resource in guarded.values()
        if (schema := _mapping(_mapping(resource.attributes).get("properties")).get(name)) is not None
    ]
    if not schemas:
        where = ", ".join(f"`{key}`" for key in guarded) or "no resource type"
        return f"unknown attribute `resource.attributes.{name}`; the permission guards {where}"
    if any(fits(_mapping(schema), kind) for schema in schemas):
        return None
    return f"`resource.attributes.{name}` is read as a {kind}, and its JSON Schema allows none"


def fits(schema: Mapping[str, Any], kind: Kind) -> bool:
    """Whether a JSON Schema lets some value be of a kind; one that names no type lets all."""
    if "const" in schema:
        return _type_of(schema["const"]) in _TYPES.get(kind, ())
    if "enum" in schema:
        return any(_type_of(value) in _TYPES.get(kind, ()) for value in _listed(schema["enum"]))
    named = schema.get("type")
    types = {named} if isinstance(named, str) else set(_listed(named))
    if types and not types & _TYPES.get(kind, frozenset()):
        return False
    return kind is not Kind.TEXTS or "items" not in schema or fits(_mapping(schema["items"]), Kind.TEXT)


def _type_of(value: object) -> str:
    """The name by which JSON Schema calls the type of a value."""
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "other"


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _listed(value: object) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list) else ()
