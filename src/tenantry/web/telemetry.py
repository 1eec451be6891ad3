"""Logs: one JSON object a line in production, a console in development; secrets masked in both.

Masking is the second wall, behind the rule that nothing personal or secret is logged at all. It
runs over the whole line, exceptions and other libraries' messages included, right before it is
rendered, and only for lines that a level lets through.
"""

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar, Token
from typing import TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from tenantry.settings import Settings

MASK = "[masked]"
MASKED_KEY = re.compile(
    r"(authorization|cookie|credential|e_?mail|jwt|password|secret|ticket|token)s?$|^(code|dsn|otp)$",
    re.IGNORECASE,
)
MAX_DEPTH = 8

_PATTERNS: Sequence[tuple[re.Pattern[str], str]] = (
    # A compact JWS or JWE (RFC 7515 section 7.1): its header, a JSON object, begins with eyJ.
    (re.compile(r"\beyJ[\w-]{5,}(?:\.[\w-]*){1,4}"), MASK),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{4,}", re.IGNORECASE), rf"\1 {MASK}"),
    (
        re.compile(
            r"((?:token|secret|password|passwd|ticket|\bcode)[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;}\]]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    # A secret of Standard Webhooks.
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=]{4,}"), MASK),
    (re.compile(r"(://)[^/\s@]{1,512}@"), rf"\1{MASK}@"),
    (re.compile(r"[^\s@<>\"'()=,;:/\[\]]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), MASK),
)
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")


_REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)


def configure_logging(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Send our lines and every library's through one handler; call once, before the first line.

    Run uvicorn with ``log_config=None``, or it puts its own handlers back.
    """
    level = logging.getLevelNamesMapping()[settings.log_level]
    shared: list[Processor] = [
        _name_request,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Processor = console if settings.development else _render_json
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_secrets,
                renderer,
            ],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(level)
    for name in _UVICORN:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True


class RequestScope:
    """Within it, every line of this task and its children carries the request's id.

    One variable of our own: structlog's bound ones are a dictionary made anew for each request.
    """

    __slots__ = ("_request_id", "_token")

    _token: Token[str | None]

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def __enter__(self) -> None:
        self._token = _REQUEST_ID.set(self._request_id)

    def __exit__(self, *_: object) -> None:
        _REQUEST_ID.reset(self._token)


def request_scope(request_id: str) -> RequestScope:
    """The scope of one request, to be entered around it."""
    return RequestScope(request_id)


def _name_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: the request's id, inside of one."""
    request_id = _REQUEST_ID.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    return event


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: what looks like a credential or an address becomes ``[masked]``."""
    return {key: _masked_entry(key, value, 0) for key, value in event.items()}


def _masked_entry(key: str, value: object, depth: int) -> object:
    return MASK if MASKED_KEY.search(key) else _masked(value, depth)


def _masked(value: object, depth: int) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping() if depth < MAX_DEPTH:
            entries = cast("Mapping[object, object]", value)
            return {str(key): _masked_entry(str(key), entry, depth + 1) for key, entry in entries.items()}
        case list() | tuple() | set() | frozenset() if depth < MAX_DEPTH:
            return [_masked(entry, depth + 1) for entry in cast("Sequence[object]", value)]
        case _:
            return masked_text(str(value))


def masked_text(text: str) -> str:
    """``text`` without tokens, secrets and e-mail addresses, as far as their form betrays them."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str).decode()
