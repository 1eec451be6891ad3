"""A tenant of any of the five products, and callers in every standing."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from secrets import token_hex
from typing import Self

from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.resources.models import Resource
from tenantry.kernel.principal import Authority
from tests.matrix.policy import HOME, PLATFORM, POLICY, roles
from tests.support.api import Product, Reply, Speaker, Variables
from tests.support.connecting import connect
from tests.support.database import documents
from tests.support.factories import make_api_key, make_tenant, platform, signed_in
from tests.support.world import World

TOKEN_SECONDS = 7_200
UNAVAILABLE = 503


@cache
def blueprints() -> Mapping[str, BlueprintDocument]:
    """The files of seeds/, read once."""
    return documents()


def largest_plan(blueprint: str) -> str | None:
    """The last of its plans; None where it has none."""
    return next(reversed(blueprints()[blueprint].plans), None)


class ProductWorld(World):
    """As ``World``, in a tenant of ``blueprint``."""

    blueprint: str = HOME

    @classmethod
    async def of(cls, product: Product, blueprint: str) -> Self:
        """A tenant of its own with an owner of its own."""
        home = HOME if blueprint == PLATFORM else blueprint
        tenant = await make_tenant(product.database, home)
        # On its largest plan: what smaller ones leave out is another matter (tests/directory/test_plans.py).
        await product.database.seen_by_owner(
            "UPDATE tenant SET plan = $2 WHERE id = $1", tenant.id, largest_plan(home)
        )
        made = cls(product, tenant, await signed_in(product.database, tenant, roles(home)[0]))
        made.blueprint = home
        return made

    async def play(self, blueprint: str, role: str) -> Authority:
        """A new member of this role, signed in, who acts from now on; on the platform one of its staff."""
        database = self.product.database
        within = await platform(database) if blueprint == PLATFORM else self.tenant
        self.caller = await signed_in(database, within, role)
        return self.caller

    async def enter_standing(self, standing: str, role: str) -> Speaker:
        """Whoever acts, from a standing of the policy."""
        if self.caller is None:
            raise LookupError("nobody acts here; let somebody play a role first")
        return await ENTER[standing](self, self.caller, role)

    async def ask(self, speaker: Speaker, document: str) -> Reply:
        """Ask, with the product's own words for what the phone system has."""
        objects = POLICY[self.blueprint]["objects"]
        for ours, theirs in (
            ('"extension"', f'"{objects["made"]}"'),
            ('"archive"', f'"{objects["action"]}"'),
            ('"gold"', f'"{largest_plan(self.blueprint) or "gold"}"'),
            ('["org:read"]', f'["{self.some_permission()}"]'),
        ):
            document = document.replace(ours, theirs)
        return await patiently(speaker, await self.fill(document))

    def some_permission(self) -> str:
        """One that the owner holds."""
        return blueprints()[self.blueprint].resolved_grants(roles(self.blueprint)[0])[0]

    async def _make_api_key(self) -> str:
        return (await make_api_key(self.product.database, self.owner, self.some_permission())).key.node_id

    async def _make_audit_event(self) -> str:
        await self.product.as_(self.owner).query("{ viewer { scope } }")
        found = await self.product.database.value(
            "SELECT node_id FROM audit_record WHERE tenant_id = $1 LIMIT 1", self.tenant.id
        )
        return str(found)

    async def _make_identity_provider(self) -> str:
        return (await connect(self.product, self.owner, client_id=token_hex(6))).node_id

    async def _make_extension_object(self) -> str:
        return await self._object(POLICY[self.blueprint]["objects"]["made"])

    async def _make_ticket_object(self) -> str:
        return await self._object(POLICY[self.blueprint]["objects"]["acted"])

    async def _object(self, type_name: str) -> str:
        resource = Resource(
            tenant_id=self.tenant.id,
            type=type_name,
            name="One",
            state="open",
            owner_id=self.owner.user_id,
            attributes={"confidential": True} if type_name == "Call" else {},
        )
        async with self.product.database.writing(self.owner) as work:
            work.session.add(resource)
        return resource.node_id


async def patiently(speaker: Speaker, document: str, variables: Variables | None = None) -> Reply:
    """Ask, and once more where a machine that stands still has cost the first try: nothing was done then."""
    reply = await speaker.ask(document, variables)
    return await speaker.ask(document, variables) if reply.status == UNAVAILABLE else reply


Enter = Callable[[ProductWorld, Authority, str], Awaitable[Speaker]]
"""Brings a caller into a standing; the world's own state is put back by ``RESTORE``."""


async def _nobody(world: ProductWorld, _who: Authority, _role: str) -> Speaker:
    return world.product.anonymous


async def _garbage(world: ProductWorld, _who: Authority, _role: str) -> Speaker:
    return world.product.with_token("nonsense")


async def _old_token(world: ProductWorld, who: Authority, _role: str) -> Speaker:
    world.product.clock.forward(-TOKEN_SECONDS - 60)
    speaker = world.product.as_(who)
    world.product.clock.forward(TOKEN_SECONDS + 60)
    return speaker


def _after(statement: str) -> Enter:
    async def enter(world: ProductWorld, who: Authority, _role: str) -> Speaker:
        speaker = world.product.as_(who)
        await world.product.database.seen_by_owner(statement, who.session_id)
        return speaker

    return enter


async def _machine(world: ProductWorld, who: Authority, role: str) -> Speaker:
    """With all that its issuer may."""
    granted = {each.partition(" ")[0] for each in blueprints()[world.blueprint].resolved_grants(role)}
    made = await make_api_key(world.product.database, who, *sorted(granted))
    return world.product.with_token(made.text)


async def _dead_machine(world: ProductWorld, who: Authority, role: str) -> Speaker:
    speaker = await _machine(world, who, role)
    await world.product.database.seen_by_owner(
        "UPDATE session SET revoked = true WHERE is_key AND member_id = $1", who.member_id
    )
    return speaker


_SESSION = "UPDATE session SET {} WHERE id = $1"
_MEMBER = "UPDATE member SET {} FROM session s WHERE s.member_id = member.id AND s.id = $1"
_TENANT = "UPDATE tenant SET {} FROM session s WHERE s.tenant_id = tenant.id AND s.id = $1"
ENTER: Mapping[str, Enter] = {
    "no token": _nobody,
    "garbage": _garbage,
    "token expired": _old_token,
    "session revoked": _after(_SESSION.format("revoked = true")),
    "session expired": _after(_SESSION.format("expires_at = now() - interval '1 s'")),
    "rights changed": _after(_MEMBER.format("version = member.version + 1")),
    "member suspended": _after(_MEMBER.format("status = 'SUSPENDED'")),
    "tenant suspended": _after(_TENANT.format("suspended = true")),
    "before the second factor": _after(_TENANT.format("mfa_required = true")),
    "API key revoked": _dead_machine,
    "API key": _machine,
}
RESTORE = "UPDATE tenant SET suspended = false, mfa_required = false WHERE id = $1"
