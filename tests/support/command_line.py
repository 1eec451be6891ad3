"""`tenantry` as an operator types it, in the test's own process."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tenantry.__main__ import main
from tests.support.database import DatabaseServer, TemporaryDatabase
from tests.support.logs import logging_kept
from tests.support.source import ROOT


class CommandLine:
    """`tenantry`, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        for name in [name for name in os.environ if name.startswith("TENANTRY_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("COLUMNS", "200")

    def set(self, **variables: str) -> None:
        """Settings, as an operator gives them."""
        for name, value in variables.items():
            self._monkeypatch.setenv(f"TENANTRY_{name.upper()}", value)

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Exit status, and all that was said."""
        self._monkeypatch.setattr(sys, "argv", ["tenantry", *arguments])
        with logging_kept():
            status = await asyncio.to_thread(self._main)
        said = self._capsys.readouterr()
        return status, said.out + said.err

    @staticmethod
    def _main() -> int:
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0


@pytest.fixture
def tenantry(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command, in the repository's folder, without settings."""
    monkeypatch.chdir(ROOT)
    return CommandLine(monkeypatch, capsys)


@pytest_asyncio.fixture
async def stored(database_server: DatabaseServer, tenantry: CommandLine) -> AsyncIterator[TemporaryDatabase]:
    """A seeded database of one test's, which the command line knows by its settings."""
    database = await database_server.create()
    tenantry.set(database_url=database.app_dsn)
    yield database
    await database_server.drop(database)
