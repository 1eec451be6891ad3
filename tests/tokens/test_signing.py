"""Signing keys: what is written, what is published, what is refused."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tenantry.tokens.errors import KeyFileError
from tenantry.tokens.signing import SigningKey, SigningKeys, thumbprint

PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k"}


def written(path: Path, *keys: object, mode: int = 0o600) -> Path:
    path.write_text(json.dumps({"keys": list(keys)}))
    path.chmod(mode)
    return path


def test_thumbprint_is_that_of_the_rfc() -> None:
    # The example of RFC 7638, section 3.1.
    key = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQ"
        "MicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr"
        "3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    }
    assert thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(("algorithm", "kind"), [("ES256", "EC"), ("RS256", "RSA")])
def test_generated_key_is_private_to_its_owner_and_reads_back(
    tmp_path: Path, algorithm: str, kind: str
) -> None:
    path = tmp_path / "new" / "keys.json"
    made = SigningKeys.generate(path, algorithm=algorithm)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]

    loaded = SigningKeys.load(path)
    assert loaded.jwks() == made.jwks()
    assert loaded.algorithms == (algorithm,)
    (published,) = loaded.jwks()["keys"]
    assert published["kty"] == kind
    assert published["kid"] == loaded.active.kid == thumbprint(published)
    assert (published["alg"], published["use"]) == (algorithm, "sig")
    assert not PRIVATE_MEMBERS & published.keys()


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = SigningKeys.generate(path)
    with pytest.raises(FileExistsError):
        SigningKeys.generate(path)
    assert SigningKeys.load(path).active.kid == first.active.kid
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


def test_workers_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with ThreadPoolExecutor(8) as workers:
        found = {keys.active.kid for keys in workers.map(SigningKeys.load_or_generate, [path] * 8)}
    assert len(found) == 1


def test_the_first_key_signs_and_the_others_still_verify(tmp_path: Path) -> None:
    old, new = (generate_ec_key(SECP256R1()) for _ in range(2))
    entries = [ECAlgorithm.to_jwk(key, as_dict=True) for key in (new, old)]
    keys = SigningKeys.load(written(tmp_path / "keys.json", *entries))
    retired = keys.find(SigningKey.of(old).kid)
    assert keys.active.kid == SigningKey.of(new).kid
    assert retired is not None
    assert retired.private.private_numbers() == old.private_numbers()
    assert keys.find("unheard of") is None
    assert keys.find(["no", "text"]) is None
    assert len(keys.jwks()["keys"]) == 2


def test_no_secret_shows_in_a_representation(tmp_path: Path) -> None:
    keys = SigningKeys.generate(tmp_path / "keys.json")
    assert "private=" not in repr(keys.active)


def rsa_jwk(bits: int) -> dict[str, object]:
    return RSAAlgorithm.to_jwk(generate_rsa_key(65_537, bits), as_dict=True)


def ec_jwk() -> dict[str, object]:
    return ECAlgorithm.to_jwk(generate_ec_key(SECP256R1()), as_dict=True)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (lambda: rsa_jwk(2_048), "RSA key of 2048 bits; at least 3072"),
        (
            lambda: ECAlgorithm.to_jwk(generate_ec_key(SECP384R1()), as_dict=True),
            "secp384r1; ES256 needs P-256",
        ),
        (lambda: {name: value for name, value in ec_jwk().items() if name != "d"}, "a private key is needed"),
        (lambda: {**ec_jwk(), "x": "AAAA"}, "cannot be read"),
        (lambda: {**ec_jwk(), "d": "AAAA"}, "cannot be read"),
        (lambda: {"kty": "oct", "k": "c2VjcmV0"}, "kty EC or RSA"),
        (lambda: "text", "a JWK is needed"),
    ],
)
def test_unfit_key_is_refused_with_its_place_and_without_its_value(tmp_path: Path, entry, complaint) -> None:
    value = entry()
    path = written(tmp_path / "keys.json", ec_jwk(), value)
    with pytest.raises(KeyFileError, match=complaint) as refused:
        SigningKeys.load(path)
    assert f"{path}, key 2" in str(refused.value)
    secret = value.get("d") if isinstance(value, dict) else None
    assert secret is None or str(secret) not in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": {}}', '{"keys": []}', "not json"])
def test_file_that_is_no_key_set_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="JWK Set"):
        SigningKeys.load(path)


def test_file_that_everyone_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="chmod 600"):
        SigningKeys.load(written(tmp_path / "keys.json", ec_jwk(), mode=0o644))


def test_missing_file_and_missing_keys_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SigningKeys.load(tmp_path / "none.json")
    with pytest.raises(KeyFileError, match="no key in force"):
        SigningKeys([])


def test_symmetric_algorithm_is_not_offered(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="choose one of ES256, RS256"):
        SigningKeys.generate(tmp_path / "keys.json", algorithm="HS256")
    assert list(tmp_path.iterdir()) == []


def test_published_key_verifies_what_the_private_one_signed(tmp_path: Path) -> None:
    keys = SigningKeys.generate(tmp_path / "keys.json")
    token = jwt.encode({"sub": "U_1"}, keys.active.private, algorithm="ES256")
    key = jwt.PyJWK(keys.jwks()["keys"][0])
    assert jwt.decode(token, key, algorithms=["ES256"]) == {"sub": "U_1"}
