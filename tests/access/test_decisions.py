"""Decisions as a table of yes and no, and what a refusal tells the client."""

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tenantry.access.decisions import ALLOWED, Decision, decide, holds, missing, narrowed, refusal
from tenantry.access.rules import Rule, RuleKind, authenticated, fresh, public, requires, roles
from tenantry.kernel.errors import ErrorCode
from tenantry.kernel.principal import Authority, Scope

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("decisions.yaml").read_text())

names = st.sampled_from(["a:b", "c:d", "e:f", "g:h", "*"])


def authority(permissions: Iterable[str] = (), scope: Scope = Scope.TENANT) -> Authority:
    key = UUID(int=1)
    return Authority(
        session_id=key,
        user_id=key,
        member_id=key,
        tenant_id=key,
        user="U_1",
        member="M_1",
        tenant="T_1",
        scope=scope,
        permissions=frozenset(permissions),
        roles=("agent",),
        is_owner=False,
        member_version=1,
        tenant_version=1,
    )


def caller_of(said: dict[str, Any]) -> Authority:
    made = authority(said.get("holds", ()), Scope(said["scope"]))
    changes = {name: said[name] for name in ("key", "awaits_factor") if name in said}
    return replace(made, roles=tuple(said.get("roles", made.roles)), **changes)


def rule_of(said: dict[str, Any]) -> Rule:
    scope = Scope(said["scope"]) if "scope" in said else None
    if "roles" in said:
        return roles(*said["roles"], scope=scope)
    if said.get("kind") == RuleKind.SCOPES:
        return Rule(RuleKind.SCOPES, scope=scope)
    if "any_of" in said:
        return requires(*map(frozenset, said["any_of"]), scope=scope, freshness=said.get("freshness"))
    return public() if said["kind"] == RuleKind.PUBLIC else authenticated(scope)


@pytest.mark.requirement("000-15", "001-15", "001-18", "001-29", "004-05", "004-10", "004-11")
@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_table(case: dict[str, Any]) -> None:
    said = case["caller"]
    caller = None if said is None else caller_of(said)
    decision = decide(rule_of(case["rule"]), caller, case.get("factor_age"))
    assert decision.allowed is case.get("allowed", False)
    assert decision.code == case.get("refused")
    assert decision.permission == case.get("permission")
    assert (decision.reason is None) is decision.allowed


@given(st.lists(st.frozensets(names, min_size=1), min_size=1), st.frozensets(names))
def test_decision_agrees_with_its_definition(any_of: list[frozenset[str]], held: frozenset[str]) -> None:
    decision = decide(requires(*any_of), authority(held))
    assert decision.allowed is any(all(holds(held, each) for each in wanted) for wanted in any_of)
    if not decision.allowed:
        assert decision.permission is not None
        assert not holds(held, decision.permission)
        assert any(decision.permission in wanted for wanted in any_of)


@given(st.lists(st.frozensets(names, min_size=1), min_size=1), st.frozensets(names), st.frozensets(names))
def test_more_permissions_never_refuse(
    any_of: list[frozenset[str]], held: frozenset[str], more: frozenset[str]
) -> None:
    rule = requires(*any_of)
    assert decide(rule, authority(held | more)).allowed >= decide(rule, authority(held)).allowed


def test_holds_by_name_or_by_everything() -> None:
    assert holds(frozenset({"a:b"}), "a:b")
    assert holds(frozenset({"*"}), "a:b")
    assert not holds(frozenset({"a:b"}), "a:c")


@pytest.mark.parametrize(
    ("held", "wanted", "lacking"),
    [
        ({"a:b", "c:d"}, ["a:b"], set()),
        ({"a:b"}, ["a:b", "c:d"], {"c:d"}),
        ({"a:b"}, [], set()),
        ({"a:b"}, ["*"], {"*"}),
        ({"*"}, ["a:b", "*"], set()),
        (set(), ["a:b"], {"a:b"}),
    ],
)
def test_no_one_grants_what_they_do_not_hold(held: set[str], wanted: list[str], lacking: set[str]) -> None:
    assert missing(frozenset(held), wanted) == lacking


@pytest.mark.parametrize(
    ("rule", "caller", "code", "extensions"),
    [
        (authenticated(), None, ErrorCode.UNAUTHENTICATED, {"reason": "MISSING"}),
        (authenticated(Scope.SYSTEM), authority(), ErrorCode.SCOPE_MISMATCH, {"required": "SYSTEM"}),
        (requires("a:b"), authority(), ErrorCode.FORBIDDEN, {"permission": "a:b"}),
        (requires("a:b", freshness=9), authority(["a:b"]), ErrorCode.STEP_UP_REQUIRED, {"freshness": 9}),
    ],
)
def test_refusal_tells_code_and_facts(
    rule: Rule, caller: Authority | None, code: ErrorCode, extensions: dict[str, object]
) -> None:
    error = refusal(decide(rule, caller))
    assert error.code == code
    assert error.extensions() == extensions


def test_an_allowed_decision_has_no_refusal() -> None:
    with pytest.raises(ValueError, match="no refusal"):
        refusal(ALLOWED)
    assert Decision(allowed=True) == ALLOWED


def test_allowed_case_is_cheap() -> None:
    rule, caller = requires("member:read", scope=Scope.TENANT), authority(["member:read"])
    rounds = 20_000
    fastest = min(_seconds(rule, caller, rounds) for _ in range(5))
    assert fastest / rounds < 5e-6, "a decision runs once for each operation; keep it below microseconds"


def _seconds(rule: Rule, caller: Authority, rounds: int) -> float:
    begun = time.perf_counter()
    for _ in range(rounds):
        decide(rule, caller)
    return time.perf_counter() - begun


@pytest.mark.parametrize(
    ("held", "to", "left"),
    [
        ({"a:b", "c:d"}, {"a:b", "e:f"}, {"a:b"}),
        ({"*"}, {"a:b"}, {"a:b"}),
        ({"a:b"}, {"*"}, {"a:b"}),
        ({"*"}, {"*"}, {"*"}),
        (set(), {"*"}, set()),
        ({"a:b"}, set(), set()),
    ],
)
def test_a_key_holds_what_it_names_of_what_its_issuer_holds(held, to, left) -> None:
    assert narrowed(frozenset(held), frozenset(to)) == left


@given(st.frozensets(names), st.frozensets(names))
def test_a_key_never_holds_more_than_its_issuer_or_than_it_names(held, to) -> None:
    left = narrowed(held, to)
    for permission in ("a:b", "c:d", "e:f", "g:h"):
        assert holds(left, permission) <= holds(held, permission)
        assert holds(left, permission) <= holds(to, permission)


def test_who_is_asked_for_a_factor_and_has_none_is_told_so_and_not_what_they_lack() -> None:
    waiting = replace(authority([]), awaits_factor=True)
    refused = decide(requires("a:b"), waiting)
    assert (refused.allowed, refused.code, refused.permission) == (False, ErrorCode.STEP_UP_REQUIRED, None)
    assert refusal(refused).extensions() == {"freshness": None}
    assert decide(authenticated(), waiting).allowed


def test_a_rule_for_a_fresh_factor_alone_takes_no_permission() -> None:
    for age, allowed in ((None, False), (301, False), (300, True), (0, True)):
        assert decide(fresh(), authority([]), age).allowed is allowed
    assert not decide(fresh(), None, 0).allowed
