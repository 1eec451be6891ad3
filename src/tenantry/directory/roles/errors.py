"""Refusals of roles."""

from collections.abc import Sequence

from tenantry.kernel.errors import Problem


class PlanDoesNotAllow(Problem):
    """The tenant's plan has no roles of its own; ``plans`` are those of its blueprint that have."""

    code = "PLAN_REQUIRED"

    def __init__(self, plans: Sequence[str]) -> None:
        super().__init__("This tenant's plan does not include roles of its own.")
        self.plans = tuple(plans)


class RoleInUse(Problem):
    """Somebody holds the role, or has been invited to."""

    code = "ROLE_IN_USE"

    def __init__(self) -> None:
        super().__init__("Somebody holds this role, or is invited to; take it from them first.")


class RoleLocked(Problem):
    """The role is the blueprint's, the same in each of its tenants."""

    code = "ROLE_LOCKED"

    def __init__(self) -> None:
        super().__init__("This role belongs to the blueprint and cannot be changed here.")


class RoleNotGrantable(Problem):
    """A role holds more than the caller does: no one grants what they do not hold.

    ``role`` is its node id, where it has one yet; what is missing is not said.
    """

    code = "ROLE_NOT_GRANTABLE"

    def __init__(self, role: str | None = None) -> None:
        super().__init__("You can grant only roles whose permissions you hold yourself.")
        self.role = role
