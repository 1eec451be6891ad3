"""What a tenant's own systems are told of."""

from enum import StrEnum


class Event(StrEnum):
    """The closed, sorted list of events.

    Naming rule: ``<thing>.<what has happened to it>``, both in snake_case. Once published, a name never
    changes its meaning.
    """

    MEMBER_REMOVED = "member.removed"
    MEMBER_ROLES_CHANGED = "member.roles_changed"
    RESOURCE_ACTED = "resource.acted"
    RESOURCE_CREATED = "resource.created"
    RESOURCE_DELETED = "resource.deleted"
    RESOURCE_UPDATED = "resource.updated"
