"""Where a field's value comes from. A type names its table; a field is one of these.

Reads are declared, never resolved: the compiler turns declarations into one statement.
In every callable below ``row`` is the parent's row (an alias; ``row.c`` has its columns),
and the row of ``Query`` and ``Viewer`` is the output of ``begin_request`` (``tenant_id``,
``member_id``, ``user_id``, ``session_id``).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Select, Table, select
from sqlalchemy.sql.selectable import FromClause
from sqlmodel import SQLModel

from tenantry.access.rules import Rule
from tenantry.kernel.principal import Authority

Row: TypeAlias = FromClause
Criteria: TypeAlias = "list[ColumnElement[bool]]"
Rows: TypeAlias = "Callable[[type[SQLModel]], tuple[Row, Criteria]]"
"""A fresh alias of a table and the tenant's criterion on it, which must go into its WHERE."""
Arguments: TypeAlias = Mapping[str, Any]
"""Arguments by GraphQL name: enums and booleans as plain values, the rest as SQL."""


class Realm(Enum):
    """Which rows a part of the graph looks at: the tenant's, one's own elsewhere, the platform's.

    ARCHIVE is one's own, too: what one has left behind.
    """

    ARCHIVE = "ARCHIVE"
    HERE = "HERE"
    OWN = "OWN"
    PLATFORM = "PLATFORM"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the row, by name; the field's own name by default."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """SQL over the row: ``sql(row, caller, rows)``; ``rows(table)`` gives a further alias."""

    sql: Callable[["Row", "Row", "Rows"], ColumnElement[Any]]


@dataclass(frozen=True, slots=True)
class Known:
    """A value known before the statement runs, from the caller's authority."""

    value: Callable[[Authority], object]


@dataclass(frozen=True, slots=True)
class Nested:
    """An object that lives in the same row."""


@dataclass(frozen=True, slots=True)
class One:
    """At most one row of ``table``. With ``lookup``, absence is NOT_FOUND and not just null.

    ``trusted`` replaces the default rule of the target's type: the edge vouches for it.
    """

    table: type[SQLModel]
    on: Callable[[Row, Row, Arguments], Criteria]
    lookup: bool = False
    trusted: Rule | None = None


@dataclass(frozen=True, slots=True)
class Many:
    """All rows of ``table``, a handful; through ``link`` (a joining table) where that is given.

    ``shared``: the tenant has few such rows and each stands under many parents, so that on a page
    of parents each is written as JSON once. Then ``on`` may ask for its ``tenant_id`` and ``id`` only.
    """

    table: type[SQLModel]
    on: Callable[[Row, Row, Row | None], Criteria]
    order: Callable[[Row], list[ColumnElement[Any]]]
    link: type[SQLModel] | None = None
    trusted: Rule | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Elements:
    """Objects in a ``jsonb`` array of the row, in its order; their row has one column, ``value``."""

    array: Callable[[Row], ColumnElement[Any]]


@dataclass(frozen=True, slots=True)
class Order:
    """A key for paging: columns that are never NULL, the last of them unique."""

    columns: Callable[[Row], list[ColumnElement[Any]]]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """Rows of ``table`` by pages (Relay's cursor connections)."""

    table: type[SQLModel]
    on: Callable[[Row, Row, Arguments, "Rows"], Criteria]
    order: Order | Callable[[Arguments], Order]
    realm: Realm = Realm.HERE
    trusted: Rule | None = None
    of_type: str | None = None
    """The argument that names a type of resource: whoever may see none of it is refused."""


@dataclass(frozen=True, slots=True)
class Actions:
    """What can be done with a resource and whether the caller may, by its type; their row is ``value``."""


@dataclass(frozen=True, slots=True)
class May:
    """Whether the caller may do one thing (``verb`` of its type's gates) with a resource."""

    verb: str


@dataclass(frozen=True, slots=True)
class AnyNode:
    """``Query.node``: the type is told by the id's letter."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """``System.tenant``: the platform enters one tenant, by a statement and a record of its own."""


class Named(NamedTuple):
    """What a function's arguments name, by node ids: objects, and members (or their persons)."""

    objects: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()

    def joined(self, other: "Named") -> "Named":
        """Both together."""
        return Named(self.objects | other.objects, self.members | other.members)


@dataclass(frozen=True, slots=True)
class Computed:
    """A value that needs Python, run beside the statement. Called with (call, arguments).

    ``names`` tells what the arguments name, so that all such fields of an operation look it up at once.
    """

    function: Callable[[Any, Mapping[str, Any]], Awaitable[object]]
    names: Callable[[Mapping[str, Any]], Named] | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value that the mutation's service has left, under the field's GraphQL name."""


@dataclass(frozen=True, slots=True)
class Found:
    """The row whose node id the field's function has left, under the field's GraphQL name.

    With ``order``, all rows of the ids that it has left; ``trusted`` is as that of ``One``.
    """

    table: type[SQLModel]
    trusted: Rule | None = None
    order: Callable[[Row], list[ColumnElement[Any]]] | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """Objects that the field's function has left, under the field's GraphQL name; their row is ``value``."""


@dataclass(frozen=True, slots=True)
class TheCaller:
    """``LoginSuccess.viewer``: the row of the authority that the mutation has opened."""


@dataclass(frozen=True, slots=True)
class Service:
    """A mutation. ``run`` acts inside one transaction; ``before`` (network) outside of it.

    ``action`` names it in the trail. Without ``transaction`` it opens what it needs itself.
    """

    run: Callable[..., Awaitable[Any]]
    action: str
    before: Callable[..., Awaitable[Any]] | None = None


Source: TypeAlias = (
    Column
    | Expression
    | Known
    | Nested
    | One
    | Many
    | Elements
    | Connection
    | Actions
    | May
    | AnyNode
    | Crossing
    | Computed
    | Attribute
    | Found
    | Left
    | TheCaller
    | Service
)


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """What the planner knows of one field; ``rule`` None takes the type's."""

    source: Source
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class TypePlan:
    """What the planner knows of one type: the default rule, and how ``node`` finds it."""

    rule: Rule | None
    table: type[SQLModel] | None = None
    visible: Callable[[Row, Row, Rows], Criteria] | None = None
    fields: Mapping[str, FieldPlan] = field(default_factory=dict[str, FieldPlan])


def select_over(*values: ColumnElement[Any], rows: Sequence[Row]) -> Select[Any]:
    """A select over ``rows`` and nothing else: every other row it names is that of a select around it.

    Left to itself SQLAlchemy looks one select outwards only, and would read the rest anew.
    """
    return select(*values).select_from(*rows).correlate_except(*rows)


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a model."""
    table: Table[Any] | None = getattr(model, "__table__", None)
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is no table")
    return table
