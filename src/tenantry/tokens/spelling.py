"""One spelling for each token, so that no other text means the same.

Two things leave a compact JWS more than one spelling: base64url that is padded or has bits set
which no byte takes (RFC 4648, section 3.5), and ECDSA, which accepts (r, n - s) wherever it accepts
(r, s). We write the shorter ``s`` ("low S", as BIP 62 has it), and read nothing else.
"""

import base64
import binascii

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order n of the curve (SEC 2, section 2.4.2)."""
ES256_BYTES = 64
"""r and s, 32 bytes each (RFC 7518, section 3.4); an RSA signature of ours is several times as long."""
_PARTS = 3


def one_spelling(token: str) -> str:
    """``token``, just signed by us, in the spelling that ``is_one_spelling`` takes."""
    start, _, signature = token.rpartition(".")
    raw = _decoded(signature)
    if raw is None or len(raw) != ES256_BYTES:
        return token
    r, s = raw[: ES256_BYTES // 2], int.from_bytes(raw[ES256_BYTES // 2 :])
    low = min(s, P256_ORDER - s).to_bytes(ES256_BYTES // 2)
    return f"{start}.{_encoded(r + low)}"


def is_one_spelling(token: str) -> bool:
    """Whether ``token`` is three parts of strict base64url, and an ES256 signature the low one.

    Says nothing of its truth. ``token`` may be any text.
    """
    parts = token.split(".")
    raw = [_decoded(part) for part in parts]
    if len(parts) != _PARTS or any(each is None for each in raw):
        return False
    signature = raw[-1] or b""
    return len(signature) != ES256_BYTES or int.from_bytes(signature[ES256_BYTES // 2 :]) <= P256_ORDER // 2


def _decoded(part: str) -> bytes | None:
    """The bytes of ``part``, None where it is not exactly how they are written."""
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    return raw if _encoded(raw) == part else None


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
