"""Random documents and variables over the real schema, by one generator of random numbers."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_non_null_type,
    is_required_argument,
)

from tests.api.planner.reached import RESOURCE_TYPES
from tests.api.planner.rows import ACTIONS, PERMISSIONS, Tables

ALIASES = (
    "a",
    "_",
    "__x",
    "id",
    "name",
    "nodes",
    "data",
    "page",
    "wide",
    "authority",
    "value",
    "A1",
    "select",
    "j0",
)
TYPES = (*RESOURCE_TYPES, "nothing")
ROOTS = ("tenant",) * 5 + ("viewer",) * 4 + ("node",) * 4 + ("system",) * 2 + ("serverInfo",)
GARBAGE = ("", "nonsense", "bnVsbA==", "W10=", "M_", "_", "é", "WyJhIiwiYiIsImMiXQ==", "W3t9XQ==")
TIMES = (
    "2026-03-04T05:06:07.5+02:00", "2026-03-03T00:00:00Z", "2026-03-02T12:00:00.000001-11:30",
    "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59Z",
)  # fmt: skip
SEARCHES = ("", "A", "ada", "%", "_", "'", '"', "\\", "people", "CAF", "два", ":p1", "$1", "🙂", "t-1", "T-1")


@dataclass(frozen=True)
class Document:
    """One operation to run."""

    text: str
    variables: dict[str, Any]
    name: str | None

    def __str__(self) -> str:
        return f"{self.text}\n{json.dumps(self.variables, ensure_ascii=False)} name={self.name!r}"


@dataclass
class Material:
    """What documents are made of: ids and times of the rows, and cursors taken from earlier answers."""

    ids: Mapping[str, Sequence[str]]
    times: Sequence[str]
    cursors: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, tables: Tables) -> "Material":
        ids = {name: [row["node_id"] for row in rows if "node_id" in row] for name, rows in tables.items()}
        return cls(ids, [row["at"].isoformat() for row in tables["audit_record"]])

    def learn(self, cursors: Sequence[tuple[str, str]]) -> None:
        for connection, cursor in cursors:
            self.cursors[connection] = [*self.cursors[connection][-40:], cursor]


class Writer:
    """Writes one document."""

    def __init__(self, schema: GraphQLSchema, rng: Random, material: Material, *, platform: bool) -> None:
        self.schema = schema
        self.rng = rng
        self.material = material
        self.platform = platform
        self.budget = rng.choice((4, 8, 14, 25))
        self.variables: dict[str, Any] = {}
        self.declared: list[str] = []
        self.fragments: list[str] = []
        self.made = 0

    def chance(self, of: float) -> bool:
        return self.rng.random() < of

    def fresh(self, letter: str) -> str:
        self.made += 1
        return f"{letter}{self.made}"

    # --- the operation ------------------------------------------------------------------------

    def document(self) -> Document:
        root = self.schema.query_type
        assert root is not None
        count = self.rng.choice((1, 1, 1, 2, 3))
        parts = [self.field(root, self._root(), depth=0) for _ in range(count)]
        if self.chance(0.1):
            parts.append("__typename")
        if self.chance(0.05):
            parts.append(self._introspection())
        self.rng.shuffle(parts)
        body = self._scattered(root, parts)
        name = self.fresh("Op") if self.chance(0.5) or self.declared else None
        operation = f"query {name}" if name else ("query" if self.chance(0.5) else "")
        if self.declared:
            operation += f"({', '.join(self.declared)})"
        texts = [f"{operation} {body}", *self.fragments]
        chosen = name if name and self.chance(0.3) else None
        if name and self.chance(0.1):
            texts.append("query Other { __typename }")
            chosen = name
        self.rng.shuffle(texts)
        if self.chance(0.05):
            self.variables["undeclared"] = self.rng.randrange(100)
        return Document("\n".join(texts), self.variables, chosen)

    def _root(self) -> str:
        return "system" if self.platform and self.chance(0.5) else self.rng.choice(ROOTS)

    def _introspection(self) -> str:
        return self.rng.choice(
            (
                "__schema { queryType { name } }",
                '__type(name: "Member") { kind name fields { name } }',
                f"__type(name: {self.given('String!', lambda: 'Role')}) {{ name interfaces {{ name }} }}",
            )
        )

    # --- selections ---------------------------------------------------------------------------

    def selections(self, kind: Any, depth: int) -> str:
        """A selection set on an object or an interface."""
        fields = dict(kind.fields)
        leaves = [name for name, each in fields.items() if is_leaf_type(get_named_type(each.type))]
        deeper = [name for name in fields if name not in leaves]
        names = self.rng.sample(leaves, min(len(leaves), self.rng.randrange(1, 4))) if leaves else []
        if deeper and self.budget > 0 and depth < 9:
            names += self.rng.choices(deeper, k=self.rng.choice((1, 1, 2)))
        elif not names:
            names = ["__typename"]
        if kind.name == "Member" and self.chance(0.3):
            names.append("viewerCan")
        parts = [self.field(kind, name, depth) for name in names]
        if self.chance(0.1):
            parts.append("__typename")
        if isinstance(kind, GraphQLInterfaceType):
            possible = self.schema.get_possible_types(kind)
            parts += [
                self._fragment(each, self.selections(each, depth + 1))
                for each in self.rng.sample(possible, self.rng.randrange(1, 5))
            ]
        self.rng.shuffle(parts)
        return self._scattered(kind, parts)

    def _scattered(self, kind: Any, parts: list[str]) -> str:
        """Some of the parts inside of fragments."""
        if len(parts) > 1 and self.chance(0.25):
            cut = self.rng.randrange(1, len(parts))
            parts = [*parts[:cut], self._fragment(kind, "{ " + " ".join(parts[cut:]) + " }")]
            if self.chance(0.3):
                parts.append(parts[0])
        return "{ " + " ".join(parts) + " }"

    def _fragment(self, kind: Any, body: str) -> str:
        on = kind.name
        node = isinstance(kind, GraphQLObjectType) and "Node" in {each.name for each in kind.interfaces}
        if node and self.chance(0.2):
            body = "{ ... on Node { ... on " + on + " " + body + " id } }"
            on = "Node" if self.chance(0.5) else on
        if self.chance(0.5):
            return f"... on {on}{self.directives()} {body}"
        name = self.fresh("F")
        self.fragments.append(f"fragment {name} on {on} {body}")
        return f"...{name}{self.directives()}"

    def field(self, kind: Any, name: str, depth: int) -> str:
        """One field with alias, arguments, directives and what is below it."""
        self.budget -= 1
        if name == "__typename":
            return name
        definition: GraphQLField = kind.fields[name]
        alias = ""
        if definition.args and self.chance(0.9):
            alias = f"{self.fresh('x')}: "
        elif self.chance(0.15):
            alias = f"{self.rng.choice(ALIASES)}: "
        arguments = self.arguments(kind, name, definition)
        text = f"{alias}{name}{arguments}{self.directives()}"
        below = self._below(definition.type, depth)
        return f"{text} {below}" if below else text

    def _below(self, type_: GraphQLOutputType, depth: int) -> str:
        named = get_named_type(type_)
        if is_leaf_type(named):
            return ""
        if named.name in {"MemberActions", "PageInfo"}:
            self.budget += 1
        return self.selections(named, depth + 1)

    def directives(self) -> str:
        if not self.chance(0.1):
            return ""
        value = self.rng.choice(("true", "false")) if self.chance(0.3) else None
        if value is None:
            value = self.given("Boolean!", lambda: self.chance(0.5))
        return f" @{self.rng.choice(('skip', 'include'))}(if: {value})"

    # --- arguments ----------------------------------------------------------------------------

    def arguments(self, kind: Any, name: str, definition: GraphQLField) -> str:
        made: list[str] = []
        if "first" in definition.args:
            made += self._paging(f"{kind.name}.{name}")
        for each, argument in definition.args.items():
            if each in {"first", "last", "after", "before"}:
                continue
            if is_required_argument(argument) or self.chance(0.5):
                made.append(f"{each}: {self.value(str(argument.type), f'{kind.name}.{name}.{each}')}")
        self.rng.shuffle(made)
        return f"({', '.join(made)})" if made else ""

    def _paging(self, connection: str) -> list[str]:
        made = []
        size = self.given("Int", lambda: self.rng.choice((1, 1, 2, 2, 3, 5, 100)), nulls=0.01)
        if self.chance(0.01):
            size = str(self.rng.choice((0, -1, 101)))
        made.append(f"{self.rng.choice(('first', 'last'))}: {size}")
        if self.chance(0.005):
            made = []
        known = self.material.cursors[connection]
        for each in ("after", "before"):
            if known and self.chance(0.3):
                made.append(f"{each}: {self.given('String', lambda: self.rng.choice(known), nulls=0.1)}")
            elif self.chance(0.01):
                made.append(f"{each}: {self.given('String', lambda: self.rng.choice(GARBAGE))}")
        return made

    def value(self, type_: str, place: str) -> str:
        """A literal or a variable for an argument."""
        bare = type_.rstrip("!")
        if bare == "[CanInput!]":
            return self._checks()
        if bare in {"MemberFilter", "AuditFilter", "MemberOrder"}:
            if self.chance(0.3):
                return self._whole(bare)
            fields = self._fields_of(bare)
            return "{" + ", ".join(f"{each}: {self.value(kind, each)}" for each, kind in fields) + "}"
        return self.given(type_, lambda: self.plain(bare, place), nulls=0.1)

    def _fields_of(self, bare: str) -> list[tuple[str, str]]:
        kind: Any = self.schema.type_map[bare]
        return [
            (name, str(each.type))
            for name, each in kind.fields.items()
            if (is_non_null_type(each.type) and each.default_value is not None and name == "field")
            or self.chance(0.5)
        ]

    def _checks(self) -> str:
        """Questions, written out or brought by a variable."""
        count = self.rng.randrange(4)
        if self.chance(0.5):
            made = (
                (self.value("Permission!", "permission"), self.value("ID", "can.on")) for _ in range(count)
            )
            return f"[{', '.join(f'{{permission: {name}, on: {on}}}' for name, on in made)}]"
        name = self.fresh("w")
        self.declared.append(f"${name}: [CanInput!]!")
        self.variables[name] = [
            {
                "permission": self.plain("Permission", "permission"),
                **({"on": self.plain("ID", "can.on")} if self.chance(0.8) else {}),
            }
            for _ in range(count)
        ]
        return f"${name}"

    def _whole(self, bare: str) -> str:
        name = self.fresh("w")
        self.declared.append(f"${name}: {bare}")
        made = {
            each: None if not kind.endswith("!") and self.chance(0.15) else self.plain(kind.rstrip("!"), each)
            for each, kind in self._fields_of(bare)
        }
        if bare == "MemberOrder":
            made["field"] = self.plain("MemberOrderField", "field")
        self._give(name, made, nulls=0.1)
        return f"${name}"

    def plain(self, bare: str, place: str) -> Any:
        """A value in JSON."""
        rng = self.rng
        kind: Any = self.schema.type_map[bare]
        if hasattr(kind, "values"):
            return rng.choice(sorted(kind.values))
        made: Mapping[str, Callable[[], Any]] = {
            "ID": lambda: self._id(place),
            "DateTime": lambda: rng.choice(TIMES if self.chance(0.4) else self.material.times),
            "Permission": lambda: rng.choice((*PERMISSIONS, "*", "no:such")),
            "Int": lambda: rng.randrange(5),
            "Boolean": lambda: self.chance(0.5),
        }
        by = {
            "action": ACTIONS,
            "operationName": ("Op", "Q_1", "x"),
            "search": SEARCHES,
            "type": (*RESOURCE_TYPES, "nothing"),
        }
        texts = next(
            (values for name, values in by.items() if place.endswith(name)), self.material.ids["member"]
        )
        return made.get(bare, lambda: rng.choice(texts))()

    def _id(self, place: str) -> str:
        rng, ids = self.rng, self.material.ids
        if self.chance(0.1):
            return rng.choice((*GARBAGE, "X_1", "M_nobody", "MM_1", "T_", "7"))
        if place.endswith("can.on") and self.chance(0.5):
            return rng.choice((*ids["resource"], *ids["team"]))
        likely = {"member.id": "member", "tenant.id": "tenant", "roleId": "role", "actorId": "user"}
        for name, table in likely.items():
            if place.endswith(name) and self.chance(0.9):
                return rng.choice(ids[table])
        return rng.choice(ids[rng.choice([name for name in ids if ids[name]])])

    def given(self, type_: str, make: Callable[[], Any], *, nulls: float = 0.0) -> str:
        """``make``'s value as a literal, or by a variable with or without a default."""
        bare = type_.rstrip("!")
        nullable = not type_.endswith("!")
        if self.chance(0.5):
            if nullable and self.chance(nulls):
                return "null"
            return self.literal(bare, make())
        name = self.fresh("v")
        if self.chance(0.3):
            self.declared.append(f"${name}: {bare} = {self.literal(bare, make())}")
            if self.chance(0.5):
                self._give(name, make(), nulls=nulls if nullable else 0)
        else:
            self.declared.append(f"${name}: {type_ if nullable or self.chance(0.9) else bare + '!'}")
            if nullable and self.chance(nulls):
                return f"${name}"  # declared, and not given
            self._give(name, make(), nulls=nulls if nullable else 0)
        return f"${name}"

    def _give(self, name: str, value: Any, *, nulls: float) -> None:
        self.variables[name] = None if self.chance(nulls) else value

    def literal(self, bare: str, value: Any) -> str:
        if hasattr(self.schema.type_map[bare], "values"):
            return str(value)
        return json.dumps(value, ensure_ascii=self.chance(0.2) and str(value).isascii())
