"""Sealing: what is sealed opens with its key, in its place and whole, or not at all."""

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tenantry.tokens.encryption import (
    KEY_BYTES,
    NONCE_BYTES,
    EncryptionKey,
    EncryptionKeys,
    fresh_encryption_entry,
)
from tenantry.tokens.errors import KeyFileError, SealBroken


def written(path: Path, *entries: object) -> Path:
    path.write_text(json.dumps({"keys": list(entries)}))
    path.chmod(0o600)
    return path


@pytest.fixture
def keys(tmp_path: Path) -> EncryptionKeys:
    """A ring of one fresh key."""
    return EncryptionKeys.load_or_generate(tmp_path / "keys.json")


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_what_was_sealed_opens_in_its_place(plaintext: bytes, context: bytes) -> None:
    keys = EncryptionKeys([EncryptionKey("k", AESGCM(bytes(KEY_BYTES)))])
    sealed = keys.seal(plaintext, context=context)
    assert keys.open(sealed.key_id, sealed.box, context=context) == plaintext
    with pytest.raises(SealBroken):
        keys.open(sealed.key_id, sealed.box, context=context + b"x")


def test_a_changed_byte_or_a_missing_one_opens_nothing(keys: EncryptionKeys) -> None:
    sealed = keys.seal(b"secret", context=b"Ada")
    assert len(sealed.box) == NONCE_BYTES + 6 + 16
    for place in range(len(sealed.box)):
        changed = bytearray(sealed.box)
        changed[place] ^= 1
        for box in (bytes(changed), sealed.box[:place]):
            with pytest.raises(SealBroken) as broken:
                keys.open(sealed.key_id, box, context=b"Ada")
            assert "secret" not in str(broken.value)


def test_the_same_is_never_sealed_alike(keys: EncryptionKeys) -> None:
    assert len({keys.seal(b"secret", context=b"").box for _ in range(100)}) == 100


def test_an_unknown_key_is_named_and_opens_nothing(keys: EncryptionKeys) -> None:
    sealed = keys.seal(b"secret", context=b"")
    with pytest.raises(SealBroken, match="no key unheard is in force"):
        keys.open("unheard", sealed.box, context=b"")


def test_the_file_is_its_owners_alone_and_no_key_shows(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = EncryptionKeys.load_or_generate(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = json.loads(path.read_text())["keys"][0]["k"]
    assert secret not in repr(keys.active)
    assert "cipher" not in repr(keys.active)
    assert EncryptionKeys.load_or_generate(path).active.kid == keys.active.kid


def test_workers_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with ThreadPoolExecutor(8) as workers:
        found = {keys.active.kid for keys in workers.map(EncryptionKeys.load_or_generate, [path] * 8)}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kty": "EC"}, "kty oct and alg A256GCM"),
        ({"alg": "A128GCM"}, "kty oct and alg A256GCM"),
        ({"kid": None}, "no kid or no k"),
        ({"k": 7}, "no kid or no k"),
        ({"k": "ä"}, "cannot be read"),
        ({"k": base64.urlsafe_b64encode(bytes(16)).decode()}, f"128 bits; {KEY_BYTES * 8} are needed"),
        ({"nbf": "soon"}, "nbf is a whole number"),
    ],
)
def test_an_unfit_key_is_refused_with_its_place_and_without_its_value(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    entry = {**fresh_encryption_entry(), **change}
    path = written(tmp_path / "keys.json", fresh_encryption_entry(), entry)
    with pytest.raises(KeyFileError, match=complaint) as refused:
        EncryptionKeys.load(path)
    place, _, said = str(refused.value).partition(": ")
    assert place == f"{path}, key 2"
    assert str(entry["k"]) not in said
