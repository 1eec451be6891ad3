"""Why somebody may, or why not: each way from a role by a grant to the permission."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tenantry.access.catalogue import Catalogue
from tenantry.access.conditions import parse_condition
from tenantry.access.grants import Grant, parse_grant
from tenantry.access.permissions import WILDCARD
from tenantry.access.predicates import ALWAYS
from tenantry.access.questions import Subject, Target, verdict, within

OWNERSHIP = "owner"
"""In the place of a grant: what a role marked as the owner's may do besides."""


@dataclass(frozen=True, slots=True)
class RoleGrants:
    """One role: what it lists, in the blueprint's spelling, and what follows from that."""

    node_id: str
    key: str
    listed: Sequence[str]
    effective: frozenset[str]
    conditional: Sequence[str]
    """As ``permission when condition``."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a permission. ``grant`` is the blueprint's, which may cover what was asked for.

    ``holds`` is None where it depends on an object, and none was named, or on a request to come.
    """

    role: str
    grant: str
    condition: str | None
    holds: bool | None


def gives(role: RoleGrants, permission: str) -> bool:
    """Whether a role gives a permission, if only under a condition."""
    if role.effective & {permission, WILDCARD}:
        return True
    return any(grant.permission == permission for grant in map(parse_grant, role.conditional))


def ways(
    roles: Iterable[RoleGrants],
    permission: str,
    catalogue: Catalogue,
    *,
    subject: Subject,
    target: Target | None,
) -> Iterator[Way]:
    """All ways by which ``roles`` lead to a permission, whether or not they are open."""
    narrowing = () if target is None else target.narrowing(permission)
    for role in roles:
        for grant in _grants(role, permission, catalogue):
            condition = ALWAYS if grant.condition is None else parse_condition(grant.condition)
            holds = verdict(within(condition, narrowing), subject, target)
            yield Way(role.node_id, grant.permission, _shown(narrowing, grant.condition), holds)


def _grants(role: RoleGrants, permission: str, catalogue: Catalogue) -> Iterator[Grant]:
    """The role's own grants that come to a permission."""
    covering = [name for name in role.listed if catalogue.effective([name]) & {permission, WILDCARD}]
    if role.effective & {permission, WILDCARD}:
        plain = [Grant(name) for name in covering if name in role.effective]
        yield from plain or [Grant(OWNERSHIP)]
        return
    conditional = list(map(parse_grant, role.conditional))
    for condition in [each.condition for each in conditional if each.permission == permission]:
        yield from (
            each for each in conditional if each.condition == condition and each.permission in covering
        )


def _shown(narrowing: tuple[str, ...], text: str | None) -> str | None:
    """A way's condition in the language of conditions."""
    parts = [*narrowing, *([] if text is None else [text])]
    return " and ".join(f"({part})" for part in parts) if parts[1:] else next(iter(parts), None)
