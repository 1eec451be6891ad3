"""What a stored operation takes and answers, as JSON Schema: from its document and the schema's types."""
# graphql-core's own types leave out the parameters of GraphQLList and GraphQLNonNull.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    SelectionSetNode,
    is_abstract_type,
    type_from_ast,
)
from graphql.language import TypeNode

from tenantry.web.stored.operation import StoredOperation

JsonSchema: TypeAlias = dict[str, Any]
_Kind: TypeAlias = Any
"""A type of the schema; its wrappers are generic in ways that the library itself leaves open."""

_SCALARS: Mapping[str, JsonSchema] = {
    "Boolean": {"type": "boolean"},
    "DateTime": {"type": "string", "format": "date-time"},
    "Int": {"type": "integer"},
    "JSON": {"type": "object"},
}
"""Every other scalar is a string."""

_PROBLEM = "Problem"


def taken(schema: GraphQLSchema, kind: TypeNode) -> JsonSchema:
    """The values of a variable; that it may be left out is said elsewhere."""
    found = type_from_ast(schema, kind)
    if isinstance(found, GraphQLNonNull):
        return _leaf(found.of_type)
    return _or_null(_leaf(found))


def answered(schema: GraphQLSchema, operation: StoredOperation) -> JsonSchema:
    """The body of a success: what stands at the operation's ``answer``."""
    root = schema.get_root_type(operation.definition.operation)
    if root is None:
        raise LookupError(f"the schema has no {operation.definition.operation}")
    found = _Answers(schema, operation).of(root, operation.definition.selection_set)
    for step in operation.answer:
        found = found["items"] if isinstance(step, int) else found["properties"][step]
    return found


class _Answers:
    """Goes through the selections of one document."""

    def __init__(self, schema: GraphQLSchema, operation: StoredOperation) -> None:
        self._schema = schema
        self._fragments = {
            each.name.value: each
            for each in operation.parsed.definitions
            if isinstance(each, FragmentDefinitionNode)
        }

    def of(self, kind: _Kind, selected: SelectionSetNode | None) -> JsonSchema:
        """The values of a type, null among them, unless an exclamation mark says otherwise."""
        if isinstance(kind, GraphQLNonNull):
            return self._present(kind.of_type, selected)
        return _or_null(self._present(kind, selected))

    def _present(self, kind: _Kind, selected: SelectionSetNode | None) -> JsonSchema:
        if isinstance(kind, GraphQLList):
            return {"type": "array", "items": self.of(kind.of_type, selected)}
        if selected is None:
            return _leaf(kind)
        if isinstance(kind, GraphQLUnionType):
            # The others are problems, which are told as errors.
            (kind,) = [
                each for each in kind.types if not self._is_problem(each) and self._asked(each, selected)
            ]
        properties = dict(self._properties(kind, selected))
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def _is_problem(self, kind: GraphQLObjectType) -> bool:
        return any(each.name == _PROBLEM for each in kind.interfaces)

    def _asked(self, kind: GraphQLObjectType, selected: SelectionSetNode) -> bool:
        return any(self._properties(kind, selected))

    def _properties(
        self, kind: GraphQLObjectType, selected: SelectionSetNode
    ) -> Iterator[tuple[str, JsonSchema]]:
        for each in selected.selections:
            match each:
                case FieldNode():
                    name = each.name.value
                    key = name if each.alias is None else each.alias.value
                    yield key, self.of(kind.fields[name].type, each.selection_set)
                case FragmentSpreadNode():
                    fragment = self._fragments[each.name.value]
                    yield from self._inside(kind, fragment)
                case InlineFragmentNode():
                    yield from self._inside(kind, each)
                case _:
                    raise TypeError("there is no other kind of selection")

    def _inside(
        self, kind: GraphQLObjectType, fragment: FragmentDefinitionNode | InlineFragmentNode
    ) -> Iterator[tuple[str, JsonSchema]]:
        condition = fragment.type_condition
        named = kind if condition is None else self._schema.type_map[condition.name.value]
        if named is kind or (is_abstract_type(named) and self._schema.is_sub_type(named, kind)):
            yield from self._properties(kind, fragment.selection_set)


def _leaf(kind: _Kind) -> JsonSchema:
    if isinstance(kind, GraphQLEnumType):
        return {"type": "string", "enum": sorted(kind.values)}
    return dict(_SCALARS.get(kind.name, {"type": "string"}))


def _or_null(found: JsonSchema) -> JsonSchema:
    made = {**found, "type": [found["type"], "null"]}
    return {**made, "enum": [*found["enum"], None]} if "enum" in found else made
