"""A blueprint's types of objects, and the permission in front of each thing that can be done with one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tenantry.access.conditions import Condition, parse_condition
from tenantry.access.grants import Holder, condition_of
from tenantry.access.predicates import ALWAYS, NEVER, all_of, any_of

NARROWED: Mapping[str, Condition] = MappingProxyType(
    {"": ALWAYS, "own": parse_condition("own"), "own_team": parse_condition("own_team")}
)
"""What each word asks of an object; "" asks nothing."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Which permission opens all objects of a type, those of one's teams, or one's own; either will do."""

    any: str | None = None
    own_team: str | None = None
    own: str | None = None

    @property
    def permission(self) -> str:
        """The one that opens all, or else the widest there is: what a refusal names."""
        return self.any or self.own_team or self.own or ""

    @property
    def ways(self) -> Iterator[tuple[str, str]]:
        """Each permission that is named, and of which objects it opens: a word of conditions, "" for all."""
        named = ((self.any, ""), (self.own_team, "own_team"), (self.own, "own"))
        yield from ((name, word) for name, word in named if name is not None)

    def condition(self, holder: Holder) -> Condition:
        """What must hold of an object for them to pass: always, never, or what is asked of each."""
        return any_of([all_of([NARROWED[word], condition_of(holder, name)]) for name, word in self.ways])


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One type: its JSON Schema, its states (the first is where an object begins), its gates."""

    name: str
    title: str
    schema: Mapping[str, Any]
    states: tuple[str, ...]
    gates: Mapping[str, Gate]
    """Of ``read``, ``create``, ``update`` and ``delete``, where the blueprint has one."""
    actions: Mapping[str, Gate]
    personal: bool = False
    """Whether what somebody wrote stays theirs when they leave."""

    def readable(self, holder: Holder) -> Condition:
        """What must hold of an object for them to see it."""
        gate = self.gates.get("read")
        return NEVER if gate is None else gate.condition(holder)

    def narrowing(self, permission: str) -> tuple[str, ...]:
        """Of which objects a permission opens anything, as conditions, where it stands for some only.

        Where it stands for some in one place and for all in another, the narrower counts: a yes about
        an object is one in every place.
        """
        gates = [gate for verb, gate in self.gates.items() if verb != "create"]
        named = [
            {word for name, word in gate.ways if name == permission}
            for gate in (*gates, *self.actions.values())
        ]
        return tuple(sorted({" or ".join(sorted(words)) for words in named if words and "" not in words}))


@dataclass(frozen=True, slots=True)
class ResourceTypes:
    """All types of one blueprint by name; ``digest`` names exactly these."""

    digest: str | None = None
    known: Mapping[str, ResourceType] = field(default_factory=lambda: MappingProxyType({}))

    def __iter__(self) -> Iterator[ResourceType]:
        return iter(self.known.values())

    def get(self, name: str) -> ResourceType | None:
        """The type of that name."""
        return self.known.get(name)


NO_TYPES = ResourceTypes()


def read_types(digest: str, entries: Iterable[Mapping[str, Any]]) -> ResourceTypes:
    """The types as a blueprint's stored body has them."""
    return ResourceTypes(digest, MappingProxyType({entry["type"]: _type(entry) for entry in entries}))


def _type(entry: Mapping[str, Any]) -> ResourceType:
    actions: Mapping[str, Any] = entry.get("actions") or {}
    verbs = {verb: entry.get(verb) for verb in ("read", "create", "update", "delete")}
    return ResourceType(
        name=entry["type"],
        title=entry.get("title") or entry["type"],
        schema=entry.get("attributes") or {},
        states=tuple(entry.get("states") or ()),
        gates={verb: Gate(**gate) for verb, gate in verbs.items() if gate is not None},
        actions={name: Gate(**gate) for name, gate in actions.items()},
        personal=bool(entry.get("personal")),
    )
