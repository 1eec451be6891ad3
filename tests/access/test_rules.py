"""Rules: what can be declared, what is refused where it is written, and how it reads."""

from collections.abc import Callable
from itertools import permutations

import pytest

from tenantry.access.permissions import BuiltIn, InvalidPermission
from tenantry.access.rules import (
    InvalidRule,
    Rule,
    RuleKind,
    authenticated,
    public,
    requires,
    roles,
    scopes,
    sentence,
)
from tenantry.kernel.principal import Scope


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (public(), "Open to everyone."),
        (authenticated(), "Signed-in callers only."),
        (authenticated(Scope.SYSTEM), "Signed-in callers with a platform token only."),
        (authenticated(Scope.TENANT), "Signed-in callers with a tenant token only."),
        (scopes(Scope.TENANT), "Signed-in callers with a tenant token only."),
        (roles("SYSTEM_SUPER_ADMIN"), "Requires a platform token and the role `SUPER_ADMIN`."),
        (roles("b", "a", scope=Scope.TENANT), "Requires a tenant token and one of the roles `a`, `b`."),
        (requires(BuiltIn.MEMBER_READ), "Requires `member:read`."),
        (requires({"b:b", "a:a"}), "Requires `a:a` and `b:b`."),
        (requires({"b:b", "a:a"}, "c:c"), "Requires `a:a` and `b:b`, or `c:c`."),
        (requires("tenant:create", scope=Scope.SYSTEM), "Requires a platform token and `tenant:create`."),
        (
            requires({"a:a"}, {"b:b"}, scope=Scope.TENANT),
            "Requires a tenant token, and either `a:a`, or `b:b`.",
        ),
        (requires("a:a", freshness=300), "Requires `a:a` and a second factor of the last 300 s."),
        (
            requires({"a:a"}, {"b:b"}, scope=Scope.SYSTEM, freshness=60),
            "Requires a platform token and a second factor of the last 60 s, and either `a:a`, or `b:b`.",
        ),
    ],
)
def test_sentence(rule: Rule, expected: str) -> None:
    assert sentence(rule) == expected


def test_sentence_does_not_depend_on_the_order_of_a_set() -> None:
    spelled = {sentence(requires(order)) for order in permutations(["a:a", "b:b", "c:c"])}
    assert spelled == {"Requires `a:a` and `b:b` and `c:c`."}


def test_alternatives_keep_their_order_and_are_plain_texts() -> None:
    rule = requires({BuiltIn.MEMBER_READ, "a:b"}, "c:d")
    assert rule.any_of == (frozenset({"member:read", "a:b"}), frozenset({"c:d"}))
    assert {type(name) for each in rule.any_of for name in each} == {str}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (requires, "at least one permission"),
        (lambda: requires(set()), "at least one permission"),
        (lambda: requires({"a:b"}, set()), "at least one permission"),
        (lambda: requires("a:b", "c:d"), "for both, or"),
        (lambda: requires("a:b", freshness=0), "at least 1"),
        (lambda: Rule(RuleKind.PUBLIC, scope=Scope.TENANT), "no scope"),
        (lambda: Rule(RuleKind.PUBLIC, (frozenset({"a:b"}),)), "neither permissions nor freshness"),
        (lambda: Rule(RuleKind.AUTHENTICATED, freshness=5), "neither permissions nor freshness"),
        (lambda: Rule(RuleKind.REQUIRES), "at least one permission"),
        (lambda: Rule(RuleKind.SCOPES), "has a scope"),
        (lambda: Rule(RuleKind.ROLES, roles=frozenset({"a"})), "has a scope"),
        (lambda: Rule(RuleKind.ROLES, scope=Scope.TENANT), "names roles"),
        (lambda: Rule(RuleKind.SCOPES, scope=Scope.TENANT, roles=frozenset({"a"})), "no other does"),
        (lambda: Rule(RuleKind.ROLES, freshness=5, scope=Scope.TENANT, roles=frozenset({"a"})), "neither"),
        (roles, "at least one role"),
        (lambda: roles("ADMIN"), "say the scope of 'ADMIN'"),
        (lambda: roles("SUPER_ADMIN"), "say the scope"),
        (lambda: roles("TENANT_"), "say the scope"),
        (lambda: roles("TENANT_ADMIN", "SYSTEM_ADMIN"), "of one scope"),
    ],
)
def test_misuse_fails_where_it_is_written(make: Callable[[], Rule], said: str) -> None:
    with pytest.raises(InvalidRule, match=said):
        make()


@pytest.mark.parametrize("text", ["member", "member:*", "member:read ", ""])
def test_invalid_permission_fails_where_it_is_written(text: str) -> None:
    with pytest.raises(InvalidPermission):
        requires(text)


def test_rules_are_frozen_values() -> None:
    rule = requires("a:b")
    assert rule == requires({"a:b"})
    assert hash(rule) == hash(requires({"a:b"}))
    with pytest.raises(AttributeError):
        rule.scope = Scope.SYSTEM  # type: ignore[misc]


@pytest.mark.requirement("001-20")
def test_a_role_is_named_with_its_scope_or_by_its_key_in_one() -> None:
    rule = roles("TENANT_ADMIN", "TENANT_USER")
    assert (rule.scope, rule.roles) == (Scope.TENANT, {"ADMIN", "USER"})
    assert rule == roles("ADMIN", "USER", scope=Scope.TENANT)
    # With the scope said, a name is the whole key.
    assert roles("TENANT_ADMIN", scope=Scope.TENANT).roles == {"TENANT_ADMIN"}
