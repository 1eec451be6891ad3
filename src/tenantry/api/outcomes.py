"""What a mutation's function hands back: which type of the result it is, and its values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tenantry.kernel.principal import Authority


@dataclass(frozen=True, slots=True)
class Outcome:
    """One object of a payload. ``values`` go by GraphQL name; a row is named by its node id.

    ``authority`` is set by a login: the rest of the answer is read as the one it opened.
    """

    type_name: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    authority: Authority | None = None
