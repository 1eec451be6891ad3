"""What a tenant's plan gives: pure rules over the plans of its blueprint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenantry.kernel.errors import BadUserInput


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan of a blueprint."""

    key: str
    custom_roles: bool
    max_members: int | None
    """Most people who have joined; None for any number."""


EVERYTHING = Plan("", custom_roles=True, max_members=None)
"""What a blueprint without plans gives: it gates nothing."""


def plans_in(body: Sequence[Mapping[str, Any]]) -> list[Plan]:
    """The plans of a stored blueprint, from the smallest to the largest."""
    return [Plan(each["key"], each["custom_roles"], each["max_members"]) for each in body]


def in_force(plans: Sequence[Plan], key: str | None) -> Plan:
    """The plan that a tenant is on; without one that its blueprint knows, the smallest.

    ``most_members`` of migration 0014 reads it the same way.
    """
    if not plans:
        return EVERYTHING
    return next((plan for plan in plans if plan.key == key), plans[0])


def checked_plan(plans: Sequence[Plan], key: str | None) -> str | None:
    """The key itself. Raises ``BadUserInput`` where the blueprint has plans, and not this one."""
    known = [plan.key for plan in plans]
    if key is not None and known and key not in known:
        wrong = f"this blueprint has no such plan; it has {', '.join(known)}"
        raise BadUserInput("Some input cannot be taken.", {"plan": wrong})
    return key
