"""The platform's own signing keys: a JWK Set file with private keys (RFC 7517)."""

import base64
import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tenantry.kernel.clock import Clock, system_clock
from tenantry.tokens.errors import KeyFileError
from tenantry.tokens.key_files import Entry, create, read_entries
from tenantry.tokens.key_ring import ALWAYS, KeyRing, KeyState, Times

MIN_RSA_BITS = 3_072
"""128 bits of strength, as ES256 has (NIST SP 800-57 part 1, table 2)."""
ALGORITHMS = ("ES256", "RS256")

PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey
PublicKey = EllipticCurvePublicKey | RSAPublicKey

_THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair, pinned to one algorithm; ``kid`` is its RFC 7638 thumbprint."""

    kid: str
    algorithm: str
    private: PrivateKey = field(repr=False)
    public: PublicKey = field(repr=False)
    public_jwk: Mapping[str, str]
    times: Times = ALWAYS

    @classmethod
    def of(cls, private: PrivateKey, times: Times = ALWAYS) -> "SigningKey":
        """Pins ``private`` to its algorithm: P-256 to ES256, RSA of 3,072 bits or more to RS256.

        Raises:
            KeyFileError: another curve, or a shorter RSA key.
        """
        jwk = _public_jwk(private)
        kid = thumbprint(jwk)
        algorithm = "RS256" if isinstance(private, RSAPrivateKey) else "ES256"
        published = {**jwk, "kid": kid, "use": "sig", "alg": algorithm}
        return cls(kid, algorithm, private, private.public_key(), published, times)


class SigningKeys(KeyRing[SigningKey]):
    """Keys to sign and verify with: one is active, the others still verify."""

    def __init__(self, keys: Sequence[SigningKey], *, clock: Clock = system_clock) -> None:
        super().__init__(keys, clock)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that tokens of ours may be signed with, the active key's first."""
        return tuple(dict.fromkeys([self.active.algorithm, *(key.algorithm for key, _ in self.all())]))

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public JWK Set to publish (RFC 7517, section 5): no private member is in it.

        A key that is to be active is there before it signs, so that verifiers know it by then.
        """
        return {"keys": [dict(key.public_jwk) for key, state in self.all() if state is not KeyState.ENDED]}

    @classmethod
    def load(cls, path: Path, *, clock: Clock = system_clock) -> "SigningKeys":
        """The keys of the JWK Set file at ``path``.

        Raises:
            FileNotFoundError: there is no such file.
            KeyFileError: others may read it, it is no JWK Set, or a key is public, short or of
                another kind. The message never holds key material.
        """
        return cls(read_keys(path), clock=clock)

    @classmethod
    def generate(cls, path: Path, *, algorithm: str = "ES256") -> "SigningKeys":
        """Writes a fresh key (ES256, or RS256 of 3,072 bits) to ``path``, mode 0600, whole or not at all.

        Raises:
            FileExistsError: a key file is never overwritten.
            KeyFileError: another algorithm.
        """
        create(path, fresh_entry(algorithm))
        return cls.load(path)

    @classmethod
    def load_or_generate(
        cls, path: Path, *, algorithm: str = "ES256", clock: Clock = system_clock
    ) -> "SigningKeys":
        """The keys at ``path``, made first where there is no file; safe among several workers."""
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                cls.generate(path, algorithm=algorithm)
        return cls.load(path, clock=clock)


def read_keys(path: Path) -> list[SigningKey]:
    """The keys of a file, for a ring that follows it. Raises what ``SigningKeys.load`` does."""
    return [_read(entry, f"{path}, key {number}") for number, entry in enumerate(read_entries(path), 1)]


def fresh_entry(algorithm: str) -> Entry:
    """A fresh key as a file holds it. Raises ``KeyFileError`` for another algorithm than ES256 and RS256."""
    return _private_jwk(_fresh(algorithm))


def thumbprint(jwk: Mapping[str, str]) -> str:
    """RFC 7638, section 3: base64url of SHA-256 over the required members, sorted, without spaces."""
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def _public_jwk(private: PrivateKey) -> dict[str, str]:
    if isinstance(private, RSAPrivateKey):
        if private.key_size < MIN_RSA_BITS:
            raise KeyFileError(f"an RSA key of {private.key_size} bits; at least {MIN_RSA_BITS} are needed")
        whole = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        return {name: str(whole[name]) for name in ("kty", "n", "e")}
    if not isinstance(private.curve, SECP256R1):
        raise KeyFileError(f"an EC key on {private.curve.name}; ES256 needs P-256")
    whole = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return {name: str(whole[name]) for name in ("kty", "crv", "x", "y")}


def _private_jwk(private: PrivateKey) -> dict[str, Any]:
    if isinstance(private, RSAPrivateKey):
        return {**RSAAlgorithm.to_jwk(private, as_dict=True), "alg": "RS256"}
    return {**ECAlgorithm.to_jwk(private, as_dict=True), "alg": "ES256"}


def _fresh(algorithm: str) -> PrivateKey:
    if algorithm == "ES256":
        return generate_private_key(SECP256R1())
    if algorithm == "RS256":
        return generate_rsa_key(public_exponent=65_537, key_size=MIN_RSA_BITS)
    raise KeyFileError(
        f"{algorithm} is no algorithm for access tokens; choose one of {', '.join(ALGORITHMS)}"
    )


def _read(entry: Entry, place: str) -> SigningKey:
    private = _parse(entry, place)
    try:
        return SigningKey.of(private, Times.of(entry))
    except KeyFileError as error:
        raise KeyFileError(f"{place}: {error}") from None


def _parse(entry: Entry, place: str) -> PrivateKey:
    reader = {"EC": ECAlgorithm.from_jwk, "RSA": RSAAlgorithm.from_jwk}.get(str(entry.get("kty")))
    if reader is None:
        raise KeyFileError(f"{place}: a JWK of kty EC or RSA is needed")
    try:
        key = reader(entry)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        # The cause may quote the key: it is not chained.
        raise KeyFileError(f"{place}: the JWK cannot be read") from None
    if not isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise KeyFileError(f"{place}: a private key is needed (member d)")
    return key
