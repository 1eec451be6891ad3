"""Which JSON comes in and goes out (GraphQL over HTTP, sections 4 and 5)."""

from functools import lru_cache

GRAPHQL = b"application/graphql-response+json; charset=utf-8"
JSON = b"application/json; charset=utf-8"

_ORDER = ((GRAPHQL, "application/graphql-response+json"), (JSON, "application/json"))
NAMED = 3
_CACHED_CHARACTERS = 256


def response_type(accept: bytes | None) -> bytes | None:
    """The content type of the answer, None where the client takes neither (RFC 9110, 12.5.1).

    Without a preference, ``application/json``: what clients from before the specification expect.
    """
    if accept is None:
        return JSON
    return _negotiated(accept) if len(accept) <= _CACHED_CHARACTERS else _negotiate(accept)


def is_json(content_type: bytes | None) -> bool:
    """Whether a body is said to be JSON in UTF-8, which is what JSON without a charset is."""
    return content_type is not None and (
        content_type == b"application/json" or _is_json(content_type.decode("latin-1").lower())
    )


def _is_json(content_type: str) -> bool:
    essence, *parameters = (part.strip() for part in content_type.split(";"))
    names = [parameter.partition("=") for parameter in parameters if parameter]
    charsets = [value.strip('"') for name, _, value in names if name == "charset"]
    return essence == "application/json" and all(value in {"utf-8", "utf8"} for value in charsets)


def _negotiate(accept: bytes) -> bytes | None:
    ranges = [_range(item) for item in accept.decode("latin-1").lower().split(",")]
    offers: list[tuple[float, int, bool, bytes]] = []
    for content_type, name in _ORDER:
        # The most exact range that fits decides the quality; q=0 means "not this one".
        exactness, quality = max((_exactness(pattern, name), quality) for pattern, quality in ranges)
        if exactness and quality:
            # Named by both: the newer type. Met by a wildcard alone: the older.
            preferred = (content_type is GRAPHQL) == (exactness == NAMED)
            offers.append((quality, exactness, preferred, content_type))
    return max(offers)[3] if offers else None


_negotiated = lru_cache(maxsize=256)(_negotiate)


def _range(item: str) -> tuple[str, float]:
    pattern, *parameters = (part.strip() for part in item.split(";"))
    quality = next((parameter for parameter in parameters if parameter.startswith("q=")), "q=1")
    try:
        return pattern, min(max(float(quality[2:]), 0.0), 1.0)
    except ValueError:
        return pattern, 0.0


def _exactness(pattern: str, name: str) -> int:
    return NAMED if pattern == name else {"application/*": 2, "*/*": 1}.get(pattern, 0)
