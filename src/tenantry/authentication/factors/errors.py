"""What a second factor can come to, other than success."""

from tenantry.kernel.errors import Problem


class FactorRejected(Problem):
    """The code is wrong, too old or used before; which of these is not told.

    Returned, not raised, since the failed try is counted only if the transaction commits.
    """

    code = "FACTOR_REJECTED"

    def __init__(self, tries_left: int) -> None:
        super().__init__("This code is not right, or has been used.")
        self.tries_left = tries_left


class FactorAlreadySet(Problem):
    """There is a confirmed factor, whose secret is never shown again: disable it first."""

    code = "FACTOR_ALREADY_SET"

    def __init__(self) -> None:
        super().__init__("A second factor is set up already; disable it before setting up another.")


class FactorNotSet(Problem):
    """There is no second factor to confirm, prove or disable."""

    code = "FACTOR_NOT_SET"

    def __init__(self) -> None:
        super().__init__("No second factor is set up; begin with totpEnroll.")
