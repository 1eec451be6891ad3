"""Arguments and variables: what shapes a plan, and what is only filled in when it runs."""
# graphql-core's own union types leave out the parameter of GraphQLList, and its parts are unknown with it.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownParameterType=false, reportUnknownVariableType=false

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
)
from sqlalchemy import BindParameter, Integer, Text, bindparam
from sqlalchemy.types import TypeEngine

from tenantry.kernel.principal import Authority, Environment
from tenantry.storage.tables import Timestamp


@dataclass(slots=True)
class Values:
    """What a plan is run with."""

    authority: Authority | None
    variables: Mapping[str, Any]
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    environment: Environment | None = None


Getter: TypeAlias = Callable[[Values], Any]


@dataclass(frozen=True, slots=True)
class Slot:
    """A scalar that a variable will bring: where it stands among the coerced variables."""

    path: tuple[str | int, ...]

    def get(self, values: Values) -> Any:
        """Its value in this request."""
        found: Any = values.variables
        for key in self.path:
            found = found[key]
        return found


def getter(value: object) -> Getter:
    """How to read a slot, or a constant of the document, when the plan runs."""
    return value.get if isinstance(value, Slot) else lambda _: value


def unwrap(type_: GraphQLInputType) -> GraphQLInputType:
    """A type without its outer non-null."""
    return type_.of_type if isinstance(type_, GraphQLNonNull) else type_


def slots(value: Any, type_: GraphQLInputType, path: tuple[str | int, ...]) -> Any:
    """A coerced variable with a slot in place of each scalar that does not shape the plan."""
    bare = unwrap(type_)
    if value is None or isinstance(bare, GraphQLEnumType) or _is_boolean(bare):
        return value
    if isinstance(bare, GraphQLInputObjectType) and isinstance(value, dict):
        return {name: slots(item, bare.fields[name].type, (*path, name)) for name, item in value.items()}
    if isinstance(bare, GraphQLList) and isinstance(value, list):
        return [slots(item, bare.of_type, (*path, index)) for index, item in enumerate(value)]
    return Slot(path)


def shape(value: Any, type_: GraphQLInputType, *, letters: bool) -> Any:
    """What of a coerced variable a plan depends on: presence, booleans, enums, lengths.

    With ``letters``, also the letter of an ``ID``, since ``node`` reads a type from it.
    """
    bare = unwrap(type_)
    if value is None or isinstance(bare, GraphQLEnumType) or _is_boolean(bare):
        return value
    if isinstance(bare, GraphQLInputObjectType) and isinstance(value, dict):
        return tuple(
            (name, shape(item, bare.fields[name].type, letters=letters)) for name, item in value.items()
        )
    if isinstance(bare, GraphQLList) and isinstance(value, list):
        return tuple(shape(item, bare.of_type, letters=letters) for item in value)
    if letters and isinstance(bare, GraphQLScalarType) and bare.name == "ID":
        return f"ID:{letter(value)}"
    return "…"


def letter(node_id: object) -> str:
    """The letter that names a node id's type; "" for what is no node id, whatever it is."""
    text = str(node_id)
    return text[0] if text[1:2] == "_" and len(text) > len("M_") else ""


def _is_boolean(type_: GraphQLInputType) -> bool:
    return isinstance(type_, GraphQLScalarType) and type_.name == "Boolean"


_SQL_TYPES: Mapping[str, TypeEngine[Any]] = {"Int": Integer(), "DateTime": Timestamp}


class Binds:
    """The bind parameters of one statement, each with the way to its value."""

    def __init__(self) -> None:
        self.getters: dict[str, Getter] = {}

    def add(self, get: Getter, type_: TypeEngine[Any]) -> BindParameter[Any]:
        """A fresh parameter whose value is ``get(values)`` when the statement runs."""
        name = f"p{len(self.getters)}"
        self.getters[name] = get
        return bindparam(name, type_=type_, required=True)

    def constant(self, value: str) -> BindParameter[Any]:
        """A parameter that is the same in every run."""
        return self.add(lambda _: value, Text())

    def sql(self, tree: Any, type_: GraphQLInputType) -> Any:
        """Arguments as authors of fields take them: scalars as SQL, the rest as plain values."""
        bare = unwrap(type_)
        if isinstance(bare, GraphQLInputObjectType) and isinstance(tree, dict):
            return {name: self.sql(item, bare.fields[name].type) for name, item in tree.items()}
        if isinstance(bare, GraphQLList) and isinstance(tree, list):
            return [self.sql(item, bare.of_type) for item in tree]
        if tree is None or isinstance(bare, GraphQLEnumType) or _is_boolean(bare):
            return tree
        name = bare.name if isinstance(bare, GraphQLScalarType) else ""
        if isinstance(tree, datetime):
            name = "DateTime"
        return self.add(getter(tree), _SQL_TYPES.get(name, Text()))
