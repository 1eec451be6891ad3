"""What can be done with members: renamed, given roles, suspended, removed, made the owner.

Nobody touches a member who may do more than they may themselves. Each change of rights or
standing raises the member's version, which ends the tokens that name the old one.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from tenantry.access.decisions import missing
from tenantry.access.permissions import BuiltIn
from tenantry.audit.actions import AuditAction
from tenantry.directory.members import repository
from tenantry.directory.members.errors import LastOwner, TooManyRoles
from tenantry.directory.members.models import Member, MemberRole, MemberStatus, User
from tenantry.directory.members.terms import End, Holdings, checked_end, over, settled
from tenantry.directory.roles.errors import RoleNotGrantable
from tenantry.directory.roles.models import Role
from tenantry.directory.roles.service import may_grant
from tenantry.directory.tenants.repository import most_roles
from tenantry.kernel.changes import UNSET, Unset
from tenantry.kernel.clock import Clock, system_clock
from tenantry.kernel.errors import BadUserInput, Conflict, Forbidden, NotFound
from tenantry.kernel.events import Event
from tenantry.kernel.text import line
from tenantry.storage.errors import LAST_OWNER, sqlstate
from tenantry.storage.unit_of_work import UnitOfWork

EXTENSION_CHARACTERS = 10


async def update_member(
    work: UnitOfWork,
    member_id: str,
    *,
    name: str | Unset | None = UNSET,
    extension: str | Unset | None = UNSET,
    expires_at: End = UNSET,
    clock: Clock = system_clock,
) -> Member:
    """Change what a member is called, their extension, and until when they belong; None takes it away.

    A membership that ends is as one suspended then, so its end asks for ``member:suspend`` and for
    reach, and nobody sets their own. Raises ``NotFound``, ``BadUserInput``, ``Forbidden``.
    """
    end = checked_end(expires_at, now=clock())
    changes: dict[str, str | None] = {}
    if name is not UNSET:
        changes["name"] = None if name is None else line(name, "name")
    if extension is not UNSET:
        most = EXTENSION_CHARACTERS
        changes["extension"] = None if extension is None else line(extension, "extension", most=most)
    member = await _member(work, member_id)
    member.sqlmodel_update(changes)
    if end is not UNSET:
        await _set_end(work, member, end)
    await work.session.flush()
    work.record(AuditAction.MEMBER_UPDATE, member.node_id)
    return member


async def update_profile(work: UnitOfWork, *, name: str | Unset | None = UNSET) -> User:
    """Change what the caller is called, in every tenant; None takes it away. Raises ``BadUserInput``."""
    user = await repository.user_to_change(work, work.acting.user_id)
    if name is not UNSET:
        user.name = None if name is None else line(name, "name")
    await work.session.flush()
    work.record(AuditAction.USER_UPDATE, user.node_id)
    return user


async def set_roles(
    work: UnitOfWork,
    member_id: str,
    role_ids: Collection[str],
    *,
    expires_at: End = UNSET,
    clock: Clock = system_clock,
) -> Member:
    """Let a member hold exactly these roles, none included; which of them are new must be grantable.

    ``expires_at`` is the end of the new ones, and of those held for a time; what is held for good stays
    so. Nobody moves an end of their own.

    Raises ``NotFound`` for a member or role that is not here, ``BadUserInput`` for an end that an owner
    would have, ``Conflict`` for an invited member, ``Forbidden`` for one above the caller,
    ``RoleNotGrantable``, ``TooManyRoles``, ``LastOwner``.
    """
    wanted, now = set(role_ids), clock()
    end = checked_end(expires_at, now=now)
    member = await _joined_member(work, member_id)
    found = await repository.roles_held_or_named(work, member.id, wanted)
    granted = [role for role, _ in found if role.node_id in wanted]
    if len(granted) != len(wanted):
        raise NotFound
    live = [role for role, held in found if held is not None and not over(held, now)]
    _check_reach(work, member, live)
    holdings = settled(found, wanted, end=end, now=now)
    _check_given(work, member, holdings, live)
    await _check_count(work, len(wanted))
    if holdings.changed:
        await _change_holdings(work, member, holdings)
        member.is_owner = holdings.owns
        await _keep_an_owner(work)
        work.announce(Event.MEMBER_ROLES_CHANGED, member=member.node_id)
    work.record(AuditAction.MEMBER_ROLES_SET, member.node_id, *(role.node_id for role in granted))
    return member


async def suspend_member(work: UnitOfWork, member_id: str) -> Member:
    """Stop a member at once; they keep their roles. Harmless twice.

    Raises ``NotFound``, ``Conflict`` for an invited member, ``Forbidden``, ``LastOwner``.
    """
    return await _set_status(work, member_id, MemberStatus.SUSPENDED, AuditAction.MEMBER_SUSPEND)


async def reactivate_member(work: UnitOfWork, member_id: str) -> Member:
    """Let a suspended member act again; tokens from before stay dead. Harmless twice.

    Raises ``NotFound``, ``Conflict`` for an invited member, ``Forbidden``.
    """
    return await _set_status(work, member_id, MemberStatus.ACTIVE, AuditAction.MEMBER_REACTIVATE)


async def remove_member(work: UnitOfWork, member_id: str) -> None:
    """Take a member out of the tenant, their sessions with them; the person stays.

    Raises ``NotFound``, ``Conflict`` for an invited member, ``Forbidden``, ``LastOwner``.
    """
    member = await _joined_member(work, member_id)
    await _check_standing(work, member)
    await work.session.delete(member)
    await _keep_an_owner(work)
    work.record(AuditAction.MEMBER_REMOVE, member_id)
    work.announce(Event.MEMBER_REMOVED, member=member_id)


async def transfer_ownership(work: UnitOfWork, to_member_id: str, *, keep: bool = False) -> Member:
    """Give an active member the caller's owner roles; the caller loses them unless ``keep``.

    Where the blueprint allows fewer roles than the new owner would hold, they lose their
    others. Raises ``Forbidden`` for who is no owner, ``NotFound``, ``BadUserInput`` for the
    caller themselves, ``Conflict`` for who is not active.
    """
    own = work.acting.member
    if to_member_id == own:
        raise BadUserInput("Some input cannot be taken.", {"memberId": "is you"})
    members = await repository.members_to_change(work, {own, to_member_id})
    giver, taker = members.get(own), members.get(to_member_id)
    if giver is None or not giver.is_owner:
        raise Forbidden(BuiltIn.MEMBER_OWN)
    if taker is None:
        raise NotFound
    if taker.status != MemberStatus.ACTIVE:
        raise Conflict("Only an active member can become an owner.")
    if taker.expires_at is not None:
        raise Conflict("Only a member whose membership has no end can become an owner.")
    await _hand_over(work, giver, taker, keep=keep)
    work.record(AuditAction.MEMBER_TRANSFER_OWNERSHIP, taker.node_id, giver.node_id)
    for each in (taker, giver):
        work.announce(Event.MEMBER_ROLES_CHANGED, member=each.node_id)
    return taker


async def touch(work: UnitOfWork, member_id: UUID, at: datetime) -> None:
    """Note that a member (by key) was seen; no right changes, so the version stays."""
    await repository.saw(work, member_id, at)


async def _member(work: UnitOfWork, member_id: str) -> Member:
    members = await repository.members_to_change(work, {member_id})
    if member_id not in members:
        raise NotFound
    return members[member_id]


async def _joined_member(work: UnitOfWork, member_id: str) -> Member:
    """Not an invited one: what happens to those happens to their invitation."""
    member = await _member(work, member_id)
    if member.status == MemberStatus.INVITED:
        raise Conflict("This person has not joined yet; revoke the invitation instead.")
    return member


async def _set_status(work: UnitOfWork, member_id: str, status: MemberStatus, action: AuditAction) -> Member:
    member = await _joined_member(work, member_id)
    await _check_standing(work, member)
    if member.status != status:
        member.status = status
        member.version += 1
        await _keep_an_owner(work)
    work.record(action, member.node_id)
    return member


async def _check_standing(work: UnitOfWork, member: Member) -> None:
    if member.id != work.acting.member_id:
        _check_reach(work, member, [role for _, role in await repository.roles_of(work, {member.id})])


def _check_reach(work: UnitOfWork, member: Member, held: Iterable[Role]) -> None:
    """Refuse to touch whoever may do more than the caller; oneself is always in reach."""
    if member.id != work.acting.member_id and not all(may_grant(work.acting, role) for role in held):
        raise Forbidden


async def _check_count(work: UnitOfWork, roles: int) -> None:
    """One role is always allowed, so that the common case asks nothing."""
    most = await most_roles(work) if roles > 1 else None
    if most is not None and roles > most:
        raise TooManyRoles(most)


def _check_given(work: UnitOfWork, member: Member, holdings: Holdings, live: Collection[Role]) -> None:
    """Who may grant what, and that no owner is to have an end."""
    for role in holdings.given:
        if not may_grant(work.acting, role):
            raise RoleNotGrantable(role.node_id)
    own = member.id == work.acting.member_id
    if own and any(role in live for role, _ in holdings.moved):
        raise Forbidden
    if member.expires_at is not None and any(role.is_owner for role in holdings.given):
        raise BadUserInput("Some input cannot be taken.", {"roleIds": "an owner's membership has no end"})


async def _set_end(work: UnitOfWork, member: Member, end: datetime | None) -> None:
    needed = {str(BuiltIn.MEMBER_SUSPEND)}
    if member.id == work.acting.member_id or missing(work.acting.permissions, needed):
        raise Forbidden(BuiltIn.MEMBER_SUSPEND)
    await _check_standing(work, member)
    if end is not None and member.is_owner:
        raise BadUserInput("Some input cannot be taken.", {"expiresAt": "an owner's membership has no end"})
    if member.expires_at != end:
        member.expires_at = end
        member.version += 1


async def _change_holdings(work: UnitOfWork, member: Member, holdings: Holdings) -> None:
    """Write what is to be, and raise the version above all that it can have come to by the clock."""
    ends = [*holdings.removed, *(held for _, held in holdings.moved)]
    member.version += 1 + sum(held.expires_at is not None for held in ends)
    for held in holdings.removed:
        await work.session.delete(held)
    for _, held in holdings.moved:
        held.expires_at = holdings.until
    work.session.add_all(
        MemberRole(
            tenant_id=member.tenant_id, member_id=member.id, role_id=role.id, expires_at=holdings.until
        )
        for role in holdings.added
    )


async def _hand_over(work: UnitOfWork, giver: Member, taker: Member, *, keep: bool) -> None:
    """Promote first, then demote: at no moment is the tenant without an owner."""
    holdings = await repository.roles_of(work, {giver.id, taker.id})
    gives = {role.id: role for held, role in holdings if role.is_owner and held.member_id == giver.id}
    had = {role.id: held for held, role in holdings if held.member_id == taker.id}
    added = [role for key, role in gives.items() if key not in had]
    most = await most_roles(work)
    crowded = most is not None and len(had) + len(added) > most
    displaced = [had[key] for key in had.keys() - gives.keys()] if crowded else []
    if added or displaced:
        await _change_holdings(work, taker, Holdings(None, added=added, removed=displaced))
    taker.is_owner = True
    await work.session.flush()
    if not keep:
        given = [held for held, role in holdings if held.member_id == giver.id and role.id in gives]
        await _change_holdings(work, giver, Holdings(None, removed=given))
        giver.is_owner = False
        await _keep_an_owner(work)


async def _keep_an_owner(work: UnitOfWork) -> None:
    """Write what has changed; the database refuses it where no active owner would be left."""
    try:
        await work.session.flush()
    except DBAPIError as error:
        if sqlstate(error) == LAST_OWNER:
            raise LastOwner from error
        raise
