"""Enumerations of the graph; a value's name is the text stored in the database."""

from enum import Enum

import strawberry

from tenantry.audit.records import Outcome as AuditOutcome
from tenantry.directory.invitations.models import InvitationStatus
from tenantry.directory.members.models import MemberStatus
from tenantry.directory.webhooks.models import DeliveryState
from tenantry.kernel.principal import Scope

# Strawberry marks the class in place; its return value would be a variable, not a type.
strawberry.enum(Scope, name="Scope", description="The platform, or one tenant.")
strawberry.enum(MemberStatus, name="MemberStatus", description="Only ACTIVE members may act.")
strawberry.enum(InvitationStatus, name="InvitationStatus", description="Where an invitation stands.")
strawberry.enum(
    DeliveryState, name="DeliveryState", description="On its way, taken by the receiver, or given up."
)
strawberry.enum(
    AuditOutcome,
    name="AuditOutcome",
    description="PARTIAL: part of the answer was refused; FAILED: ours is the fault.",
)


@strawberry.enum(description="Which way a list runs.")
class Direction(Enum):
    """Ascending or descending."""

    ASC = "ASC"
    DESC = "DESC"


@strawberry.enum(description="What members can be ordered by.")
class MemberOrderField(Enum):
    """Columns of a member that order a list."""

    EMAIL = "EMAIL"
    JOINED_AT = "JOINED_AT"
    NAME = "NAME"


__all__ = [
    "AuditOutcome",
    "DeliveryState",
    "Direction",
    "InvitationStatus",
    "MemberOrderField",
    "MemberStatus",
    "Scope",
]
