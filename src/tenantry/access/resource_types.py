"""A blueprint's types of objects, and the permission in front of each thing that can be done with one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tenantry.access.conditions import Condition, parse_condition
from tenantry.access.grants import condition_of
from tenantry.access.predicates import ALWAYS, all_of, any_of
from tenantry.kernel.principal import Authority

OWN = parse_condition("own")
OWN_TEAM = parse_condition("own_team")


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

    def condition(self, authority: Authority) -> Condition:
        """What must hold of an object for the caller to pass: always, never, or what is asked of each."""
        ways = [(self.any, ALWAYS), (self.own_team, OWN_TEAM), (self.own, OWN)]
        return any_of(
            [all_of([narrowed, condition_of(authority, name)]) for name, narrowed in ways if name is not None]
        )


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
