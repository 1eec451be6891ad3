"""What of a tenant's objects a caller may see, where that depends on the object: lists are filtered by it.

A caller's reach shapes their plan. It is made of conditions with all decided but the object
(``access.predicates.residual``), of which a blueprint has few, so that plans are shared by all who
hold the same under the same circumstances.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Numeric,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    case,
    false,
    func,
    literal,
    not_,
    or_,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel

from tenantry.access.conditions import Condition, Kind
from tenantry.access.facts import asked_by
from tenantry.access.grants import condition_of
from tenantry.access.permissions import WILDCARD, BuiltIn
from tenantry.access.predicates import ALWAYS, NEVER, Columns, predicate, residual
from tenantry.access.resource_types import Gate, ResourceTypes
from tenantry.api.planner.arguments import Values
from tenantry.api.planner.findings import Here, Path
from tenantry.api.planner.sources import Row, select_over
from tenantry.directory.resources.models import Resource
from tenantry.directory.teams.models import Team, TeamMember
from tenantry.kernel.principal import Authority, Environment

if TYPE_CHECKING:
    from tenantry.api.planner.compiler import Compiler

Ways = tuple[tuple[Condition, tuple[str, ...]], ...]
"""Conditions, and the types for whose objects each is enough."""


Barred = frozenset[tuple[Path, str | None]]
"""Lists of a type of which the caller never sees any: where, and the permission that opens it.

"" where no permission does, None where a second factor comes first.
"""


class Action(NamedTuple):
    """One thing that can be done with objects of a type, and when the caller may."""

    name: str
    permission: str
    condition: Condition


class Reach(NamedTuple):
    """What one caller may see of resources and do with them, by their type."""

    everything: bool = False
    verbs: tuple[tuple[str, Ways], ...] = ()
    """Of each of ``read``, ``update`` and ``delete``."""
    actions: tuple[tuple[str, tuple[Action, ...]], ...] = ()
    teams: Condition = NEVER
    """Which teams, beside those that the caller is in."""

    def ways(self, verb: str) -> Ways:
        """When the caller may do that."""
        return dict(self.verbs).get(verb, ())


NOTHING = Reach()
VERBS = ("read", "update", "delete")


def reach_of(authority: Authority, types: ResourceTypes, environment: Environment | None) -> Reach:
    """The caller's reach over the types of their tenant's blueprint, at this moment."""
    facts = asked_by(authority, environment)

    def when(gate: Gate) -> Condition:
        return residual(gate.condition(authority), facts)

    return Reach(
        WILDCARD in authority.permissions,
        tuple(
            (verb, _ways((when(kind.gates[verb]), kind.name) for kind in types if verb in kind.gates))
            for verb in VERBS
        ),
        tuple(
            (
                kind.name,
                tuple(Action(name, gate.permission, when(gate)) for name, gate in kind.actions.items()),
            )
            for kind in types
        ),
        residual(condition_of(authority, BuiltIn.TEAM_READ), facts),
    )


def _ways(pairs: Iterable[tuple[Condition, str]]) -> Ways:
    found: dict[Condition, list[str]] = {}
    for condition, name in pairs:
        if condition != NEVER:
            found.setdefault(condition, []).append(name)
    return tuple((condition, tuple(names)) for condition, names in found.items())


# --- as SQL ---------------------------------------------------------------------------------------


def may(compiler: "Compiler", verb: str, row: Row, here: Here) -> ColumnElement[bool]:
    """Whether the caller may do ``verb`` with the resource in ``row``."""
    compiler.findings.reaches = True
    if compiler.reach.everything:
        return _unless_personal(compiler, row)
    columns = _columns(compiler, row, here)
    ways = (
        and_(row.c.type == any_(literal(list(names), ARRAY(Text()))), predicate(way, columns))
        for way, names in compiler.reach.ways(verb)
    )
    return and_(_unless_personal(compiler, row), or_(false(), *ways))


def _unless_personal(compiler: "Compiler", row: Row) -> ColumnElement[bool]:
    """What somebody wrote as personal is theirs alone, whatever others may."""
    return or_(not_(row.c.is_personal), row.c.owner_id == compiler.the_caller.c.user_id)


def actions(compiler: "Compiler", row: Row, here: Here) -> ColumnElement[Any]:
    """What can be done with the resource in ``row``: a ``jsonb`` array of name, permission, allowed."""
    compiler.findings.reaches = True
    columns = _columns(compiler, row, here)
    by_type = [
        (row.c.type == name, _listed(compiler, listed, columns)) for name, listed in compiler.reach.actions
    ]
    nothing = func.jsonb_build_array(type_=JSONB())
    return case(*by_type, else_=nothing) if by_type else nothing


def _listed(compiler: "Compiler", listed: tuple[Action, ...], columns: Columns) -> ColumnElement[Any]:
    whole = compiler.reach.everything
    made = (
        func.jsonb_build_object(
            literal("name", Text()),
            literal(action.name, Text()),
            literal("permission", Text()),
            literal(action.permission, Text()),
            literal("allowed", Text()),
            predicate(ALWAYS if whole else action.condition, columns),
        )
        for action in listed
    )
    return func.jsonb_build_array(*made, type_=JSONB())


def _a_resource(compiler: "Compiler", row: Row, here: Here) -> ColumnElement[bool]:
    return may(compiler, "read", row, here)


def _a_team(compiler: "Compiler", row: Row, here: Here) -> ColumnElement[bool]:
    if compiler.reach.everything or compiler.reach.teams == ALWAYS:
        return true()
    # As conditions look at resources: a team is its own, and the rest is missing.
    columns = Columns(
        owner=literal(None, Uuid()),
        team=row.c.id,
        state=literal(None, Text()),
        type=literal("team", Text()),
        attributes=func.jsonb_build_object(type_=JSONB()),
        subject=compiler.the_caller.c.user_id,
        teams=_own_teams(compiler, here),
        known=_known(compiler),
    )
    return or_(row.c.id.in_(columns.teams), predicate(compiler.reach.teams, columns))


WITHIN_REACH: Mapping[type[SQLModel], Callable[["Compiler", Row, Here], ColumnElement[bool]]] = {
    Resource: _a_resource,
    Team: _a_team,
}
"""The tables whose rows are looked at one by one: the compiler puts this beside the tenant's criterion."""

_KNOWN: Mapping[Kind, TypeEngine[Any]] = {
    Kind.BOOLEAN: Boolean(),
    Kind.NUMBER: Numeric(),
    Kind.PERSON: Uuid(),
    Kind.TEXTS: ARRAY(Text()),
}


def _columns(compiler: "Compiler", row: Row, here: Here) -> Columns:
    return Columns(
        owner=row.c.owner_id,
        team=row.c.team_id,
        state=row.c.state,
        type=row.c.type,
        attributes=row.c.attributes,
        subject=compiler.the_caller.c.user_id,
        teams=_own_teams(compiler, here),
        known=_known(compiler),
    )


def _own_teams(compiler: "Compiler", here: Here) -> Select[Any]:
    place, within = compiler.rows(TeamMember, here)
    mine = place.c.member_id == compiler.the_caller.c.member_id
    return select_over(place.c.team_id, rows=[place]).where(*within, mine)


def _known(compiler: "Compiler") -> Callable[[str, Kind], ColumnElement[Any]]:
    return lambda path, kind: compiler.binds.add(_fact(path), _KNOWN.get(kind, Text()))


def _fact(path: str) -> Callable[[Values], object]:
    def get(values: Values) -> object:
        if values.authority is None:
            raise RuntimeError("a condition needs somebody who asks")
        found = asked_by(values.authority, values.environment).get(path)
        return list(cast("tuple[object, ...]", found)) if isinstance(found, tuple) else found

    return get
