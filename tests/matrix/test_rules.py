"""The rules, one at a time: weaken any of them, and some row of the policy is contradicted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest

from tenantry.access.decisions import decide, refusal
from tenantry.access.rules import Rule, RuleKind, authenticated, public
from tenantry.api.planner.documents import Documents
from tenantry.api.planner.plans import Plan, PlanMaker, Shaped
from tenantry.api.planner.registry import Registry, build_registry
from tenantry.api.planning import NONE, unmet
from tenantry.api.schema import bare_schema
from tenantry.kernel.clock import system_clock
from tenantry.kernel.principal import Authority, Scope
from tests.api.planner.graph import ROOMY
from tests.api.test_permissions import TABLE
from tests.matrix.policy import (
    PLATFORM,
    POLICY,
    PRODUCTS,
    Ask,
    asks,
    by_role,
    holders,
    in_own_teams,
    roles,
    rule_in_words,
)
from tests.support.world import PLACE

SCHEMA = bare_schema()._schema
REGISTRY = build_registry(SCHEMA)
DOCUMENTS = Documents(SCHEMA, ROOMY, hide=False)
ASKS = [ask for ask in asks() if ask.kind != "cookie"]
ROOTS = {"Query", "Mutation"}
# What the ask for a field meets before it asks for more than the field does: here it is alone.
DIRECTLY = {
    "Query.system": "{ system { __typename } }",
    "Team.members": "{ node(id: <team>) { ... on Team { members(first: 1) { totalCount } } } }",
    "Team.supervisors": "{ node(id: <team>) { ... on Team { supervisors { email } } } }",
}
NODES = {
    "ApiKey": "K",
    "AuditEvent": "A",
    "EmailDomain": "D",
    "IdentityProvider": "P",
    "Invitation": "I",
    "Member": "M",
    "Team.members": "G",
    "Team.supervisors": "G",
    "WebhookDelivery": "Y",
    "WebhookEndpoint": "W",
}


@dataclass(frozen=True)
class Mutant:
    """One rule of the schema, weakened."""

    place: str
    how: str
    registry: Registry


def weaker(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """What is left of a rule when each part of it is forgotten."""
    if rule.kind is RuleKind.REQUIRES:
        yield "permission", authenticated(rule.scope)
        if rule.freshness is not None and any(rule.any_of):
            yield "freshness", replace(rule, freshness=None)
    if rule.kind is RuleKind.SCOPES:
        yield "scope", authenticated()
    elif rule.scope is not None:
        yield "scope", replace(rule, scope=None)
    if rule.kind is not RuleKind.PUBLIC:
        yield "everything", public()


def mutants() -> Iterator[Mutant]:
    """Each rule of a root field, and each that asks for a permission, on a type or on a field, in each way.

    Types that only ask who one is stand behind fields that ask for more.
    """
    for name, plan in REGISTRY.types.items():
        if plan.rule is not None and plan.rule.kind is RuleKind.REQUIRES:
            for how, rule in weaker(plan.rule):
                yield Mutant(name, how, replaced(name, replace(plan, rule=rule)))
        for field, known in plan.fields.items():
            if known.rule is not None and (name in ROOTS or known.rule.kind is RuleKind.REQUIRES):
                for how, rule in weaker(known.rule):
                    fields = {**plan.fields, field: replace(known, rule=rule)}
                    yield Mutant(f"{name}.{field}", how, replaced(name, replace(plan, fields=fields)))


def replaced(name: str, plan: Any) -> Registry:
    """The schema's declarations with those of one type replaced."""
    return Registry({**REGISTRY.types, name: plan}, REGISTRY.nodes)


def authority(product: str, role: str) -> Authority:
    """Somebody of this role, as the policy has it."""
    held = {name for name, who in holders(product).items() if role in who}
    narrowed = {name for name, who in in_own_teams(product).items() if role in who}
    return Authority(
        session_id=UUID(int=1),
        user_id=UUID(int=2),
        member_id=UUID(int=3),
        tenant_id=UUID(int=4),
        user="U_x",
        member="M_x",
        tenant="T_x",
        scope=Scope.SYSTEM if product == PLATFORM else Scope.TENANT,
        permissions=frozenset(held),
        conditional=dict.fromkeys(narrowed, ()),
        roles=(role,),
        is_owner=False,
        member_version=1,
        tenant_version=1,
    )


def shaped(ask: Ask) -> Shaped:
    """The document with some id or text in each place."""
    letter = NODES.get(ask.field, "S")
    document = DIRECTLY.get(ask.field, ask.document)
    text = PLACE.sub(f'"{letter}_x"', document)
    prepared = DOCUMENTS.prepare(text, None, tokens=ROOMY.tokens)
    return Shaped(prepared, DOCUMENTS.coerce(prepared, {}), {})


SHAPED: Mapping[Ask, Shaped] = {ask: shaped(ask) for ask in ASKS}
CALLERS = [
    (product, role, authority(product, role))
    for product in (*PRODUCTS, PLATFORM)
    for role in (*roles(product), "no role at all")
]


def told(maker: PlanMaker, plan: Plan, ask: Ask, who: Authority | None) -> tuple[str | None, bool]:
    """The code of the first refusal, and whether it is about the field itself.

    Decided as an operation decides, before anything is run; (None, True) where nothing is refused.
    """
    refused = unmet(plan.findings.rules, who, system_clock)
    if not refused:
        return None, True
    problem = maker.plan(SHAPED[ask], refused).findings.problems[0]
    assert problem.rule is not None
    kind, _, name = ask.field.partition(".")
    code = str(refusal(decide(problem.rule, who)).code)
    # Whoever may not come in at all is told so at the door.
    outside = code in {"UNAUTHENTICATED", "SCOPE_MISMATCH"} and kind not in ROOTS
    return code, not name or outside or problem.path[-1] == name


def expected(ask: Ask, product: str, role: str) -> tuple[str | None, bool]:
    """By the policy; what depends on the object is decided by its service, later."""
    code = by_role(ask, product, role).code
    later = ask.kind == "gated" or ask.field in TABLE["of_others"]
    depends = later or role in in_own_teams(product).get(str(ask.permission), ())
    return (None if depends and code in {"FORBIDDEN", "NOT_FOUND"} else code), True


def contradicted(registry: Registry, first: str = "") -> str | None:
    """A row of the policy that these declarations do not keep to; what is said of ``first`` comes first."""
    found = {name: rule_in_words(plan.rule) for name, plan in registry.types.items()}
    for name, rule in POLICY["types"].items():
        if found[name] != rule:
            return f"types: {name}"
    maker = PlanMaker(SCHEMA, registry)
    for ask in sorted(ASKS, key=lambda ask: ask.field != first):
        plan = maker.plan(SHAPED[ask], NONE)
        anonymous = None if ask.kind == "public" else "UNAUTHENTICATED"
        if told(maker, plan, ask, None) != (anonymous, True):
            return f"{ask.field}: nobody"
        for product, role, who in CALLERS:
            # Directly it is the tenant's own teams that are asked for, and staff have none.
            if product == PLATFORM and ask.field in DIRECTLY and ask.scope == "tenant":
                continue
            if told(maker, plan, ask, who) != expected(ask, product, role):
                return f"{ask.field}: {product}, {role}"
    return None


def test_the_declarations_keep_to_the_policy() -> None:
    assert contradicted(REGISTRY) is None


@pytest.mark.requirement("J-02", "004-01")
def test_no_rule_of_the_schema_can_be_weakened_unnoticed() -> None:
    every = list(mutants())
    assert len(every) > 150
    silent = {
        f"{mutant.place}: {mutant.how}"
        for mutant in every
        if contradicted(mutant.registry, first=mutant.place) is None
    }
    assert silent == set()
