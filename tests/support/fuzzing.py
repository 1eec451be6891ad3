"""Every operation of an OpenAPI description asked with made-up requests, and each answer held against it."""
# schemathesis and requests leave types of theirs open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Mapping
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
]


def fuzz(
    description: Mapping[str, Any], base_url: str, *, headers: Mapping[str, str], examples: int
) -> dict[str, set[int]]:
    """The statuses that each operation has answered; blocking.

    Half of the requests fit the description, half do not. The same ones come in every run.
    Raises ``schemathesis.errors`` or ``FailureGroup`` where an answer is not as described.
    """
    schema = schemathesis.openapi.from_dict(dict(description), config=schemathesis.Config())
    seen: dict[str, set[int]] = {}
    with requests.Session() as session:
        session.trust_env = False

        def send(case: Case[Any]) -> None:
            answer = case.call_and_validate(base_url, session, dict(headers), CHECKS)
            seen.setdefault(f"{case.method} {case.operation.path}", set()).add(answer.status_code)

        for found in schema.get_all_operations():
            operation: Any = found
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                _made_up(operation.ok().as_strategy(generation_mode=mode), send, examples)
    return seen


def _made_up(cases: SearchStrategy[Case[Any]], send: Callable[[Case[Any]], None], examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(case=cases)
    def ask(case: Case[Any]) -> None:
        send(case)

    ask()
