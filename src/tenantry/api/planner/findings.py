"""What compiling one operation is asked for, where it stands, and what it notices beside the SQL."""
# graphql-core's own union types leave out the parameter of GraphQLList, and its parts are unknown with it.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownParameterType=false

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import GraphQLField, GraphQLObjectType, GraphQLOutputType, get_named_type
from graphql.execution.collect_fields import FieldDetails
from sqlalchemy import CTE

from tenantry.access.rules import Rule
from tenantry.api.planner.arguments import Getter
from tenantry.api.planner.sources import Computed, Crossing, Realm, Row
from tenantry.kernel.errors import DomainError

Details = list[FieldDetails]
Path = tuple[str, ...]


class Refused(Exception):
    """A field refused where null may not stand; the nearest field that may be null takes it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal known before the statement runs, at its path."""

    path: Path
    rule: Rule | None = None
    error: DomainError | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in the answer that Python fills: a computed field, or a crossing."""

    path: Path
    source: Computed | Crossing
    arguments: Mapping[str, Any]
    details: Details
    graphql_type: GraphQLOutputType


@dataclass(frozen=True, slots=True)
class PageSize:
    """One connection of the document: its size, and the connections inside it."""

    size: Getter
    path: Path
    inner: "list[PageSize]"


@dataclass(slots=True)
class Findings:
    """What compiling notices beside the SQL."""

    rules: set[Rule] = field(default_factory=set[Rule])
    problems: list[Problem] = field(default_factory=list[Problem])
    holes: list[Hole] = field(default_factory=list[Hole])
    lookups: list[Path] = field(default_factory=list[Path])
    pages: list[PageSize] = field(default_factory=list[PageSize])
    reaches: bool = False
    """Whether it depends on the object what the caller may see, so that their reach shapes the plan."""
    types: list[tuple[Path, Getter]] = field(default_factory=list[tuple[Path, Getter]])
    """Where lists ask for a type of resource by name, and for which."""


@dataclass(frozen=True, slots=True)
class Here:
    """Where in the answer the compiler stands.

    ``ambient`` is the rule of an edge that vouches for its target's fields; ``pages`` are
    the sizes of the connections around, by which the cost multiplies; ``shelf`` takes what the
    page around needs only once.
    """

    row: Row
    path: Path = ()
    realm: Realm = Realm.HERE
    ambient: Rule | None = None
    repeated: bool = False
    pages: list[PageSize] = field(default_factory=list[PageSize])
    shelf: list[CTE] | None = None

    def at(self, key: str) -> "Here":
        """One field further down."""
        return replace(self, path=(*self.path, key))

    def on(self, row: Row, *, trusted: Rule | None = None, repeated: bool = False) -> "Here":
        """On another row, which an edge leads to."""
        return replace(self, row=row, ambient=trusted, repeated=self.repeated or repeated)


@dataclass(frozen=True, slots=True)
class Asked:
    """One field as the document asks for it."""

    parent: GraphQLObjectType
    name: str
    definition: GraphQLField
    details: Details

    @property
    def target(self) -> GraphQLObjectType:
        """The type of the objects that it leads to."""
        return object_type(self.definition.type)


def object_type(type_: GraphQLOutputType) -> GraphQLObjectType:
    """The object type inside lists and non-nulls."""
    named = get_named_type(type_)
    if not isinstance(named, GraphQLObjectType):
        raise TypeError(f"{named} is no object type")
    return named
