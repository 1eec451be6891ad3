"""Logs: their form, their request id, and what must never be in them."""

import asyncio
import io
import json
import logging
import time
from collections.abc import Iterator

import pytest
import structlog

from tenantry.settings import Environment, Settings
from tenantry.web.telemetry import configure_logging, mask_secrets, masked_text, request_scope

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJVX2FubiJ9.c2lnbmF0dXJl-_"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Puts back what the process's one logging configuration was."""
    root = logging.root
    handlers, level = root.handlers[:], root.level
    access = logging.getLogger("uvicorn.access")
    kept = access.handlers[:], access.propagate
    yield io.StringIO()
    root.handlers, root.level = handlers, level
    access.handlers, access.propagate = kept
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        (f"refused {JWT} twice", JWT),
        ("Authorization: Bearer abcdef.123-_~", "abcdef"),
        ("it is whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, keep it", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("GET /callback?state=x&code=4%2F0Ab_secret HTTP/1.1", "0Ab_secret"),
        ("POST /x?refresh_token=r1_abc&y=1", "r1_abc"),
        ('{"token": "abc123", "a": 1}', "abc123"),
        ("{'password': 'hunter2'}", "hunter2"),
        ("client_secret=shh;", "shh"),
        ("mail to ann.o'neil+x@mail.example.org failed", "neil"),
        ("mail to <ann@example.org>", "ann"),
        ("GET /?to=ann%40example.org", "ann"),
        ("zoë@bücher.example", "zoë"),
        ("cannot reach postgresql://app:hunter2@localhost/tenantry", "hunter2"),
        ("redis://:hunter2@10.0.0.1:6379", "hunter2"),
        ("ticket=t_abc", "t_abc"),
    ],
)
def test_what_looks_secret_is_masked(text: str, gone: str) -> None:
    assert gone in text
    assert gone not in masked_text(text)
    assert "[masked]" in masked_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "GET /graphql 200",
        "M_kF3mT0abc joined T_x",
        "cache.failed",
        "2026-01-02T03:04:05Z",
        "https://host/a@b",
        "",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert masked_text(text) == text


SECRET_KEYS = [
    "token",
    "refreshToken",
    "access_token",
    "tokens",
    "secret",
    "client_secret",
    "password",
    "code",
    "email",
    "e_mail",
    "Authorization",
    "cookie",
    "Set-Cookie",
    "jwt",
    "dsn",
]


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_secret_keys_hide_any_value_at_any_depth(key: str) -> None:
    for value in ("x", 123456, ["x"], {"a": "x"}):
        masked = mask_secrets(None, "info", {"event": "e", key: value, "deep": [{"a": {key: value}}]})
        assert masked == {"event": "e", key: "[masked]", "deep": [{"a": {key: "[masked]"}}]}


@pytest.mark.parametrize(
    "unit", ["a", "a.", "eyJa.", "@", "a@b.", "token", "://a", "bearer ", "%40a.", "=:'"]
)
def test_masking_a_long_line_takes_no_long_time(unit: str) -> None:
    began = time.process_time()
    masked_text(unit * 5_000)
    assert time.process_time() - began < 0.5


def test_other_values_keep_their_form() -> None:
    event = {
        "event": "e",
        "error_code": "FORBIDDEN",
        "n": 1,
        "f": 0.5,
        "none": None,
        "ok": True,
        "list": (1, "a"),
    }
    assert mask_secrets(None, "info", dict(event)) == event | {"list": [1, "a"]}


def test_what_is_nested_too_deep_is_still_masked() -> None:
    nested: object = {"password": "hunter2"}
    for _ in range(30):
        nested = [nested]
    assert "hunter2" not in str(mask_secrets(None, "info", {"event": "e", "deep": nested}))


def test_production_writes_one_json_object_a_line(stream: io.StringIO) -> None:
    configure_logging(Settings(environment=Environment.PRODUCTION), stream=stream)
    structlog.get_logger("tenantry.api").info("operation.done", seconds=0.5, mail="to ann@example.org\nnext")
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "operation.done",
        "seconds": 0.5,
        "mail": "to [masked]\nnext",
        "level": "info",
        "logger": "tenantry.api",
    }


def test_development_writes_for_the_eye(stream: io.StringIO) -> None:
    configure_logging(Settings(environment=Environment.DEVELOPMENT), stream=stream)
    structlog.get_logger().warning("hello", password="hunter2")
    try:
        {}["ann@example.org"]
    except KeyError:
        structlog.get_logger().exception("failed")
    assert "hello" in stream.getvalue()
    assert "KeyError: '[masked]'" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_uvicorn_s_and_other_libraries_lines_are_masked_too(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").handlers = [logging.NullHandler()]
    logging.getLogger("uvicorn.access").propagate = False
    configure_logging(Settings(environment=Environment.PRODUCTION), stream=stream)
    logging.getLogger("uvicorn.access").info('%s - "%s %s"', "10.0.0.1", "GET", "/cb?code=abc&x=1")
    logging.getLogger("some.library").warning("bad token=%s", "abc")
    first, second = lines(stream)
    assert first["event"] == '10.0.0.1 - "GET /cb?code=[masked]&x=1"'
    assert (second["event"], second["level"]) == ("bad token=[masked]", "warning")


def test_exceptions_are_masked(stream: io.StringIO) -> None:
    configure_logging(Settings(environment=Environment.PRODUCTION), stream=stream)
    try:
        {}[f"ann@example.org with {JWT}"]
    except KeyError:
        structlog.get_logger().exception("operation.failed")
        logging.getLogger("lib").exception("failed")
    for line in lines(stream):
        assert "KeyError: '[masked] with [masked]'" in line["exception"]


async def test_lines_carry_the_id_of_their_own_request(stream: io.StringIO) -> None:
    configure_logging(Settings(environment=Environment.PRODUCTION), stream=stream)

    async def handle(number: int) -> None:
        with request_scope(f"r{number}"):
            await asyncio.sleep(0.001)
            structlog.get_logger().info("here", number=number)

    await asyncio.gather(*(handle(number) for number in range(5)))
    structlog.get_logger().info("outside")
    *inside, outside = lines(stream)
    assert [line["request_id"] for line in inside] == [f"r{line['number']}" for line in inside]
    assert "request_id" not in outside


def test_a_level_that_is_off_says_nothing(stream: io.StringIO) -> None:
    configure_logging(Settings(environment=Environment.PRODUCTION, log_level="WARNING"), stream=stream)
    structlog.get_logger().info("quiet")
    logging.getLogger("lib").info("quiet")
    assert stream.getvalue() == ""
