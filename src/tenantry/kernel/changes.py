"""What "not given" is, where None means "take it away"."""

from enum import Enum


class Unset(Enum):
    """The type of ``UNSET``, so that a type checker can tell the cases apart."""

    UNSET = "UNSET"


UNSET = Unset.UNSET
"""Leave it as it is."""
