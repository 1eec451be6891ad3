"""Refusals of members."""

from tenantry.kernel.errors import Problem


class LastOwner(Problem):
    """The tenant would be left without an active owner."""

    code = "LAST_OWNER"

    def __init__(self) -> None:
        super().__init__("A tenant keeps at least one active owner; make someone else an owner first.")


class SeatsExhausted(Problem):
    """As many people have joined as the tenant's plan allows."""

    code = "SEATS_EXHAUSTED"

    def __init__(self) -> None:
        super().__init__("All seats of this tenant's plan are taken.")


class SingleMembership(Problem):
    """The person belongs to another tenant of a product in which everyone belongs to one.

    Told to that person alone, who knows it; never to who has asked them in.
    """

    code = "SINGLE_MEMBERSHIP"

    def __init__(self) -> None:
        super().__init__("You belong to another tenant of this product already, and can belong to one only.")


class TooManyRoles(Problem):
    """More roles than the tenant's blueprint lets one member hold."""

    code = "TOO_MANY_ROLES"

    def __init__(self, most: int) -> None:
        super().__init__(f"A member holds at most {most} {'role' if most == 1 else 'roles'} here.")
        self.most = most
