"""Which requirement is shown by which test: a pytest plugin, and the table of ``make requirements``.

A test names what it shows with ``@pytest.mark.requirement("003-04")``; the numbers, their
titles and whether they are built yet stand in ``docs/requirements.yaml``. A number that is
not there stops the collection. With ``--requirements`` the run ends with the whole table,
and fails if anything that claims to be built has no passing test.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

import pytest
import yaml

from tests.support.source import ROOT

LISTING = ROOT / "docs" / "requirements.yaml"
TITLE_WIDTH = 60


class Status(StrEnum):
    """How far a requirement is."""

    BUILT = "built"
    PLANNED = "planned"


class Outcome(StrEnum):
    """What the tests of one requirement say together, the worst of them first."""

    FAILED = "failed"
    PASSED = "passed"
    NONE = "no test"


@dataclass(frozen=True)
class Requirement:
    """One numbered line."""

    number: str
    title: str
    status: Status


@dataclass
class Shown:
    """The tests that carry one number, and how each ended."""

    outcomes: dict[str, bool] = field(default_factory=dict[str, bool])

    @property
    def outcome(self) -> Outcome:
        """The worst of the tests."""
        if not self.outcomes:
            return Outcome.NONE
        return Outcome.PASSED if all(self.outcomes.values()) else Outcome.FAILED


def read_listing(text: str) -> dict[str, Requirement]:
    """The requirements by number; a status that is none raises ``ValueError``."""
    entries = cast("Mapping[str, Mapping[str, str]]", yaml.safe_load(text))
    return {
        number: Requirement(number, entry["title"], Status(entry["status"]))
        for number, entry in entries.items()
    }


def unshown(listing: Mapping[str, Requirement], shown: Mapping[str, Shown]) -> list[str]:
    """The numbers that claim to be built without a test that passes."""
    return [
        number
        for number, requirement in listing.items()
        if requirement.status is Status.BUILT and shown.get(number, Shown()).outcome is not Outcome.PASSED
    ]


def table(listing: Mapping[str, Requirement], shown: Mapping[str, Shown]) -> Iterable[str]:
    """Number, status, outcome, title; below it the tests."""
    for number, requirement in listing.items():
        tests = shown.get(number, Shown())
        title = requirement.title
        short = title if len(title) <= TITLE_WIDTH else f"{title[: TITLE_WIDTH - 1]}…"
        yield f"{number:<7} {requirement.status:<8} {tests.outcome:<8} {short}"
        yield from (f"        {'✓' if passed else '✗'} {test}" for test, passed in tests.outcomes.items())


class RequirementsPlugin:
    """Collects the numbers of one run and tells the table at its end."""

    def __init__(self, listing: Mapping[str, Requirement], *, gate: bool) -> None:
        self._listing = listing
        self._gate = gate
        self._numbers: dict[str, tuple[str, ...]] = {}
        self._shown: defaultdict[str, Shown] = defaultdict(Shown)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Remember who shows what; refuse numbers that nothing lists."""
        for item in items:
            numbers = tuple(str(number) for mark in item.iter_markers("requirement") for number in mark.args)
            unknown = [number for number in numbers if number not in self._listing]
            if unknown:
                raise pytest.UsageError(f"{item.nodeid}: {unknown} is not in {LISTING.relative_to(ROOT)}")
            self._numbers[item.nodeid] = numbers

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test shows its numbers when set-up, call and tear-down all pass."""
        for number in self._numbers.get(report.nodeid, ()):
            outcomes = self._shown[number].outcomes
            outcomes[report.nodeid] = outcomes.get(report.nodeid, True) and report.passed

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run when something claims to be built and is not shown."""
        if self._gate and not session.exitstatus and unshown(self._listing, self._shown):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the table."""
        if not self._gate:
            return
        terminalreporter.section("requirements")
        for line in table(self._listing, self._shown):
            terminalreporter.write_line(line)
        missing = unshown(self._listing, self._shown)
        verdict = (
            f"built, but shown by no passing test: {', '.join(missing)}" if missing else "all built are shown"
        )
        terminalreporter.write_line(verdict, red=bool(missing), green=not missing)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--requirements``."""
    explanation = "end with the table of requirements; fail if a built one is not shown by a passing test"
    parser.addoption("--requirements", action="store_true", help=explanation)


def pytest_configure(config: pytest.Config) -> None:
    """Take part in every run, so that a wrong number is noticed at once."""
    listing = read_listing(LISTING.read_text(encoding="utf-8"))
    gate = bool(config.getoption("--requirements"))
    config.pluginmanager.register(RequirementsPlugin(listing, gate=gate), "tenantry-requirements")
