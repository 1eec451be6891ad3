"""The table of requirements: built means shown by a test that passes."""

import pytest

from tests.support.requirements import LISTING, Outcome, Shown, read_listing, table, unshown

BUILT = "J-01: {status: built, title: A schema}\n"
PLANNED = "J-06: {status: planned, title: A dashboard}\n"


def test_the_listing_can_be_read() -> None:
    listing = read_listing(LISTING.read_text(encoding="utf-8"))
    assert "J-01" in listing
    assert all(requirement.title for requirement in listing.values())


def test_a_status_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="nearly"):
        read_listing("J-01: {status: nearly, title: A schema}")


@pytest.mark.parametrize(
    ("outcomes", "missing"),
    [({}, ["J-01"]), ({"test_a": True}, []), ({"test_a": True, "test_b": False}, ["J-01"])],
)
def test_built_means_shown(*, outcomes: dict[str, bool], missing: list[str]) -> None:
    listing = read_listing(BUILT + PLANNED)
    assert unshown(listing, {"J-01": Shown(outcomes)}) == missing


def test_the_table_has_every_number_and_its_tests() -> None:
    lines = list(table(read_listing(BUILT + PLANNED), {"J-01": Shown({"tests/a.py::test_a": True})}))
    assert lines[0].split()[:3] == ["J-01", "built", "passed"]
    assert lines[1].split() == ["✓", "tests/a.py::test_a"]
    assert Outcome.NONE in lines[2]
