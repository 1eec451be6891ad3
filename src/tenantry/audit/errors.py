"""Refusals of the trail."""

from tenantry.kernel.errors import Unavailable


class NotRecorded(Unavailable):
    """The operation could not be recorded, so it was not served."""

    def __init__(self) -> None:
        super().__init__("The operation could not be recorded and was not served; try again shortly.")
