"""The policy as tables: what a field asks for, who holds it, and what a caller's standing makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tenantry.access.rules import Rule, RuleKind
from tests.api.test_permissions import TABLE, words

POLICY: Mapping[str, Any] = yaml.safe_load(
    Path(__file__).with_name("policy.yaml").read_text(encoding="utf-8")
)
PRODUCTS = ("contact-center", "messaging-crm", "research-workspace", "phone-system", "abac-suite")
PLATFORM = "platform"
HOME = "phone-system"
"""Whose tenant the platform's staff are asked about, and where standings are tried."""
STANDINGS: Mapping[str, list[str]] = POLICY["standings"]
COLUMNS = ("public", "signed in", "requires", "fresh", "gated")
REFUSALS = ("FORBIDDEN", "STEP_UP_REQUIRED")
"""What a standing may say itself; any other word is a reason of UNAUTHENTICATED."""


@dataclass(frozen=True)
class Verdict:
    """What is expected: a code, or None for an answer; with UNAUTHENTICATED a reason."""

    code: str | None = None
    reason: str | None = None


ALLOWED = Verdict()


@dataclass(frozen=True)
class Ask:
    """One field, and a document that asks for it and for nothing that is guarded more strictly.

    ``kind``: public, signed in, requires, fresh (a permission, and a second factor of late), factor
    (of late, and no permission), gated (by the object's type), cookie (by the refresh cookie alone).
    """

    field: str
    document: str
    kind: str
    scope: str
    permission: str | None

    @property
    def writes(self) -> bool:
        """Whether it is a mutation."""
        return self.field.startswith("Mutation.")


def asks() -> list[Ask]:
    """Every field of tests/api/permissions.yaml, and every guarded type that ``node`` finds."""
    found = [
        Ask(field, TABLE["asks"][field], _kind(field), _scope(field), row[0])
        for field, row in TABLE["fields"].items()
    ]
    found += [
        Ask(name, ask, "requires", "any", permission) for name, (permission, ask) in POLICY["nodes"].items()
    ]
    return found


def _kind(field: str) -> str:
    permission, said = TABLE["fields"][field][0], words(field)
    if set(said.values()) == {"ANON"}:
        return "cookie"
    if said["anonymous"] == "OK":
        return "public"
    if permission is None:
        return "factor" if "STEP" in said.values() else "signed in"
    if field in TABLE["by_type"]:
        return "gated"
    return "fresh" if "STEP" in said.values() else "requires"


def _scope(field: str) -> str:
    said = words(field)
    return "tenant" if said["platform"] == "SCOPE" else "system" if said["owner"] == "SCOPE" else "any"


def roles(product: str) -> list[str]:
    """A product's roles, the owner's first, the weakest last."""
    return POLICY[product]["roles"].split()


def holders(product: str) -> dict[str, set[str]]:
    """Who holds what, by permission."""
    return _by_permission(POLICY[product]["holders"])


def _by_permission(table: Mapping[str, str]) -> dict[str, set[str]]:
    return {name: set(who.split()) - {"none"} for names, who in table.items() for name in names.split()}


def in_own_teams(product: str) -> dict[str, set[str]]:
    """Who holds what of the teams that they are in alone, by permission."""
    return _by_permission(POLICY[product].get("in own teams", {}))


def by_role(ask: Ask, product: str, role: str) -> Verdict:
    """What a member of this role is told in their own tenant, with no second factor proved of late."""
    if ask.kind == "cookie":
        return Verdict("UNAUTHENTICATED", "MISSING")
    if ask.kind == "public":
        return ALLOWED
    if ask.scope != "any" and (ask.scope == "system") is not (product == PLATFORM):
        return Verdict("SCOPE_MISMATCH")
    if ask.kind in {"signed in", "factor"}:
        return ALLOWED if ask.kind == "signed in" else Verdict("STEP_UP_REQUIRED")
    return _by_permission_of(ask, product, role)


def _by_permission_of(ask: Ask, product: str, role: str) -> Verdict:
    if role in in_own_teams(product).get(str(ask.permission), ()):
        return _of_another_team(ask)
    if role not in _holders_of(ask, product):
        return Verdict("FORBIDDEN")
    return Verdict("STEP_UP_REQUIRED") if ask.kind == "fresh" else ALLOWED


def _of_another_team(ask: Ask) -> Verdict:
    """Lists are narrowed, a team that one is not in is not there, and nothing is changed but one's own."""
    if ask.writes:
        return Verdict("FORBIDDEN")
    return Verdict("NOT_FOUND") if "<team>" in ask.document else ALLOWED


def _holders_of(ask: Ask, product: str) -> set[str]:
    if ask.kind == "gated":
        verb = "act" if ask.field == "Mutation.resourceAct" else "change"
        return set(POLICY[product]["objects"][verb].split())
    return holders(product)[str(ask.permission)]


def by_standing(standing: str, ask: Ask, product: str, role: str) -> Verdict:
    """What a caller in this standing is told."""
    if word := POLICY["exceptions"].get(standing, {}).get(ask.field):
        return Verdict(word)
    if standing == "API key" and ask.permission in POLICY["unnamed"][product].split():
        return Verdict("FORBIDDEN")
    kind = {"factor": "fresh", "cookie": "public"}.get(ask.kind, ask.kind)
    read, _, write = STANDINGS[standing][COLUMNS.index(kind)].partition("/")
    word = write if write and ask.writes else read
    usual = by_role(ask, product, role)
    if word not in {"ok", *REFUSALS}:
        return Verdict("UNAUTHENTICATED", word)
    # What no token of this scope may ask is told first; then what the role lacks, but to whom a factor
    # is due: they hold nothing yet.
    if word == "ok" or usual.code == "SCOPE_MISMATCH":
        return usual
    lacks = usual.code == "FORBIDDEN" and standing != "before the second factor"
    return usual if lacks else Verdict(word)


def rule_in_words(rule: Rule | None) -> str | None:
    """As the policy writes the rule of a type; None where it asks for no permission."""
    if rule is None or rule.kind is not RuleKind.REQUIRES:
        return None
    scope = "" if rule.scope is None else f"{rule.scope.lower()} "
    return scope + " or ".join(" ".join(sorted(each)) for each in rule.any_of)
