"""Refusals of API keys."""

from tenantry.kernel.errors import Problem


class PermissionNotGrantable(Problem):
    """The key would hold more than its issuer: no one grants what they do not hold."""

    code = "PERMISSION_NOT_GRANTABLE"

    def __init__(self, permission: str) -> None:
        super().__init__("You can give a key only permissions that you hold yourself.")
        self.permission = permission


class TooManyKeys(Problem):
    """The tenant has as many living keys as it may."""

    code = "TOO_MANY_KEYS"

    def __init__(self, most: int) -> None:
        super().__init__(f"A tenant has at most {most} keys; revoke one that is not needed.")
        self.most = most
