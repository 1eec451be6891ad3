"""API keys as texts: what is whole, and what never was."""

import string

import pytest

from tenantry.tokens.api_keys import is_api_key, is_whole, new_api_key

ALPHABET = string.ascii_letters + string.digits + "-_"


def test_a_key_is_whole_told_by_its_prefix_and_never_the_same() -> None:
    keys = [new_api_key() for _ in range(200)]
    assert len({key.text for key in keys}) == 200
    for key in keys:
        assert is_api_key(key.text)
        assert is_whole(key.text)
        assert key.text.startswith(f"{key.prefix}_")
        assert len(key.prefix) == 13
        assert key.text not in repr(key)


def test_no_cut_key_and_no_mistyped_one_is_whole() -> None:
    key = new_api_key().text
    assert not any(is_whole(key[:length]) for length in range(len(key)))
    changed = {
        key[:place] + letter + key[place + 1 :]
        for place in range(len(key))
        for letter in ALPHABET
        if letter != key[place]
    }
    assert len(changed) > 3_000
    assert not any(map(is_whole, changed))


@pytest.mark.parametrize(
    "text", ["", "tntk_", "tnt_x", "tntk_" + "ä" * 60, "tntk_" + "A" * 1_000_000, "eyJ.x.y"]
)
def test_other_texts_are_no_keys(text: str) -> None:
    assert not is_whole(text)
