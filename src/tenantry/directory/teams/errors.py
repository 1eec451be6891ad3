"""Refusals of teams."""

from tenantry.kernel.errors import Problem


class TeamNameTaken(Problem):
    """Another team of the tenant has this name, whatever its case."""

    code = "TEAM_NAME_TAKEN"

    def __init__(self) -> None:
        super().__init__("There is a team of this name already.")
