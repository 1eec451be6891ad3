"""What a permission is, and the closed list of those the service itself asks for."""

import re
from dataclasses import dataclass
from enum import StrEnum

from tenantry.kernel.errors import BadUserInput

WILDCARD = "*"
"""Grants everything. Only the platform's own roles may hold it."""

MIN_PARTS = 2
MAX_PARTS = 4
SHOWN_CHARACTERS = 60

_PART = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class BuiltIn(StrEnum):
    """The permissions of the service's own fields, sorted; a blueprint's permissions cover them.

    Naming rule: ``object:verb``, both singular and in lower case. The object is the thing acted
    on as the schema names it (a person in a tenant is a ``member``; ``user`` is the person on
    the platform); ``read`` sees it, a suffix such as ``_all`` widens the verb.
    """

    APIKEY_CREATE = "apikey:create"
    APIKEY_READ = "apikey:read"
    APIKEY_REVOKE = "apikey:revoke"
    AUDIT_READ = "audit:read"
    BLUEPRINT_READ = "blueprint:read"
    CONNECTION_MANAGE = "connection:manage"
    """The tenant's own identity providers, and the domains for which they count."""
    INVITATION_READ = "invitation:read"
    INVITATION_REVOKE = "invitation:revoke"
    MEMBER_INVITE = "member:invite"
    MEMBER_OWN = "member:own"
    """Hand ownership of the tenant on."""
    MEMBER_READ = "member:read"
    MEMBER_REMOVE = "member:remove"
    MEMBER_SUSPEND = "member:suspend"
    MEMBER_UPDATE = "member:update"
    ROLE_ASSIGN = "role:assign"
    ROLE_MANAGE = "role:manage"
    """Create, change and delete custom roles."""
    TEAM_MANAGE = "team:manage"
    TEAM_READ = "team:read"
    TENANT_CREATE = "tenant:create"
    TENANT_PLAN = "tenant:plan"
    TENANT_READ = "tenant:read"
    TENANT_SUSPEND = "tenant:suspend"
    TENANT_UPDATE = "tenant:update"
    USER_READ_ALL = "user:read_all"
    USER_RESET_FACTOR = "user:reset_factor"
    """Take away the second factor of a person who has lost it."""
    WEBHOOK_MANAGE = "webhook:manage"
    """Where the tenant's events are sent, and what has become of them."""


# Names that blueprints may cover already, though no field asks for them yet: a blueprint that
# is complete today stays valid, unchanged, when their feature arrives and moves them above.
ANNOUNCED = frozenset(
    {
        "erasure:handle",
        "retention:set",
    }
)

CONDITIONABLE: frozenset[str] = frozenset({str(BuiltIn.TEAM_MANAGE), str(BuiltIn.TEAM_READ)})
"""Built-in permissions that may depend on a condition, since what they guard is looked at one by one."""

OWNER_BUILT_INS: frozenset[str] = frozenset({str(BuiltIn.MEMBER_OWN), str(BuiltIn.TENANT_PLAN)})
"""What a role marked ``owner: true`` may do beside what it grants."""


class InvalidPermission(BadUserInput):
    """A text that is no permission; the message says what is wrong with it."""

    def __init__(self, text: str, problem: str) -> None:
        shown = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
        super().__init__(f"{shown!r} is not a permission: {problem}.")
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission taken apart; ``str`` gives back the exact text it was parsed from."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return ":".join(self.parts)


def parse(text: str) -> Permission:
    """Take a permission apart, for example ``call:read_own`` or ``Call:Instance:Update``.

    Guarantees ``str(parse(text)) == text``: nothing is trimmed, folded or completed, so two
    permissions are equal exactly when their texts are. The grammar: two to four parts, joined
    by colons, each an ASCII letter followed by ASCII letters, digits and underscores; or ``*``
    alone. Raises ``InvalidPermission``.
    """
    if text == WILDCARD:
        return Permission((WILDCARD,))
    parts = tuple(str(text).split(":"))
    if not MIN_PARTS <= len(parts) <= MAX_PARTS:
        count = "1 part" if len(parts) == 1 else f"{len(parts)} parts"
        raise InvalidPermission(
            text, f"it has {count}; {MIN_PARTS} to {MAX_PARTS} are needed, colons between"
        )
    for position, part in enumerate(parts, start=1):
        if _PART.fullmatch(part) is None:
            raise InvalidPermission(text, _fault(position, part))
    return Permission(parts)


def _fault(position: int, part: str) -> str:
    if not part:
        return f"part {position} is empty"
    if WILDCARD in part:
        return f"part {position} holds `*`, which stands only alone"
    return f"part {position} must be a letter followed by letters, digits or underscores"
