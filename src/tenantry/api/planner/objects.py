"""JSON as PostgreSQL writes it: text put together from constants and printed values.

``json_build_object`` looks up the type of each of its values in each row; ``concat`` does so once a
statement. An object is one ``concat``, a list one ``string_agg``, and the bytes go out as they are.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Integer,
    ScalarSelect,
    Text,
    cast,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.types import UserDefinedType


class JsonText(UserDefinedType[str]):
    """Text that is JSON already, to be put in as it is."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in SQL."""
        return "text"


JSON_TEXT = JsonText()
BUILD_LIMIT = 80
"""PostgreSQL's functions take 100 arguments."""
NODE_ID = "node_id"
"""The one column whose text is ours by every character, so that it needs no escape (``kernel.ids``)."""


def _constant(text: str) -> ColumnElement[Any]:
    # Our own text: GraphQL names, which have letters, digits and _ only (GraphQL 2.1.9), and punctuation.
    return literal_column(f"'{text}'", JSON_TEXT)


NULL = _constant("null")
_SEPARATOR = literal_column("','", Text())


def typename(name: str) -> ColumnElement[Any]:
    """``__typename``, known before the statement runs."""
    return _constant(f'"{name}"')


def ordered(value: ColumnElement[Any], by: Sequence[ColumnElement[Any]]) -> Any:
    """An aggregate's last argument with its ORDER BY."""
    return aggregate_order_by(value, *by) if by else value


def collected(value: ColumnElement[Any], by: Sequence[ColumnElement[Any]] = ()) -> ColumnElement[Any]:
    """All rows' JSON as a JSON array, in order."""
    joined = func.string_agg(value, ordered(_SEPARATOR, by))
    return func.concat(_constant("["), joined, _constant("]"), type_=JSON_TEXT)


def quoted(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Text that needs no escape as a JSON string."""
    return func.concat(_constant('"'), value, _constant('"'), type_=JSON_TEXT)


def build_object(members: list[tuple[str, ColumnElement[Any]]]) -> ColumnElement[Any]:
    """A JSON object of keys and values, in one ``concat``; a wide one is put together from several."""
    parts: list[ColumnElement[Any]] = []
    pieces: list[ColumnElement[Any]] = []
    text = "{"
    for place, (key, value) in enumerate(members):
        text += f'{"," if place else ""}"{key}":'
        for piece in _printed(value):
            if isinstance(piece, str):
                text += piece
            else:
                pieces += [_constant(text), piece]
                text = ""
        if len(pieces) >= BUILD_LIMIT:
            parts.append(func.concat(*pieces, type_=JSON_TEXT))
            pieces = []
    return func.concat(*parts, *pieces, _constant(text + "}"), type_=JSON_TEXT)


def _printed(value: ColumnElement[Any]) -> Sequence[str | ColumnElement[Any]]:
    """A value's JSON, ``null`` where it is NULL: constants, and text or what prints as JSON has it."""
    kind = value.type
    stands = isinstance(value, Column) and not value.nullable
    if isinstance(kind, JsonText):
        return [func.coalesce(value, NULL) if isinstance(value, ScalarSelect) else value]
    if isinstance(kind, (Boolean, Integer, JSON)):
        # A boolean prints as `t` unless it is cast.
        bare = stands and not isinstance(kind, Boolean)
        return [value if bare else func.coalesce(cast(value, Text()), NULL)]
    if stands and value.name == NODE_ID:
        return ['"', value, '"']
    return [func.to_json(value) if stands else func.coalesce(cast(func.to_json(value), Text()), NULL)]
