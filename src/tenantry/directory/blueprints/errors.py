"""Refusals of blueprints."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class BlueprintProblem:
    """One thing wrong with a blueprint's file: where, in which field, and what."""

    line: int
    field: str
    message: str


class BlueprintInvalid(Exception):
    """A blueprint's file cannot be taken; the message lists every problem, one a line."""

    def __init__(self, file: Path, problems: Iterable[BlueprintProblem]) -> None:
        self.file = file
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(self._line(problem) for problem in self.problems))

    def _line(self, problem: BlueprintProblem) -> str:
        place = f"{problem.field}: " if problem.field else ""
        return f"{self.file}:{problem.line}: {place}{problem.message}"
