"""pycasbin: its fast enforcer with an index by domain and action, roles by ``g``, conditions by ``eval``."""

import logging
from collections.abc import Callable
from typing import Any

import casbin
from casbin import persist
from casbin.model import FastModel

from benchmarks.decisions.policy import ASKED, CONDITIONAL, HELD, SUBJECTS, Question

MODEL = """
[request_definition]
r = sub, dom, act{more}
[policy_definition]
p = sub, dom, act{rule}
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && g(r.sub{id}, p.sub){eval}
"""
DOMAIN = "t"
"""The index asks for two columns."""
CONDITIONS = {
    "always": "True",
    "own": "r.obj.owner == r.sub.id",
    "own_team": "r.obj.team in r.sub.teams",
    "own_open": "r.obj.owner == r.sub.id and r.obj.state == 'open'",
    "short": "r.obj.seconds <= 60",
    "european": "r.obj.region == 'DE' or r.obj.region == 'FR' or r.obj.region == 'IT'",
}

# It tells of every decision; whoever wants it fast turns that off.
logging.disable(logging.CRITICAL)


class Asker:
    """Somebody, as the matchers see them."""

    def __init__(self, question: Question) -> None:
        self.id = str(question.subject.id)
        self.teams = question.subject.teams


class Asked:
    """Something, as the matchers see it."""

    def __init__(self, question: Question) -> None:
        if question.thing is None:
            raise ValueError("a condition is about something")
        self.owner = str(question.thing.owner)
        self.team = question.thing.team
        self.state = question.thing.state
        self.seconds = question.thing.seconds
        self.region = question.thing.region


class Policies(persist.Adapter):
    """The policy's lines."""

    def __init__(self, lines: list[tuple[str, ...]]) -> None:
        self.lines = lines

    def load_policy(self, model: Any) -> None:
        for line in self.lines:
            model.add_policy(line[0][0], line[0], list(line[1:]))


def prepare(kind: str) -> Callable[[int, int], list[bool]]:
    """A function that answers a range of the questions."""
    roles = [("g", str(subject.id), role) for subject in SUBJECTS for role in subject.roles]
    if kind == "plain":
        lines = [("p", role, DOMAIN, permission) for role, held in HELD.items() for permission in held]
        text = MODEL.format(more="", rule="", id="", eval="")
        asked: list[tuple[Any, ...]] = [
            (str(each.subject.id), DOMAIN, each.permission) for each in ASKED[kind]
        ]
    else:
        lines = [
            ("p", role, DOMAIN, permission, CONDITIONS[name])
            for permission, under in CONDITIONAL.items()
            for role, name in under.items()
        ]
        text = MODEL.format(more=", obj", rule=", rule", id=".id", eval=" && eval(p.rule)")
        asked = [(Asker(each), DOMAIN, each.permission, Asked(each)) for each in ASKED[kind]]
    model = FastModel([1, 2])
    model.load_model_from_text(text)
    enforcer = casbin.FastEnforcer(model, Policies(lines + roles), cache_key_order=[1, 2])
    return lambda start, stop: [enforcer.enforce(*each) for each in asked[start:stop]]
