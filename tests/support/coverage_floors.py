"""Coverage floors of single packages, beside the overall one: a pytest plugin.

``pyproject.toml`` names them under ``[tool.tenantry.coverage]``. They are read from the data
that the run has just written, when it measures coverage at all, and a package below its
floor fails the run before pytest writes its summary.
"""

import io
import tomllib
from collections.abc import Generator, Mapping
from typing import TypedDict, cast

import pytest
from coverage import Coverage
from coverage.exceptions import NoDataError

from tests.support.source import ROOT


class Floors(TypedDict):
    """The table of ``pyproject.toml``, in percent of lines and branches."""

    overall: float
    packages: dict[str, float]


def read_floors() -> Floors:
    """The floors in force."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return cast("Floors", project["tool"]["tenantry"]["coverage"])


def measured(coverage: Coverage, pattern: str) -> tuple[float, str]:
    """Percent covered of the files that match, and the report on them; 100 where there are none."""
    report = io.StringIO()
    try:
        return coverage.report(
            file=report, include=pattern, show_missing=True, skip_covered=True
        ), report.getvalue()
    except NoDataError:
        return 100.0, ""


def below(coverage: Coverage, floors: Mapping[str, float]) -> list[str]:
    """One text for each package under its floor."""
    texts: list[str] = []
    for package, floor in floors.items():
        percent, report = measured(coverage, f"*/tenantry/{package}/*")
        if percent < floor:
            texts.append(f"{package}: {percent:.1f} % covered, {floor:.0f} % is the floor\n{report}")
    return texts


class FloorsPlugin:
    """Measures after the tests, tells before the summary."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Outermost, so that pytest-cov has written its data when the loop returns."""
        answer = yield
        coverage = Coverage(config_file=str(ROOT / "pyproject.toml"))
        coverage.load()
        floors = read_floors()
        self._texts = below(coverage, floors["packages"])
        overall, _ = measured(coverage, "*/tenantry/*")
        if overall < floors["overall"]:
            self._texts.append(f"overall: {overall:.1f} % covered, {floors['overall']:.0f} % is the floor")
        session.testsfailed += len(self._texts)
        return answer

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what is missing where."""
        if self._texts:
            terminalreporter.section("coverage floors")
            for text in self._texts:
                terminalreporter.write_line(text, red=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--floors``."""
    parser.addoption(
        "--floors", action="store_true", help="with --cov: hold the coverage floors of pyproject.toml"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take part when asked; a run of a few tests covers little and is no offence."""
    if config.getoption("--floors"):
        config.pluginmanager.register(FloorsPlugin(), "tenantry-floors")
