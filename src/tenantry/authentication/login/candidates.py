"""Where a person may sign in: pure rules over the memberships that were found for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tenantry.authentication.login.errors import MemberSuspended, NotInvited
from tenantry.directory.members.errors import SingleMembership
from tenantry.directory.members.models import MemberStatus
from tenantry.kernel.ids import PLATFORM_TENANT_KEY
from tenantry.kernel.principal import Scope


@dataclass(frozen=True, slots=True)
class Candidate:
    """A membership of the person, or one that waits for their verified address (not ``linked``)."""

    tenant_id: UUID
    tenant: str
    name: str
    suspended: bool
    member_id: UUID
    status: str
    invitation_live: bool
    linked: bool
    single: bool = False
    """Whether its product lets a person belong to one tenant only."""
    elsewhere: bool = False
    """Whether the person belongs to another tenant of that product, and so cannot come to this one."""

    @property
    def platform(self) -> bool:
        """Whether it is one of the platform's own staff."""
        return self.tenant_id == PLATFORM_TENANT_KEY

    @property
    def open(self) -> bool:
        """Whether the person may enter now."""
        invited = self.status == MemberStatus.INVITED and self.invitation_live
        active = self.status == MemberStatus.ACTIVE
        return not self.suspended and not self.elsewhere and (invited or active)

    @property
    def barred(self) -> bool:
        """Whether the person belongs there and may not enter; a dead invitation does not belong."""
        member = self.status in {MemberStatus.ACTIVE, MemberStatus.SUSPENDED}
        return not self.open and (member or self.invitation_live)


def one_for_each_tenant(candidates: Sequence[Candidate]) -> list[Candidate]:
    """At most one membership a tenant; one's own goes before one that waits for the address.

    So a suspended member does not come back in by an invitation to another of their addresses.
    """
    kept = {each.tenant_id: each for each in candidates if not each.linked}
    kept |= {each.tenant_id: each for each in candidates if each.linked}
    return [each for each in candidates if kept[each.tenant_id] is each]


def choices(candidates: Sequence[Candidate], *, tenant: str | None, scope: Scope | None) -> list[Candidate]:
    """Where the person may enter of what was asked for: one or more.

    ``scope`` SYSTEM means the platform, TENANT a tenant; None means tenants, and the platform
    only by its name or for someone who belongs nowhere else. ``tenant`` (a node id) narrows.
    Raises ``NotInvited`` where nothing is found, ``MemberSuspended`` where all that is found is
    closed to them, and ``SingleMembership`` where they are awaited and belong elsewhere.
    """
    found = [each for each in candidates if tenant in {None, each.tenant} and _in_scope(each, scope)]
    if scope is None and tenant is None:
        found = [each for each in found if not each.platform] or found
    if opened := [each for each in found if each.open]:
        return opened
    barred = [each for each in found if each.barred]
    if barred and all(each.elsewhere for each in barred):
        raise SingleMembership
    raise MemberSuspended if barred else NotInvited


def _in_scope(candidate: Candidate, scope: Scope | None) -> bool:
    return scope is None or candidate.platform is (scope is Scope.SYSTEM)
