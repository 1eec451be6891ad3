"""Tenantry: ``decide`` for what is held plainly, the caller's condition and ``holds`` for what depends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from benchmarks.decisions.policy import ASKED, CONDITIONAL, HELD, SUBJECTS, Question, Subject, Thing
from tenantry.access.decisions import decide
from tenantry.access.facts import about, asked_by
from tenantry.access.grants import condition_of
from tenantry.access.predicates import ALWAYS, Facts, holds
from tenantry.access.rules import requires
from tenantry.kernel.principal import Authority, Scope

CONDITIONS = {
    "own": "own",
    "own_team": "own_team",
    "own_open": "own and resource.state == 'open'",
    "short": "resource.attributes.seconds <= 60",
    "european": "resource.attributes.region in ['DE', 'FR', 'IT']",
}


@dataclass
class Row:
    """An object as the service would have read it."""

    type: str
    state: str
    owner_id: UUID | None
    team_id: UUID | None
    attributes: dict[str, Any]


def _authority(subject: Subject) -> Authority:
    """As it is kept for a session: roles are closed when it is read from the database."""
    key = UUID(int=subject.id)
    held = [
        (permission, under[role])
        for permission, under in CONDITIONAL.items()
        for role in subject.roles
        if role in under
    ]
    plain = {permission for permission, name in held if name == "always"}
    return Authority(
        session_id=key,
        user_id=key,
        member_id=key,
        tenant_id=key,
        user="U_1",
        member="M_1",
        tenant="T_1",
        scope=Scope.TENANT,
        permissions=frozenset(plain).union(*(HELD[role] for role in subject.roles)),
        roles=subject.roles,
        is_owner=False,
        member_version=1,
        tenant_version=1,
        conditional={
            permission: frozenset(CONDITIONS[name] for other, name in held if other == permission)
            for permission, _ in held
            if permission not in plain
        },
    )


def _row(thing: Thing) -> Row:
    attributes = {"seconds": thing.seconds, "region": thing.region}
    return Row("call", thing.state, UUID(int=thing.owner), UUID(int=thing.team), attributes)


def prepare(kind: str) -> Callable[[int, int], list[bool]]:
    """A function that answers a range of the questions; ``gathered`` makes the facts each time, too."""
    questions = ASKED["plain" if kind == "plain" else "conditional"]
    authorities = {subject.id: _authority(subject) for subject in SUBJECTS}
    if kind == "plain":
        rules = {question.permission: requires(question.permission) for question in questions}
        pairs = [(rules[question.permission], authorities[question.subject.id]) for question in questions]
        return lambda start, stop: [decide(rule, held).allowed for rule, held in pairs[start:stop]]
    asked = [_about(question, authorities, gathered=kind == "gathered") for question in questions]
    return lambda start, stop: [_may(*each) for each in asked[start:stop]]


def _may(authority: Authority, permission: str, facts: Callable[[], Facts]) -> bool:
    """As the services decide (``directory.resources.service``)."""
    condition = condition_of(authority, permission)
    return condition == ALWAYS or holds(condition, facts())


def _about(
    question: Question, authorities: dict[int, Authority], *, gathered: bool
) -> tuple[Authority, str, Callable[[], Facts]]:
    if question.thing is None:
        raise ValueError("a condition is about something")
    authority, row = authorities[question.subject.id], _row(question.thing)
    teams = frozenset(UUID(int=team) for team in question.subject.teams)
    asked = {**asked_by(authority, None), "subject.teams": teams}
    facts = {**asked, **about(row)}
    return (
        authority,
        question.permission,
        (lambda: {**asked, **about(row)}) if gathered else lambda: facts,
    )
