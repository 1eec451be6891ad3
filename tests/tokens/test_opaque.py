"""Secrets without content."""

from tenantry.tokens.opaque import digest, new_secret


def test_a_secret_has_256_bits_and_is_never_the_same() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {43}


def test_only_the_hash_is_stored() -> None:
    assert digest("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_any_text_that_a_client_sends_has_a_digest() -> None:
    assert len(digest("\ud800")) == 32
