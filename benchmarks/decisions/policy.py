"""The policy that every engine is given, the questions, and the right answers, worked out by hand.

Plain Python, since each engine runs in a process of its own, and those of the peers hold nothing of ours.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

QUESTIONS = 2_000
OBJECTS = (
    "call",
    "contact",
    "export",
    "flow",
    "invoice",
    "lead",
    "model",
    "note",
    "queue",
    "report",
    "team",
    "ticket",
)
VERBS = ("create", "read", "update", "delete")
PLAIN = tuple(f"{name}:{verb}" for name in OBJECTS for verb in VERBS)
SHARES = {"owner": 1.0, "admin": 0.9, "manager": 0.7, "supervisor": 0.5, "agent": 0.3, "guest": 0.1}
"""Of the plain permissions, what each role holds."""
CONDITIONAL: Mapping[str, Mapping[str, str]] = {
    "call:monitor": {"owner": "always", "manager": "always", "supervisor": "own_team"},
    "call:barge": {"owner": "always", "supervisor": "own_team"},
    "recording:listen": {"owner": "always", "manager": "short", "agent": "own"},
    "note:edit": {"admin": "always", "agent": "own_open", "guest": "own_open"},
    "lead:view": {"manager": "european", "supervisor": "own_team", "agent": "own"},
}
"""By permission, the roles that hold it, and under which condition."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks."""

    id: int
    roles: tuple[str, ...]
    teams: frozenset[int]


@dataclass(frozen=True, slots=True)
class Thing:
    """What is asked about."""

    id: int
    owner: int
    team: int
    state: str
    seconds: int
    region: str


@dataclass(frozen=True, slots=True)
class Question:
    """May they? ``thing`` is None where the answer does not depend on any."""

    subject: Subject
    permission: str
    thing: Thing | None = None


MEANING: Mapping[str, Callable[[Subject, Thing], bool]] = {
    "always": lambda subject, thing: True,  # noqa: ARG005 - as the others
    "own": lambda subject, thing: thing.owner == subject.id,
    "own_team": lambda subject, thing: thing.team in subject.teams,
    "own_open": lambda subject, thing: thing.owner == subject.id and thing.state == "open",
    "short": lambda subject, thing: subject is not None and thing.seconds <= 60,
    "european": lambda subject, thing: subject is not None and thing.region in {"DE", "FR", "IT"},
}

_random = random.Random(20_261_126)
HELD: Mapping[str, frozenset[str]] = {
    role: frozenset(_random.sample(PLAIN, round(share * len(PLAIN)))) for role, share in SHARES.items()
}
SUBJECTS = tuple(
    Subject(
        number,
        tuple(sorted(_random.sample(list(SHARES), _random.choice([1, 1, 2])))),
        frozenset(_random.sample(range(20), _random.choice([0, 1, 3]))),
    )
    for number in range(200)
)
THINGS = tuple(
    Thing(
        number,
        _random.randrange(len(SUBJECTS)),
        _random.randrange(20),
        _random.choice(["open", "closed"]),
        _random.randrange(120),
        _random.choice(["DE", "FR", "US", "JP"]),
    )
    for number in range(500)
)


def _about_one() -> Question:
    """A question that depends: somebody holds the permission, and under conditions only."""
    while True:
        subject, thing = _random.choice(SUBJECTS), _random.choice(THINGS)
        if _random.random() < 0.5:
            # As often as not somebody's own: left to chance, hardly any would be.
            subject = SUBJECTS[thing.owner]
        permission = _random.choice(list(CONDITIONAL))
        under = {CONDITIONAL[permission][role] for role in subject.roles if role in CONDITIONAL[permission]}
        if under and "always" not in under:
            return Question(subject, permission, thing)


ASKED: Mapping[str, tuple[Question, ...]] = {
    "plain": tuple(Question(_random.choice(SUBJECTS), _random.choice(PLAIN)) for _ in range(QUESTIONS)),
    "conditional": tuple(_about_one() for _ in range(QUESTIONS)),
}


def right(question: Question) -> bool:
    """The answer, without any engine."""
    if question.thing is None:
        return any(question.permission in HELD[role] for role in question.subject.roles)
    under = CONDITIONAL[question.permission]
    return any(
        MEANING[under[role]](question.subject, question.thing)
        for role in question.subject.roles
        if role in under
    )
