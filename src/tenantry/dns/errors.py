"""What asking can come to."""

from tenantry.kernel.errors import Unavailable


class DnsUnavailable(Unavailable):
    """No name server has answered in time: nothing is known about the name."""

    def __init__(self) -> None:
        super().__init__("The domain name system does not answer; try again shortly.")
