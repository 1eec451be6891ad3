"""vakt: one policy for each permission and condition, in memory, checked by rules."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from vakt import ALLOW_ACCESS, Guard, Inquiry, MemoryStorage, Policy, RulesChecker
from vakt.rules import Any as Anything
from vakt.rules import AnyIn, Eq, In, LessOrEqual, SubjectMatch
from vakt.rules.base import Rule

from benchmarks.decisions.policy import ASKED, CONDITIONAL, HELD, PLAIN, Question

# It tells of every decision; whoever wants it fast turns that off.
logging.disable(logging.CRITICAL)


class OfTheirs(Rule):
    """Whether the value is one of the subject's teams: vakt has no such rule."""

    def satisfied(self, what: object, inquiry: Any = None) -> bool:
        return what in inquiry.subject["teams"]


CONDITIONS: Mapping[str, Any] = {
    "always": Anything(),
    "own": {"owner": SubjectMatch("id")},
    "own_team": {"team": OfTheirs()},
    "own_open": {"owner": SubjectMatch("id"), "state": Eq("open")},
    "short": {"seconds": LessOrEqual(60)},
    "european": {"region": In("DE", "FR", "IT")},
}


def _policies(kind: str) -> dict[tuple[str, str], list[str]]:
    """By permission and condition the roles that hold it so."""
    if kind == "plain":
        return {(name, "always"): [role for role, held in HELD.items() if name in held] for name in PLAIN}
    found: dict[tuple[str, str], list[str]] = {}
    for permission, under in CONDITIONAL.items():
        for role, name in under.items():
            found.setdefault((permission, name), []).append(role)
    return found


def _inquiry(question: Question) -> Inquiry:
    subject, thing = question.subject, question.thing
    about = {} if thing is None else {name: getattr(thing, name) for name in thing.__slots__}
    asker = {"id": subject.id, "roles": list(subject.roles), "teams": subject.teams}
    return Inquiry(action=question.permission, subject=asker, resource=about)


def prepare(kind: str) -> Callable[[int, int], list[bool]]:
    """A function that answers a range of the questions."""
    storage = MemoryStorage()
    for number, ((permission, name), roles) in enumerate(_policies(kind).items()):
        storage.add(
            Policy(
                number,
                actions=[Eq(permission)],
                subjects=[{"roles": AnyIn(*roles)}],
                resources=[CONDITIONS[name]],
                effect=ALLOW_ACCESS,
            )
        )
    guard = Guard(storage, RulesChecker())
    asked = [_inquiry(question) for question in ASKED[kind]]
    return lambda start, stop: [guard.is_allowed(each) for each in asked[start:stop]]
