"""What of a tenant's resources a caller may see and do, for the reference: said once more, and plainly."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.api.planner.sight import Place, Who

Row = dict[str, Any]

RESOURCE_TYPES = ("call", "call", "ticket", "ticket", "recording", "extension")
CONDITIONS: Mapping[str, Callable[["Who", Row], bool]] = {
    "own": lambda who, row: row["owner_id"] is not None and row["owner_id"] == who.session["user_id"],
    "not own": lambda who, row: row["owner_id"] is None or row["owner_id"] != who.session["user_id"],
    "own_team": lambda who, row: row["team_id"] in who.teams,
    "resource.state == 'open'": lambda _, row: row["state"] == "open",
    "resource.attributes.seconds <= 60": lambda _, row: _number(row, "seconds", lambda value: value <= 60),
    "resource.attributes.vip and tenant.plan == 'gold'": lambda who, row: (
        row["attributes"].get("vip") is True and who.tenant["plan"] == "gold"
    ),
    "resource.attributes.region in ['EU', 'US'] or subject.is_owner": lambda who, row: (
        who.member["is_owner"] or row["attributes"].get("region") in {"EU", "US"}
    ),
}
"""What conditions mean, by their text."""
CONDITIONAL = (
    "call:read",
    "call:monitor",
    "ticket:read",
    "ticket:update",
    "ticket:archive",
    "recording:listen",
    "team:read",
)


def some_conditional(rng: Random) -> list[str]:
    """Of a role: mostly nothing."""
    many = rng.choice((0, 0, 1, 2))
    return sorted({f"{rng.choice(CONDITIONAL)} when {rng.choice(sorted(CONDITIONS))}" for _ in range(many)})


def some_attributes(rng: Random) -> dict[str, Any]:
    """Of any shape: the schema is looked at when they are written, not when they are read."""
    made: dict[str, Any] = {}
    for name, values in (
        ("seconds", (1, 60, 60.5, "60", None)),
        ("vip", (True, False, "true")),
        ("region", ("EU", "APAC", 7)),
    ):
        if rng.random() < 0.6:
            made[name] = rng.choice(values)
    return made


def type_of(blueprints: Sequence[Row], who: "Who", name: str) -> Row | None:
    """The type of that name in the caller's own blueprint."""
    body = next(
        (row["body"] for row in blueprints if row["key"] == who.tenant.get("blueprint")), {"resources": []}
    )
    return next((each for each in body["resources"] if each["type"] == name), None)


def ways(who: "Who", gate: Mapping[str, str | None] | None) -> list[Callable[[Row], bool]]:
    """What lets the caller through a gate; none where nothing ever does."""
    found: list[Callable[[Row], bool]] = []
    for narrowed, name in (gate or {}).items():
        held = [condition for condition in CONDITIONS if f"{name} when {condition}" in who.conditional]
        if name is not None and name in who.permissions:
            found.append(_narrowed(who, narrowed))
        elif name is not None:
            found += [_both(_narrowed(who, narrowed), who, each) for each in held]
    return found


def may(place: "Place", row: Row, verb: str) -> bool:
    """Whether the caller may do one of read, update, delete."""
    kind = type_of(place.sight.tables["blueprint"], place.sight.who, row["type"]) or {}
    return _let(place, row, kind.get(verb))


def sees_team(place: "Place", row: Row) -> bool:
    """Whether the caller sees a team: one of their own, or by `team:read`."""
    who = place.sight.who
    return (
        bool({"*", "team:read"} & who.permissions)
        or row["id"] in who.teams
        or holds_of_team(who, row, "team:read")
    )


def holds_of_team(who: "Who", row: Row, permission: str) -> bool:
    """Whether a permission that is held under conditions is held of a team."""
    as_object = {"team_id": row["id"], "owner_id": None, "state": None, "attributes": {}}
    named = [condition for condition in CONDITIONS if f"{permission} when {condition}" in who.conditional]
    return any(CONDITIONS[condition](who, as_object) for condition in named)


def actions(place: "Place", row: Row) -> list[Row]:
    """What can be done with an object, by the caller's blueprint."""
    kind = type_of(place.sight.tables["blueprint"], place.sight.who, row["type"]) or {"actions": {}}
    return [
        {
            "name": name,
            "permission": gate["any"] or gate["own_team"] or gate["own"],
            "allowed": _let(place, row, gate),
        }
        for name, gate in kind["actions"].items()
    ]


def holds(place: "Place", row: Row, permission: str) -> bool:
    """Whether a permission is held of one object: under its condition, and where it opens anything at all."""
    who = place.sight.who
    kind = type_of(place.sight.tables["blueprint"], who, row["type"]) or {"actions": {}}
    gates = [kind.get("read"), kind.get("update"), kind.get("delete"), *kind["actions"].values()]
    named = [{word for word, name in (gate or {}).items() if name == permission} for gate in gates]
    narrow = [words for words in named if words and "any" not in words]
    plain = bool(who.permissions & {"*", permission})
    under = [condition for condition in CONDITIONS if f"{permission} when {condition}" in who.conditional]
    return all(any(CONDITIONS[word](who, row) for word in words) for words in narrow) and (
        plain or any(CONDITIONS[condition](who, row) for condition in under)
    )


def regardless(who: "Who", permission: str) -> bool:
    """Whether a condition holds whatever the object: of these, one may."""
    owners = "resource.attributes.region in ['EU', 'US'] or subject.is_owner"
    return f"{permission} when {owners}" in who.conditional and bool(who.member["is_owner"])


def _let(place: "Place", row: Row, gate: Mapping[str, str | None] | None) -> bool:
    who = place.sight.who
    if row["is_personal"] and not CONDITIONS["own"](who, row):
        return False
    return "*" in who.permissions or any(way(row) for way in ways(who, gate))


def _narrowed(who: "Who", narrowed: str) -> Callable[[Row], bool]:
    return {
        "any": lambda _: True,
        "own": lambda row: CONDITIONS["own"](who, row),
        "own_team": lambda row: CONDITIONS["own_team"](who, row),
    }[narrowed]


def _both(first: Callable[[Row], bool], who: "Who", condition: str) -> Callable[[Row], bool]:
    return lambda row: first(row) and CONDITIONS[condition](who, row)


def _number(row: Row, name: str, test: Callable[[float], bool]) -> bool:
    value = row["attributes"].get(name)
    return isinstance(value, int | float) and not isinstance(value, bool) and test(value)
