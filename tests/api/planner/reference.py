"""What the graph should answer: ordinary execution over ``schema.graphql``, one plain resolver a field.

Nothing here comes from the planner. A field's rule is read from the directives of the printed
schema; a value is found by looking through lists of rows. Rules are decided once for each
operation and not once for each row, so an operation is run twice: first over a stand-in world in
which every list has one element and nothing is missing, which tells what is refused and what
becomes null by it, whatever the rows are; then over the rows.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    execute_sync,
    get_named_type,
)
from graphql.utilities import value_from_ast_untyped

from tests.api.planner import reached
from tests.api.planner.fields import COLUMNS, EPOCH, PAGES, SPECIAL, TABLES, TYPES, letter
from tests.api.planner.rows import Tables
from tests.api.planner.sight import Place, Sight, Who, across, inside, own

SDL = Path(__file__).parents[3] / "schema.graphql"
RULES = {"authenticated", "public", "requires", "scopes"}
VOUCHED = {("Viewer", "member"), ("Viewer", "memberships"), ("Team", "members"), ("Team", "supervisors")}
"""Edges whose own rule is all that is asked of what they lead to."""
LOOKED_AT = {"team:read", "team:manage"}
"""What may be held under a condition, and is then looked at for each object."""
PASSING = {"edges", "node", "nodes", "pageInfo", "viewerCan"}
"""Fields whose object is a part of the one it hangs on."""
STAND_INS = {"Int": 1, "Boolean": True, "DateTime": "2026-01-01T00:00:00+00:00"}

Errors = set[tuple[str, tuple[str, ...]]]


@dataclass
class Run:
    """One of the two runs of an operation."""

    who: Who
    tables: Tables
    stand_in: bool
    allowing: bool = False
    """Whatever the rules say: what can be told of the input before the caller is looked at."""
    nulled: frozenset[tuple[str, ...]] = frozenset()
    bad_shape: bool = False
    bad_values: bool = False
    cursors: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Answer:
    """What the planner has to say, too; with ``bad``, the input cannot be taken."""

    data: dict[str, Any] | None
    errors: Errors
    bad: bool = False
    cursors: list[tuple[str, str]] = field(default_factory=list)
    """Those of the pages that were read, for later documents, by the connection's name."""


class Reference:
    """Answers operations over rows that are all in memory."""

    def __init__(self, server: Mapping[str, Any]) -> None:
        self.schema = _schema()
        self.server = server

    def answer(
        self,
        tables: Tables,
        caller: Who,
        document: DocumentNode,
        variables: Mapping[str, Any],
        name: str | None = None,
    ) -> Answer:
        """The data, and the errors by code and path without the places in lists."""
        everything = Run(caller, tables, stand_in=True, allowing=True)
        shape = self._run(everything, document, variables, name)
        if any(error.path is None for error in shape.errors or ()):
            return Answer(None, {("BAD_USER_INPUT", ())}, bad=True)
        stand_in = Run(caller, tables, stand_in=True)
        shape = self._run(stand_in, document, variables, name)
        refused = _errors(shape.errors)
        if everything.bad_shape or stand_in.bad_values:
            return Answer(None, {("BAD_USER_INPUT", ())}, bad=True)
        if shape.data is None:
            return Answer(None, refused)
        nulled = frozenset(_null_at(shape.data, error.path or ()) for error in shape.errors or ())
        real = Run(caller, tables, stand_in=False, nulled=nulled)
        result = self._run(real, document, variables, name)
        return Answer(result.data, refused | _errors(result.errors), cursors=real.cursors)

    def _run(self, run: Run, document: DocumentNode, variables: Mapping[str, Any], name: str | None) -> Any:
        return execute_sync(
            self.schema,
            document,
            Place("Query", {"server": self.server}, inside(run.tables, run.who.tenant.get("id"), run.who)),
            run,
            dict(variables),
            name,
            field_resolver=resolve,
            type_resolver=lambda place, *_: place.type,
        )


def _schema() -> GraphQLSchema:
    """The printed schema; its scalars read as the product says."""
    schema = build_schema(SDL.read_text(encoding="utf-8"), assume_valid_sdl=True)
    for name, parse in (("DateTime", _time), ("Permission", _permission)):
        scalar: Any = schema.type_map[name]
        scalar.parse_value = scalar.coerce_input_value = parse
    return schema


def _time(value: Any) -> datetime:
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("no offset")
    return found


def _permission(value: Any) -> str:
    parts = value.split(":")
    if value != "*" and not (2 <= len(parts) <= 4 and all(part[:1].isalpha() for part in parts)):
        raise ValueError("no permission")
    return value


# --- rules ----------------------------------------------------------------------------------


def refusal(place: Place, info: GraphQLResolveInfo, caller: Who) -> str | None:
    """The code by which the rule of a field refuses, by the directives of the printed schema."""
    kind = info.parent_type
    rule = _rule(kind.fields[info.field_name].ast_node)
    if rule is None:
        rule = ("authenticated", {}) if place.vouched else _rule(kind.ast_node) or ("nobody", {})
    name, arguments = rule
    if name == "public":
        return None
    if caller.scope is None:
        return "UNAUTHENTICATED"
    if arguments.get("scope") not in {None, caller.scope}:
        return "SCOPE_MISMATCH"
    if name in {"authenticated", "scopes"} or "*" in caller.permissions:
        return None
    under = LOOKED_AT & {each.split(" when ")[0] for each in caller.conditional}
    sets = arguments.get("permissions", [])
    return None if any((caller.permissions | under).issuperset(each) for each in sets) else "FORBIDDEN"


def _rule(node: Any) -> tuple[str, Mapping[str, Any]] | None:
    for each in node.directives or ():
        if each.name.value in RULES:
            return each.name.value, {
                one.name.value: value_from_ast_untyped(one.value) for one in each.arguments or ()
            }
    return None


# --- resolving ------------------------------------------------------------------------------


def resolve(place: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
    """One field of one object."""
    run: Run = info.context
    if not isinstance(place, Place):
        return place[info.field_name]  # of what has no rows: serverInfo, a decision
    if tuple(key for key in info.path.as_list() if isinstance(key, str)) in run.nulled:
        return None
    if not run.stand_in:
        return _value(place, info, run, arguments)
    code = None if run.allowing else refusal(place, info, run.who)
    if code is not None:
        raise GraphQLError("refused", extensions={"code": code})
    return _stand_in(place, info, run, arguments)


def _stand_in(place: Place, info: GraphQLResolveInfo, run: Run, arguments: Mapping[str, Any]) -> Any:
    """Something for every field, so that what lies below is looked at whatever the rows are."""
    name, kind = info.field_name, get_named_type(info.return_type)
    sizes = [arguments[each] for each in ("first", "last") if arguments.get(each) is not None]
    if (place.type, name) in PAGES and len(sizes) != 1:
        run.bad_shape = True
    sight = _leads_to(place, name, run, {})
    by_team = (arguments.get("filter") or {}).get("teamId") is not None
    if not {TABLES.get((place.type, name), "tenant"), "team" if by_team else "tenant"} <= sight.tables.keys():
        raise GraphQLError("no door", extensions={"code": "TENANT_REQUIRED"})
    if (place.type, name) == ("Tenant", "resources"):
        _check_type(sight, run, arguments["type"])
    if (place.type, name) in PAGES:
        run.bad_values |= not all(1 <= size <= 100 for size in sizes)
        _check_cursors(place, name, run, arguments)
    vouched = (place.type, name) in VOUCHED or (place.vouched and name in PASSING)
    if isinstance(kind, GraphQLEnumType):
        made: Any = next(iter(kind.values))
    elif not hasattr(kind, "fields"):
        made = STAND_INS.get(kind.name, "x")
    elif (place.type, name) == ("Query", "node"):
        found = TYPES.get(letter(arguments["id"]))
        made = found and replace(place, type=found[0], sight=sight)
    else:
        made = replace(place, type=kind.name, sight=sight, vouched=vouched)
    bare = info.return_type.of_type if isinstance(info.return_type, GraphQLNonNull) else info.return_type
    return [made] if isinstance(bare, GraphQLList) else made


def _check_type(sight: Sight, run: Run, name: str) -> None:
    """A list of a type that does not exist, or of which the caller never sees any."""
    if run.who.scope is None or "*" in run.who.permissions:
        return
    kind = reached.type_of(sight.tables["blueprint"], run.who, name)
    if kind is None and run.who.scope == "TENANT":
        run.bad_shape = True
    elif not run.allowing and not reached.ways(run.who, (kind or {}).get("read")):
        raise GraphQLError("closed", extensions={"code": "FORBIDDEN"})


def _leads_to(place: Place, name: str, run: Run, arguments: Mapping[str, Any]) -> Sight:
    match place.type, name:
        case "Viewer", "memberships" | "archive":
            return own(run.tables, place.sight)
        case "System", "tenants" | "users":
            return across(run.tables, place.sight)
        case "System", "tenant":
            target = next((row for row in run.tables["tenant"] if row["node_id"] == arguments.get("id")), {})
            return inside(run.tables, target.get("id", "nowhere"), run.who)
    return place.sight


def _value(place: Place, info: GraphQLResolveInfo, run: Run, arguments: Mapping[str, Any]) -> Any:
    """The value from the rows."""
    name = info.field_name
    here = replace(place, sight=_leads_to(place, name, run, arguments))
    if (place.type, name) in PAGES:
        return _page(here, name, run, arguments)
    special = SPECIAL.get((place.type, name))
    if special is not None:
        return plain(special(here, arguments))
    column = COLUMNS.get((place.type, name)) or (name if name in place.row else _snake(name))
    return plain(place.row[column])


def plain(value: Any) -> Any:
    """A value as the graph prints it: times in UTC, trailing zeros of the fraction cut."""
    if not isinstance(value, datetime):
        return value
    value = value.astimezone(UTC)
    fraction = f".{value.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{value:%Y-%m-%dT%H:%M:%S}{fraction}+00:00"


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


# --- pages (Relay, Cursor Connections) --------------------------------------------------------


def _page(place: Place, name: str, run: Run, arguments: Mapping[str, Any]) -> Place:
    kind, rows, key, descending = PAGES[place.type, name](place, arguments)
    found = sorted(rows, key=key, reverse=descending)
    for each, beyond in (("after", descending), ("before", not descending)):
        if arguments.get(each) is not None:
            bound = _read(arguments[each], key(_Anything()))
            found = [row for row in found if (key(row) < bound if beyond else key(row) > bound)]
    forward = arguments.get("first") is not None
    size = arguments["first"] if forward else arguments["last"]
    more = len(found) > size
    found = found[:size] if forward else found[-size:]
    cursors = [_cursor(key(row)) for row in found]
    run.cursors += [(f"{place.type}.{name}", each) for each in cursors]
    nodes = [place.to(kind, row, vouched=(place.type, name) in VOUCHED, listed=True) for row in found]
    pairs = zip(nodes, cursors, strict=True)
    info = {
        "hasNextPage": more if forward else arguments.get("before") is not None,
        "hasPreviousPage": arguments.get("after") is not None if forward else more,
        "startCursor": cursors[0] if cursors else None,
        "endCursor": cursors[-1] if cursors else None,
    }
    page = {
        "edges": [place.to(f"{kind}Edge", {"node": node, "cursor": at}, listed=True) for node, at in pairs],
        "nodes": nodes,
        "pageInfo": place.to("PageInfo", info),
        "totalCount": len(rows),
    }
    return place.to(f"{kind}Connection", page)


class _Anything(dict[str, Any]):
    """A row of which only the kinds of its values are of interest."""

    def __missing__(self, name: str) -> Any:
        return EPOCH if name.endswith("_at") else 0 if name in {"position", "seq"} else ""


def _cursor(key: Sequence[Any]) -> str:
    """The key as JSON in Base64."""
    return base64.b64encode(json.dumps([plain(each) for each in key], ensure_ascii=False).encode()).decode()


def _read(text: str, like: Sequence[Any]) -> tuple[Any, ...]:
    """The key in a cursor. Raises ``ValueError`` where it is none of these kinds."""
    found = json.loads(base64.b64decode(text, validate=True))
    if not isinstance(found, list) or len(found) != len(like):
        raise ValueError(text)
    if any(
        type(each) is not (int if isinstance(kind, int) else str)
        for each, kind in zip(found, like, strict=True)
    ):
        raise ValueError(text)
    return tuple(
        datetime.fromisoformat(each) if isinstance(kind, datetime) else each
        for each, kind in zip(found, like, strict=True)
    )


def _check_cursors(place: Place, name: str, run: Run, arguments: Mapping[str, Any]) -> None:
    nothing = replace(place, sight=replace(place.sight, tables=dict.fromkeys(run.tables, ())))
    _, _, key, _ = PAGES[place.type, name](nothing, arguments)
    for each in (arguments.get("after"), arguments.get("before")):
        try:
            if each is not None:
                _read(each, key(_Anything()))
        except ValueError:
            run.bad_values = True


def _errors(errors: Sequence[GraphQLError] | None) -> Errors:
    for each in errors or ():
        if "code" not in (each.extensions or {}):
            raise each  # the reference's own fault
    return {
        (each.extensions["code"], tuple(key for key in each.path or () if isinstance(key, str)))
        for each in errors or ()
    }


def _null_at(data: Any, path: Sequence[str | int]) -> tuple[str, ...]:
    """Where an error has left a null: at its path, or at the nearest place above that may be null."""
    walked: list[str] = []
    for key in path:
        if isinstance(key, str):
            walked.append(key)
        data = data[key]
        if data is None:
            break
    return tuple(walked)
