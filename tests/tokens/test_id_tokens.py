"""ID tokens of the development provider: verifiable by its JWK Set, and by no other."""

import jwt
import pytest

from tenantry.tokens.id_tokens import IdTokenSigner

CLAIMS = {"iss": "http://127.0.0.1/dev/idp", "aud": "client", "sub": "someone", "exp": 4_102_444_800}


def read(token: str, signer: IdTokenSigner) -> dict[str, object]:
    key = jwt.PyJWK(signer.jwks()["keys"][0])
    return jwt.decode(token, key, algorithms=["ES256"], audience="client")


def test_its_own_key_set_verifies_it() -> None:
    signer = IdTokenSigner()
    assert read(signer.sign(CLAIMS), signer) == CLAIMS


def test_the_header_names_the_key_and_the_algorithm() -> None:
    signer = IdTokenSigner()
    header = jwt.get_unverified_header(signer.sign(CLAIMS))
    assert header == {"alg": "ES256", "typ": "JWT", "kid": signer.jwks()["keys"][0]["kid"]}
    assert signer.algorithm == "ES256"


def test_another_signer_s_key_refuses_it() -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        read(IdTokenSigner().sign(CLAIMS), IdTokenSigner())


def test_no_private_member_is_published() -> None:
    (key,) = IdTokenSigner().jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
