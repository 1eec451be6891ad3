"""Thousands of access tokens that are almost ours, each by something that an attacker would try.

Generated anew for each run around fresh keys. Nothing here is accepted by a verifier that pins the
algorithm to the key, requires every claim by type, and takes one spelling of a token only.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256, sha384, sha512
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tenantry.tokens.access_tokens import CANONICAL_CLAIMS
from tenantry.tokens.signing import SigningKey
from tenantry.tokens.spelling import one_spelling

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of the curve (SEC 2, section 2.4.2): with (r, s), (r, n - s) verifies too."""

OTHERS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**70, "", " ", "x", "null", [], [None], ["x", 1], {}, {"a": 1}, [[]],
    "1e400", "\u0000", "\ud83d\ude00" * 50,
)  # fmt: skip
"""Values of every type; which of them a claim may not be depends on the claim."""

Stated = tuple[dict[str, Any], dict[str, Any]]


def encode(raw: bytes) -> str:
    """base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def stated(token: str) -> Stated:
    """Header and claims of a token, unproved."""
    header, payload, _ = token.split(".")
    return json.loads(decode(header)), json.loads(decode(payload))


def hostile_tokens(good: str, key: SigningKey) -> Iterator[tuple[str, str]]:
    """What was done, and the token. All are made from ``good``, a token of ``key``'s; some with ``key``."""
    header, claims = stated(good)
    yield from _claims(header, claims, key)
    yield from _headers(header, claims, key)
    yield from _algorithms(header, claims, key)
    yield from _spellings(good)
    yield from _damage(good)
    yield from _bodies(header, claims, key)


def _claims(header: dict[str, Any], claims: dict[str, Any], key: SigningKey) -> Iterator[tuple[str, str]]:
    """Signed by us, and still none of ours: a claim missing, of another type, of another world."""
    for name in CANONICAL_CLAIMS:
        if name != "role":  # for people; nothing is decided by it
            yield f"without {name}", _raw(header, {n: v for n, v in claims.items() if n != name}, key)
        for value in OTHERS:
            if not _may_be(name, value, claims):
                yield f"{name} is {value!r}", _raw(header, claims | {name: value}, key)
    foreign = {
        "another issuer": {"iss": "https://evil.example"},
        "an issuer with a slash": {"iss": f"{claims['iss']}/"},
        "another audience": {"aud": "another"},
        "among audiences of others": {"aud": ["another", "third"]},
        "expired": {"exp": claims["iat"] - 1},
        "born tomorrow": {"iat": claims["iat"] + 86_400, "exp": claims["exp"] + 86_400},
        "not before tomorrow": {"nbf": claims["iat"] + 86_400},
        "a tenant's token without tenant": {"tenant_id": None},
        "a platform token with a tenant": {"scope": "system"},
        "a scope of its own": {"scope": "tenant system"},
        "a session that is no key": {"sid": "1"},
    }
    for what, changes in foreign.items():
        yield what, _raw(header, claims | changes, key)


def _may_be(name: str, value: object, claims: Mapping[str, Any]) -> bool:
    """Whether a verifier has no reason to refuse this value of this claim by itself."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    harmless = {
        "iat": number and cast("float", value) <= claims["iat"],  # only `exp` ends a token
        "jti": isinstance(value, str) and value != "",
        "mv": type(value) is int,
        "role": True,
        "roles": value == [],
        "sub": isinstance(value, str) and value != "",
        "tenant_id": isinstance(value, str) and value != "",
        "tv": type(value) is int,
    }
    unchanged = value == claims.get(name) and type(value) is type(claims.get(name))
    return unchanged or harmless.get(name, False)


def _headers(header: dict[str, Any], claims: dict[str, Any], key: SigningKey) -> Iterator[tuple[str, str]]:
    """Headers that would have the verifier look elsewhere, or read differently."""
    for typ in (
        "JWT",
        "jwt",
        "at+JWT",
        "application/at+jwt",
        "",
        None,
        1,
        "at+jwt ",
        "dpop+jwt",
        "logout+jwt",
    ):
        yield f"typ {typ!r}", _raw({**header, "typ": typ}, claims, key)
    near = (f"{key.kid} ", key.kid[:-1], "unknown", "../../dev/null", "' OR 1=1 --")
    kids: tuple[Any, ...] = ("", None, 1, [], {}, *near)
    for kid in kids:
        yield f"kid {kid!r}", _raw({**header, "kid": kid}, claims, key)
    yield "no typ", _raw({n: v for n, v in header.items() if n != "typ"}, claims, key)
    yield "no kid", _raw({n: v for n, v in header.items() if n != "kid"}, claims, key)
    yield "no alg", _raw({n: v for n, v in header.items() if n != "alg"}, claims, key)
    own = SigningKey.of(generate_private_key(SECP256R1()))
    pointing: dict[str, Any] = {
        "jku": "http://127.0.0.1:9/jwks.json",
        "x5u": "http://127.0.0.1:9/cert.pem",
        "jwk": dict(own.public_jwk),
        "x5c": ["MIIB"],
        "x5t": "AAAA",
        "crit": ["exp"],
        "b64": False,
        "zip": "DEF",
        "cty": "JWT",
        "enc": "A256GCM",
    }
    for name, value in pointing.items():
        yield f"{name}, signed by another", _raw({**header, name: value}, claims, own)
    yield "crit that we do not know", _raw({**header, "crit": ["future"], "future": 1}, claims, key)
    yield "crit and b64", _raw({**header, "crit": ["b64"], "b64": False}, claims, key)


def _raw(header: Mapping[str, Any], claims: object, key: SigningKey) -> str:
    """Signed by hand, since a library refuses to write such headers."""
    return _sealed(_start(header, claims), key)


def _sealed(start: str, key: SigningKey) -> str:
    return one_spelling(f"{start}.{encode(_signature(start, key))}")


def _start(header: Mapping[str, Any], claims: object) -> str:
    return f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"


def _signature(start: str, key: SigningKey) -> bytes:
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    return algorithm.sign(start.encode(), key.private)


def _algorithms(header: dict[str, Any], claims: dict[str, Any], key: SigningKey) -> Iterator[tuple[str, str]]:
    """Every other algorithm, and our public key taken for a secret."""
    strangers: dict[str, Any] = {
        "ES256": generate_private_key(SECP256R1()),
        "ES384": generate_private_key(SECP384R1()),
        "EdDSA": Ed25519PrivateKey.generate(),
        "RS256": generate_rsa_key(65_537, 2_048),
        "PS256": generate_rsa_key(65_537, 2_048),
    }
    for name, stranger in strangers.items():
        for kid in (key.kid, "another"):
            made = jwt.encode(claims, stranger, algorithm=name, headers={**header, "kid": kid, "alg": name})
            yield f"{name} by a stranger, kid {kid[:7]}", made
    secrets = {
        "nothing": b"",
        "a PEM": key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "a DER": key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "a JWK": json.dumps(dict(key.public_jwk)).encode(),
        "the kid": key.kid.encode(),
        "secret": b"secret",
    }
    for name, digest in (("HS256", sha256), ("HS384", sha384), ("HS512", sha512)):
        for what, secret in secrets.items():
            start = _start({**header, "alg": name}, claims)
            yield f"{name} with {what}", f"{start}.{encode(hmac.digest(secret, start.encode(), digest))}"
    names: tuple[Any, ...] = (
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        None,
        0,
        [],
        "ES256 ",
        "es256",
        "ES512",
        "ES256K",
        "RSA-OAEP",
    )
    for name in names:
        start = (
            f"{encode(json.dumps({**header, 'alg': name}).encode())}.{encode(json.dumps(claims).encode())}"
        )
        yield f"alg {name!r} without signature", f"{start}."
        yield f"alg {name!r} with ours", _sealed(start, key)


def _spellings(good: str) -> Iterator[tuple[str, str]]:
    """The same token written otherwise."""
    start, _, signature = good.rpartition(".")
    header, payload = start.split(".")
    raw = decode(signature)
    half = len(raw) // 2
    der = b"\x30\x44\x02\x20" + raw[:half] + b"\x02\x20" + raw[half:]
    twin = raw[:half] + (P256_ORDER - int.from_bytes(raw[half:])).to_bytes(half)
    yield "the twin signature", f"{start}.{encode(twin)}"
    yield from {
        "padded": f"{good}==",
        "padded inside": f"{header}=.{payload}.{signature}",
        "a fourth part": f"{good}.",
        "five parts": f"{good}.a.b",
        "two parts": start,
        "no part": "..",
        "doubled": f"{good}{good}",
        "two tokens": f"{good} {good}",
        "two tokens, a comma": f"{good},{good}",
        "standard base64": f"{start}.{signature.replace('-', '+').replace('_', '/')}+",
        "a line break": f"{start}.{signature[:40]}\n{signature[40:]}",
        "a tab": f"{start}\t.{signature}",
        "a byte order mark": f"\ufeff{good}",
        "a zero byte": f"{good}\x00",
        "a fullwidth dot": good.replace(".", "\uff0e", 1),
        "upper case": good.upper(),
        "swapped parts": f"{payload}.{header}.{signature}",
        "DER": f"{start}.{encode(der)}",
        "zeros": f"{start}.{encode(bytes(len(raw)))}",
        "zero r": f"{start}.{encode(bytes(half) + raw[half:])}",
        "the order": f"{start}.{encode(P256_ORDER.to_bytes(half) * 2)}",
        "nested": f"{encode(good.encode())}.{payload}.{signature}",
        "a megabyte": good + "A" * 1_000_000,
        "a megabyte of dots": "." * 1_000_000,
    }.items()
    for extra in "-_.ABCabc019 ":
        yield f"{extra!r} behind", f"{good}{extra}"
        yield f"{extra!r} before", f"{extra}{good}"


def _damage(good: str) -> Iterator[tuple[str, str]]:
    """Cut at every byte, and every bit of every byte turned over."""
    for length in range(len(good)):
        yield f"cut at {length}", good[:length]
    for place, letter in enumerate(good):
        for bit in range(8):
            turned = chr(ord(letter) ^ 1 << bit)
            yield f"bit {bit} of {place}", good[:place] + turned + good[place + 1 :]


def _bodies(header: dict[str, Any], claims: dict[str, Any], key: SigningKey) -> Iterator[tuple[str, str]]:
    """Payloads that are signed by us and are no claims: other JSON, no JSON, deep, doubled."""
    whole = json.dumps(claims)
    doubled = whole[:-1] + ', "iss": "https://evil.example"}'
    for what, payload in {
        "an array": "[]",
        "a string": '"x"',
        "null": "null",
        "empty": "",
        "no JSON": "{",
        "deep": "[" * 5_000 + "]" * 5_000,
        "a deep claim": whole[:-1] + ', "roles": ' + "[" * 3_000 + "]" * 3_000 + "}",
        "a key twice": doubled,
        "not UTF-8": "\udcff",
        "a number without end": whole[:-1] + ', "exp": 1e400}',
        "NaN": whole[:-1] + ', "exp": NaN}',
    }.items():
        start = f"{encode(json.dumps(header).encode())}.{encode(payload.encode('utf-8', 'surrogateescape'))}"
        yield what, _sealed(start, key)
    for start in ('{"alg":', "[]", '"x"', "", "{}", "null", "[" * 5_000):
        made = f"{encode(start.encode())}.{encode(whole.encode())}"
        yield f"header {start[:8]!r}", _sealed(made, key)
