"""Inputs that may be left out: absent is not null."""

from typing import TypeVar

import strawberry

from tenantry.kernel.changes import UNSET, Unset

T = TypeVar("T")


def kept(value: T | None) -> T | Unset:
    """As ``given``, for what cannot be taken away: null leaves it too."""
    return UNSET if value is None or value is strawberry.UNSET else value


def given(value: T) -> T | Unset:
    """What was given, or ``UNSET`` where the client left the field out."""
    return UNSET if value is strawberry.UNSET else value
