"""Every house rule holds in the tree, or is exempt with a reason; every exemption is used."""

import pytest

from tests.support.rules import RULES
from tests.support.source import Rule, broken, exemptions, lets_through, modules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_holds(rule: Rule) -> None:
    places = broken(rule)
    assert not places, (
        f"\n{rule.advice}\nIf it must stay, write `# exempt: {rule.name} because …` there:\n  "
        + "\n  ".join(places)
    )


def test_exemptions_name_a_rule_and_a_reason() -> None:
    names = {rule.name for rule in RULES}
    wrong = [
        f"{item.path}:{item.line}" for item in exemptions() if item.rule not in names or not item.reasoned
    ]
    assert not wrong, f"Write `# exempt: <rule> because <reason>`, with a rule of {sorted(names)}: {wrong}"


def test_exemptions_are_still_needed() -> None:
    found = {rule.name: list(rule.find(modules())) for rule in RULES}
    idle = [
        f"{item.path}:{item.line} ({item.rule})"
        for item in exemptions()
        if not any(lets_through(item, item.rule, finding) for finding in found.get(item.rule, []))
    ]
    assert not idle, f"Nothing here breaks the rule any more; remove the comment: {idle}"
