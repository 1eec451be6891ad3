"""Asking beforehand: what an operation's functions ask about, looked up together and decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tenantry.access.decisions import decide, refusal
from tenantry.access.explanations import RoleGrants, Way, gives, ways
from tenantry.access.facts import UNKNOWN_OF_ANOTHER, about, about_team, asked_by, asked_of
from tenantry.access.grants import by_permission
from tenantry.access.permissions import BuiltIn
from tenantry.access.questions import ABSENT, TEAMS, Holding, Reason, Subject, Target, objection, sees
from tenantry.access.rules import requires
from tenantry.api.operations import Caller
from tenantry.api.planner.presence import Found, Seen, SeenTeam, Standing, find
from tenantry.api.planner.sources import Named
from tenantry.api.services import Services
from tenantry.directory.members.models import MemberStatus
from tenantry.kernel.errors import NotFound, Unauthenticated
from tenantry.kernel.ids import NodePrefix
from tenantry.kernel.principal import Authority, Environment

OF_ANOTHER = requires(BuiltIn.ROLE_ASSIGN)
"""Who may ask what other members of the tenant may."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a member may, and why."""

    member: str
    reason: Reason | None
    ways: Sequence[Way]
    roles: Sequence[str]
    """Node ids of the tenant's roles that give it."""


class Inquiry:
    """Everything that one operation asks beforehand; ``named`` is all that it asks about."""

    def __init__(self, services: Services, caller: Caller, authority: Authority | None, named: Named) -> None:
        self._services = services
        self._caller = caller
        self._authority = authority
        self._named = named
        self._environment = Environment(caller.ip, services.clock())
        self._again = False
        self._found: Found | None = None

    async def objection(
        self, permission: str, on: str | None, *, type_name: str | None = None, of: str | None = None
    ) -> Reason | None:
        """Why the caller may not, or the member (or person) ``of``; None where they may.

        With ``type_name``, an object of another type is not there. Raises ``Forbidden`` and
        ``StepUpRequired`` where the caller may not ask about others, and ``Unauthenticated``.
        """
        myself = await self._myself()
        subject = myself
        if of is not None and not await self._is_caller(of):
            await self.admit([of])
            found = await self._look()
            if of not in found.members:
                return Reason.NOT_FOUND
            subject = await self._another(found.members[of])
        return objection(subject, permission, await self._target(myself, on, type_name))

    async def explain(self, member_id: str, permission: str, on: str | None) -> Explanation:
        """As ``objection``, and by which ways. Raises ``NotFound`` besides."""
        await self.admit([member_id])
        found = await self._look()
        standing = found.members.get(member_id)
        if standing is None or standing.member != member_id:
            raise NotFound
        myself = await self._myself()
        subject = myself if await self._is_caller(member_id) else await self._another(standing)
        target = await self._target(myself, on, None)
        held = _held(standing, found)
        return Explanation(
            member_id,
            objection(subject, permission, target),
            list(ways(held, permission, found.catalogue, subject=subject, target=target)),
            [role.node_id for role in found.roles if gives(role, permission)],
        )

    async def admit(self, subjects: Iterable[str]) -> None:
        """Whoever asks about others is let in by ``OF_ANOTHER``. Raises ``Forbidden``, ``StepUpRequired``."""
        if all([await self._is_caller(each) for each in subjects]):
            return
        decision = decide(OF_ANOTHER, await self._live())
        if not decision.allowed:
            raise refusal(decision)

    async def _is_caller(self, subject: str) -> bool:
        """Whether this is the caller themselves: a key is not the person who has issued it."""
        authority = await self._live()
        return authority.key is None and subject in {authority.member, authority.user}

    async def _live(self) -> Authority:
        """The caller's authority. Raises ``Unauthenticated``."""
        if self._authority is None:
            raise Unauthenticated("MISSING")
        if self._authority.awaits_factor and not self._again:
            # Another worker may have seen the factor since this one read the authority.
            self._again = True
            self._authority = await self._services.authorities.again(self._caller.principal)
        return self._authority

    async def _look(self) -> Found:
        if self._found is None:
            self._found = await find(self._services.database, await self._live(), self._named)
        return self._found

    async def _myself(self) -> Subject:
        authority = await self._live()
        facts = {**asked_by(authority, self._environment), "subject.teams": (await self._look()).teams}
        return Subject(authority, facts, awaits_factor=authority.awaits_factor)

    async def _another(self, standing: Standing) -> Subject:
        held = _held(standing, await self._look())
        facts = asked_of(
            asked_by(await self._live(), self._environment),
            user_id=standing.user_id,
            email=standing.email,
            is_owner=standing.is_owner,
            roles=tuple(role.key for role in held),
            teams=standing.teams,
        )
        holding = Holding(
            frozenset[str]().union(*(role.effective for role in held)),
            by_permission(grant for role in held for grant in role.conditional),
        )
        return Subject(holding, facts, UNKNOWN_OF_ANOTHER, active=standing.status == MemberStatus.ACTIVE)

    async def _target(self, asker: Subject, on: str | None, type_name: str | None) -> Target | None:
        """The object, as far as whoever asks may know of it."""
        if on is None:
            return None
        objects = (await self._look()).objects
        if on not in objects or type_name not in {None, _type_of(on, objects[on])}:
            return ABSENT
        target = await self._seen(objects[on])
        return target if sees(asker, target) else ABSENT

    async def _seen(self, found: Seen | SeenTeam | None) -> Target:
        match found:
            case Seen():
                types = await self._services.resource_types.of((await self._live()).resource_types)
                return Target(about(found), types.get(found.type), personal=found.is_personal)
            case SeenTeam(team_id):
                return Target(about_team(team_id), TEAMS)
            case None:
                return Target()


def _type_of(node_id: str, found: Seen | SeenTeam | None) -> str:
    """The type of an object by the blueprint's name, or else of its kind: ``member``, ``role``."""
    return found.type if isinstance(found, Seen) else NodePrefix(node_id.partition("_")[0]).name.lower()


def _held(standing: Standing, found: Found) -> list[RoleGrants]:
    return [role for role in found.roles if role.node_id in standing.roles]
