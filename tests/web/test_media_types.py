"""Which of the two types is answered, and what counts as JSON."""

import pytest

from tenantry.web.media_types import GRAPHQL, JSON, is_json, response_type

NEW = b"application/graphql-response+json"
OLD = b"application/json"


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        (None, JSON),
        (b"*/*", JSON),
        (b"application/*", JSON),
        (OLD, JSON),
        (NEW, GRAPHQL),
        (NEW.upper(), GRAPHQL),
        (NEW + b"; charset=utf-8", GRAPHQL),
        (NEW + b", " + OLD + b";q=0.9", GRAPHQL),
        (OLD + b", " + NEW, GRAPHQL),
        (OLD + b", " + NEW + b";q=0.9", JSON),
        (NEW + b";q=0.5, */*", JSON),
        (NEW + b", */*", GRAPHQL),
        (NEW + b", */*;q=0.8", GRAPHQL),
        (b"text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", JSON),
        (OLD + b";q=0, */*", GRAPHQL),
        (NEW + b";q=0, */*", JSON),
        (b"*/*;q=0", None),
        (b"application/*;q=0, */*", None),
        (b"text/html", None),
        (b"application/jsonp", None),
        (b"", None),
        (OLD + b";q=high", None),
        (b", ".join([b"text/x"] * 200) + b"," + NEW, GRAPHQL),
    ],
)
def test_what_is_answered(accept: bytes | None, answer: bytes | None) -> None:
    assert response_type(accept) == answer


@pytest.mark.parametrize(
    ("content_type", "json"),
    [
        (OLD, True),
        (b"application/json;charset=UTF-8", True),
        (b'Application/JSON; charset="utf-8"', True),
        (b"application/json;", True),
        (b"application/json; charset=latin-1", False),
        (b"application/json, text/plain", False),
        (NEW, False),
        (b"application/graphql", False),
        (b"text/json", False),
        (b"", False),
        (None, False),
    ],
)
def test_what_counts_as_json(content_type: bytes | None, json: bool) -> None:
    assert is_json(content_type) is json
