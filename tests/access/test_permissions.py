"""The grammar of a permission, and the closed lists of names."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.access.permissions import (
    ANNOUNCED,
    OWNER_BUILT_INS,
    WILDCARD,
    BuiltIn,
    InvalidPermission,
    Permission,
    parse,
)
from tenantry.kernel.errors import ErrorCode

parts = st.from_regex(r"[A-Za-z][A-Za-z0-9_]*", fullmatch=True)


@pytest.mark.requirement("004-05")
@given(st.lists(parts, min_size=2, max_size=4))
def test_text_and_parts_round_trip(pieces: list[str]) -> None:
    text = ":".join(pieces)
    assert parse(text) == Permission(tuple(pieces))
    assert str(parse(text)) == text


@given(st.text(alphabet="aZ9_:* \n.é"))
def test_every_text_round_trips_or_is_refused(text: str) -> None:
    grammatical = text == "*" or re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*(:[A-Za-z][A-Za-z0-9_]*){1,3}", text)
    if grammatical:
        assert str(parse(text)) == text
    else:
        with pytest.raises(InvalidPermission):
            parse(text)


@pytest.mark.requirement("000-15", "004-05")
@pytest.mark.parametrize("text", ["call:read", "call:read_own", "Call:Instance:Update", "a:b:c:d", "*"])
def test_spellings_of_the_blueprints(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it has 1 part; 2 to 4 are needed, colons between"),
        ("call", "it has 1 part; 2 to 4 are needed, colons between"),
        ("a:b:c:d:e", "it has 5 parts; 2 to 4 are needed, colons between"),
        ("call:", "part 2 is empty"),
        (":read", "part 1 is empty"),
        ("call:*", "part 2 holds `*`, which stands only alone"),
        ("call:read own", "part 2 must be a letter followed by letters, digits or underscores"),
        ("call:read\n", "part 2 must be a letter followed by letters, digits or underscores"),
        (" call:read", "part 1 must be a letter followed by letters, digits or underscores"),
        ("call:1st", "part 2 must be a letter followed by letters, digits or underscores"),
        ("caf\u00e9:read", "part 1 must be a letter followed by letters, digits or underscores"),
        ("call:r\u0435ad", "part 2 must be a letter followed by letters, digits or underscores"),
    ],
)
def test_refusal_says_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(InvalidPermission) as refused:
        parse(text)
    assert refused.value.problem == problem
    assert refused.value.code == ErrorCode.BAD_USER_INPUT
    assert problem in refused.value.message


def test_refusal_shows_only_the_beginning_of_a_long_text() -> None:
    with pytest.raises(InvalidPermission) as refused:
        parse("x" * 10_000)
    assert len(refused.value.message) < 200


def test_built_ins_are_sorted_and_follow_their_naming_rule() -> None:
    names = [str(name) for name in BuiltIn]
    assert names == sorted(names)
    assert [name.name for name in BuiltIn] == [name.replace(":", "_").upper() for name in names]
    assert all(len(parse(name).parts) == 2 for name in [*names, *ANNOUNCED])
    assert all(name == name.lower() for name in [*names, *ANNOUNCED])


def test_closed_sets_do_not_overlap() -> None:
    assert not ANNOUNCED & set(BuiltIn)
    assert set(BuiltIn) >= OWNER_BUILT_INS
    assert WILDCARD not in ANNOUNCED | set(BuiltIn)
