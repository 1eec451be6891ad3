"""How long a membership and a role are held: pure rules over what a member holds and what they are to."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from tenantry.directory.members.models import MemberRole
from tenantry.directory.roles.models import Role
from tenantry.kernel.changes import UNSET, Unset
from tenantry.kernel.errors import BadUserInput

End = datetime | Unset | None
"""Until when; None for good; ``UNSET`` says nothing of it."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a member's holdings are to become. Those of ``moved`` stay, and end at another time."""

    until: datetime | None
    kept: list[Role] = field(default_factory=list[Role])
    """Held, and left as they are; for good or for a time."""
    added: list[Role] = field(default_factory=list[Role])
    moved: list[tuple[Role, MemberRole]] = field(default_factory=list[tuple[Role, MemberRole]])
    removed: list[MemberRole] = field(default_factory=list[MemberRole])

    @property
    def given(self) -> list[Role]:
        """What somebody grants by this: new roles, and those whose end is another."""
        return [*self.added, *(role for role, _ in self.moved)]

    @property
    def changed(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.added or self.moved or self.removed)

    @property
    def owns(self) -> bool:
        """Whether the member owns the tenant by what they hold for good."""
        lasting = [*self.kept, *(self.given if self.until is None else [])]
        return any(role.is_owner for role in lasting)


def settled(
    found: Iterable[tuple[Role, MemberRole | None]], wanted: Collection[str], *, end: End, now: datetime
) -> Holdings:
    """What becomes of ``found``, all that is held or ``wanted`` (node ids).

    ``end`` is that of new roles, and of those held for a time where it is said at all: what is held for
    good stays so. A role that has ended is new. Raises ``BadUserInput`` for an owner's role with an end.
    """
    made = Holdings(None if end is UNSET else end)
    for role, holding in found:
        if holding is None:
            made.added.append(role)
        elif role.node_id not in wanted:
            made.removed.append(holding)
        elif holding.expires_at is None:
            made.kept.append(role)
        elif over(holding, now) or end not in {UNSET, holding.expires_at}:
            made.moved.append((role, holding))
    if made.until is not None and any(role.is_owner for role in made.given):
        raise BadUserInput("Some input cannot be taken.", {"expiresAt": "an owner's role has no end"})
    return made


def over(held: MemberRole, now: datetime) -> bool:
    """Whether a holding has ended."""
    return held.expires_at is not None and held.expires_at <= now


def checked_end(end: End, *, now: datetime) -> End:
    """The end itself. Raises ``BadUserInput`` for one that has come."""
    if isinstance(end, datetime) and end <= now:
        raise BadUserInput("Some input cannot be taken.", {"expiresAt": "must be in the future"})
    return end
