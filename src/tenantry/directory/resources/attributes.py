"""An object's attributes against its type's JSON Schema."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson
from jsonschema.exceptions import ValidationError
from jsonschema.validators import Draft202012Validator

from tenantry.kernel.errors import BadUserInput

MAX_BYTES = 16_384
"""Of one object's attributes, printed."""
MAX_PROBLEMS = 10
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""As JSON escapes it; not behind an escaped backslash."""


def checked(attributes: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes, if the schema (JSON Schema 2020-12) takes them.

    Raises ``BadUserInput``, each fault by its place; a message names the place and the rule, never the
    value. Nothing is fetched: ``blueprints.schemas`` refuses a ``$ref`` when the blueprint is read.
    """
    if problem := _unstorable(attributes):
        raise BadUserInput("Some input cannot be taken.", {"attributes": problem})
    validator: Any = _validator(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))
    found: Iterable[ValidationError] = islice(validator.iter_errors(dict(attributes)), MAX_PROBLEMS)
    problems = {_place(error): f"does not satisfy `{error.validator}`" for error in found}
    if problems:
        raise BadUserInput("Some input cannot be taken.", problems)
    return dict(attributes)


def _unstorable(attributes: Mapping[str, Any]) -> str | None:
    """What PostgreSQL would not hold, or not give back as it was."""
    try:
        printed = orjson.dumps(attributes)
    except TypeError:
        return "an integer has at most 64 bits"
    if len(printed) > MAX_BYTES:
        return f"take at most {MAX_BYTES} bytes"
    if _NUL.search(printed):
        return "a text holds no NUL"
    # What is infinite is printed as null.
    return None if orjson.loads(printed) == attributes else "a number is too large"


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(orjson.loads(schema))


def _place(error: ValidationError) -> str:
    return ".".join(["attributes", *map(str, error.absolute_path)])
