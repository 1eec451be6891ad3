"""Each rule notices what it is for, and leaves its twin alone: a rule lives as long as its checker."""

import pytest

from tests.support.rules import RULES
from tests.support.rules.place import hosts_and_paths_in
from tests.support.source import Rule, exemptions_in, lets_through, parse

SERVICE = "src/tenantry/directory/members/service.py"
REPOSITORY = "src/tenantry/directory/members/repository.py"
STORAGE = "src/tenantry/storage/work.py"
ACCESS = "src/tenantry/access/conditions.py"
RESOLVER = "src/tenantry/api/members.py"
TEST = "tests/directory/test_members.py"
LONG = "\n".join(f"    a{number} = {number}" for number in range(70))
LONGISH = "\n".join(f"    a{number} = {number}" for number in range(13))

BREAKS = [
    ("file-length", SERVICE, "\n" * 401),
    ("file-length", TEST, "\n" * 501),
    ("function-length", SERVICE, f"def f():\n{LONG}"),
    ("resolver-length", RESOLVER, f"@strawberry.field\ndef f(self):\n{LONGISH}"),
    ("resolver-length", RESOLVER, f"async def f(self, info):\n{LONGISH}"),
    ("argument-count", SERVICE, "def f(a, b, c, *, d, e, g, h): ..."),
    ("inner-import", SERVICE, "def f():\n    import os"),
    ("select-place", SERVICE, "rows = select(Member)"),
    ("select-place", SERVICE, "rows = sa.select(Member)"),
    ("sql-place", SERVICE, "rows = await connection.fetch('SELECT id\\n  FROM member')"),
    ("sql-place", SERVICE, "QUERY = text('update member set version = 1')"),
    ("commit-place", SERVICE, "async def f(work):\n    await work.session.commit()"),
    ("pure-access", ACCESS, "from sqlalchemy.orm import Session"),
    ("pure-access", ACCESS, "from sqlalchemy.ext.asyncio import AsyncSession"),
    ("module-docstring", SERVICE, "a = 1"),
    ("print", SERVICE, "print(1)"),
    ("patched-product", TEST, "from tenantry import tokens\nmonkeypatch.setattr(tokens, 'mint', None)"),
    ("patched-product", TEST, "import tenantry.tokens\nmock.patch.object(tenantry.tokens, 'mint')"),
    ("patched-product", TEST, "monkeypatch.setattr('tenantry.tokens.mint', None)"),
    ("mock", TEST, "from unittest.mock import AsyncMock"),
    ("mock", TEST, "from unittest import mock"),
    ("skipped-test", TEST, "@pytest.mark.skipif(True)\ndef test_a():\n    assert 1"),
    ("skipped-test", TEST, "def test_a():\n    pytest.skip('not here')"),
    ("empty-test", TEST, "def test_a():\n    f()"),
]
KEEPS = [
    ("file-length", TEST, "\n" * 401),
    ("function-length", SERVICE, f'def f():\n    """{LONG}"""\n    return 1'),
    ("resolver-length", RESOLVER, f"def of_rows(rows):\n{LONGISH}"),
    ("argument-count", SERVICE, "def f(self, a, b, c, *, d, e, g): ..."),
    ("inner-import", SERVICE, "import os\ndef f():\n    return os"),
    ("select-place", REPOSITORY, "rows = select(Member)"),
    ("select-place", SERVICE, "answer = selectors.select(1)"),
    ("sql-place", REPOSITORY, "rows = await connection.fetch('select id from member')"),
    ("sql-place", SERVICE, "def f():\n    'Select one from many.'\n    raise Refused('Update your profile')"),
    ("commit-place", STORAGE, "def f(session):\n    session.commit()"),
    ("pure-access", ACCESS, "from sqlalchemy import ColumnElement"),
    ("module-docstring", SERVICE, '"""The verbs."""'),
    ("print", SERVICE, "console.print(1)"),
    ("patched-product", TEST, "monkeypatch.setattr(firebase, 'URI', uri)\nmonkeypatch.setenv('A', 'b')"),
    ("mock", TEST, "import unittest"),
    ("skipped-test", TEST, "rows.skip(2)"),
    ("empty-test", TEST, "def refused(x):\n    assert x\ndef test_a():\n    refused(1)"),
    ("empty-test", TEST, "def test_a():\n    with pytest.raises(ValueError):\n        f()"),
]


def rule_named(name: str) -> Rule:
    return next(rule for rule in RULES if rule.name == name)


@pytest.mark.parametrize(("name", "path", "text"), BREAKS)
def test_a_rule_notices(name: str, path: str, text: str) -> None:
    assert list(rule_named(name).find([parse(path, text)])), f"{name} does not notice:\n{text[:200]}"


@pytest.mark.parametrize(("name", "path", "text"), KEEPS)
def test_a_rule_leaves_alone(name: str, path: str, text: str) -> None:
    assert not list(rule_named(name).find([parse(path, text)])), f"{name} cries wolf about:\n{text[:200]}"


@pytest.mark.parametrize(
    "line",
    [
        "see https://" + "py" + "pi.org/simple",
        "--index" + "-url https://mirror.example/simple",
        "cd /" + "root/project",
        "path = '/" + "home/someone/project'",
        "open('/" + "work/main/README.md')",
    ],
)
def test_hosts_and_paths_are_noticed(line: str) -> None:
    assert list(hosts_and_paths_in("README.md", line))


@pytest.mark.parametrize(
    "line", ["docs/adr/root/", "https://example.org/home/page/", "/healthz", "team" + "work/"]
)
def test_other_paths_are_left_alone(line: str) -> None:
    assert not list(hosts_and_paths_in("README.md", line))


@pytest.mark.parametrize(
    ("text", "through"),
    [
        ("rows = select(A)  # exempt: select-place because it is a probe", True),
        ("# exempt: select-place because it is a probe\nrows = select(A)", True),
        ("rows = select(A)  # exempt: select-place", False),
        ("rows = select(A)  # exempt: print because it is a probe", False),
        ("# exempt: select-place because it is a probe\n\nrows = select(A)", False),
    ],
)
def test_an_exemption_needs_rule_reason_and_place(*, text: str, through: bool) -> None:
    (finding,) = rule_named("select-place").find([parse(SERVICE, text)])
    (exemption,) = exemptions_in(SERVICE, text)
    assert lets_through(exemption, "select-place", finding) is through
