"""Cedar by cedarpy: policies and entities parsed once, one question a call."""

import json
from collections.abc import Callable
from typing import Any

from cedarpy import Entities, PolicySet, is_authorized

from benchmarks.decisions.policy import ASKED, CONDITIONAL, HELD, SHARES, SUBJECTS, THINGS, Question

CONDITIONS = {
    "always": "true",
    "own": "resource.owner == principal",
    "own_team": "principal.teams.contains(resource.team)",
    "own_open": 'resource.owner == principal && resource.state == "open"',
    "short": "resource.seconds <= 60",
    "european": '["DE", "FR", "IT"].contains(resource.region)',
}


def _named(type_: str, id_: object) -> dict[str, str]:
    return {"type": type_, "id": str(id_)}


def _policies(kind: str) -> str:
    if kind == "plain":
        return "\n".join(
            f'permit (principal in Role::"{role}", action in [{_actions(held)}], resource);'
            for role, held in HELD.items()
        )
    return "\n".join(
        f'permit (principal in Role::"{role}", action == Action::"{permission}", resource)'
        f" when {{ {CONDITIONS[name]} }};"
        for permission, under in CONDITIONAL.items()
        for role, name in under.items()
    )


def _actions(held: frozenset[str]) -> str:
    return ", ".join(f'Action::"{permission}"' for permission in sorted(held))


def _entities() -> list[dict[str, Any]]:
    roles = [{"uid": _named("Role", role), "attrs": {}, "parents": []} for role in SHARES]
    people = [
        {
            "uid": _named("User", subject.id),
            "attrs": {"teams": sorted(subject.teams)},
            "parents": [_named("Role", role) for role in subject.roles],
        }
        for subject in SUBJECTS
    ]
    things = [
        {
            "uid": _named("Thing", thing.id),
            "attrs": {
                "owner": {"__entity": _named("User", thing.owner)},
                "team": thing.team,
                "state": thing.state,
                "seconds": thing.seconds,
                "region": thing.region,
            },
            "parents": [],
        }
        for thing in THINGS
    ]
    return roles + people + things


def _request(question: Question) -> dict[str, Any]:
    return {
        "principal": _named("User", question.subject.id),
        "action": _named("Action", question.permission),
        "resource": _named("Thing", 0 if question.thing is None else question.thing.id),
    }


def prepare(kind: str) -> Callable[[int, int], list[bool]]:
    """A function that answers a range of the questions."""
    policies = PolicySet.from_str(_policies(kind))
    entities = Entities.from_json_str(json.dumps(_entities()))
    asked = [_request(question) for question in ASKED[kind]]
    return lambda start, stop: [is_authorized(each, policies, entities).allowed for each in asked[start:stop]]
