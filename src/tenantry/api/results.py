"""An operation's answer before it is printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tenantry.access.decisions import decide, refusal
from tenantry.api.errors import Failure, refused
from tenantry.api.planner.findings import Path, Problem
from tenantry.kernel.errors import NotFound
from tenantry.kernel.principal import Authority


@dataclass(slots=True)
class Result:
    """``data`` is bytes where PostgreSQL's own pass through; ``authority`` is whom it was read as.

    ``status`` is for ``application/graphql-response+json``.
    """

    data: bytes | dict[str, Any] | None
    failures: list[Failure] = field(default_factory=list[Failure])
    authority: Authority | None = None
    status: int = 200


def told(problems: Sequence[Problem], authority: Authority | None) -> list[Failure]:
    """What the plan already knows to be refused, for this caller."""
    failures: list[Failure] = []
    for each in problems:
        error = each.error or (refusal(decide(each.rule, authority)) if each.rule else NotFound())
        failures += refused(error, each.path)
    return failures


def not_found(
    answer: Mapping[str, Any], lookups: Sequence[Path], failures: Sequence[Failure], *, below: int = 0
) -> list[Failure]:
    """NOT_FOUND for each lookup that has come to nothing, where no refusal says why.

    ``answer`` stands ``below`` so many keys of each path.
    """
    told_of = {tuple(each.path or ()) for each in failures}
    found: list[Failure] = []
    for path in lookups:
        if _at(answer, path[below:]) is None and path not in told_of:
            found += refused(NotFound(), path)
    return found


def _at(answer: Mapping[str, Any], path: Path) -> Any:
    found: Any = answer
    for key in path:
        if not isinstance(found, dict):
            return ...
        found = cast("dict[str, Any]", found).get(key)
    return found
