"""Scalars of the graph."""

from datetime import UTC, datetime
from typing import NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from tenantry.access.permissions import InvalidPermission, parse


def print_time(value: datetime) -> str:
    """RFC 3339 in UTC exactly as PostgreSQL prints a ``timestamptz`` in JSON, zeros trimmed."""
    text = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}+00:00"


def parse_time(value: object) -> datetime:
    """An RFC 3339 time with an offset, as UTC. Raises ``ValueError`` or ``TypeError`` for anything else."""
    parsed = datetime.fromisoformat(_text(value, "a time is a string such as 2026-01-31T12:00:00Z"))
    if parsed.tzinfo is None:
        raise ValueError("a time needs an offset, such as Z")
    return parsed.astimezone(UTC)


def _parse_permission(value: object) -> str:
    try:
        return str(parse(_text(value, "a permission is a string such as member:invite")))
    except InvalidPermission as error:
        raise ValueError(str(error)) from error


def _parse_jwt(value: object) -> str:
    return _text(value, "a token is a string")


def _text(value: object, refusal: str) -> str:
    if not isinstance(value, str):
        raise TypeError(refusal)
    return value


JWT = NewType("JWT", str)
Permission = NewType("Permission", str)

SCALARS: dict[object, ScalarDefinition] = {
    JWT: strawberry.scalar(
        name="JWT",
        description="A JSON Web Token in compact serialisation (RFC 7519).",
        serialize=str,
        parse_value=_parse_jwt,
    ),
    Permission: strawberry.scalar(
        name="Permission",
        description=(
            "A colon-separated permission, e.g. `member:invite` or `Call:Instance:Update`; `*` is all."
        ),
        serialize=str,
        parse_value=_parse_permission,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="A time in UTC (RFC 3339), microseconds.",
        serialize=print_time,
        parse_value=parse_time,
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    ),
}
