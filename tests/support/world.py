"""One tenant, people in it, and things made when a test's text names them in angle brackets."""

import json
import re
from dataclasses import dataclass, field
from secrets import token_hex

from tenantry.directory.invitations.service import Invited
from tenantry.directory.members.models import Member
from tenantry.directory.resources.models import Resource
from tenantry.directory.roles.service import create_role
from tenantry.directory.teams.service import create_team
from tenantry.directory.tenants.models import Tenant
from tenantry.directory.webhooks.service import MadeSecret, update
from tenantry.kernel.principal import Authority
from tests.support.api import Product, Speaker
from tests.support.authenticator import draft, set_up
from tests.support.connecting import connect, list_domain
from tests.support.factories import (
    make_api_key,
    make_member,
    make_tenant,
    sign_in,
    signed_in,
    system_authority,
)
from tests.support.hooks import make_dead_delivery, make_webhook
from tests.support.logins import address, invite, role_id, token_in

PLACE = re.compile(r"<([\w ]+)>")
PLATFORM_ROLES = {"platform": "super_admin", "support": "support"}


@dataclass
class World:
    """A tenant and who acts in it; ``caller`` is an authority, or None for nobody."""

    product: Product
    tenant: Tenant
    owner: Authority
    caller: Authority | None = None
    made: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    async def make(cls, product: Product) -> "World":
        """A tenant of its own with an owner of its own."""
        tenant = await make_tenant(product.database)
        return cls(product, tenant, await signed_in(product.database, tenant, "owner"))

    async def enter(self, who: str) -> Speaker:
        """Become a caller: a role's key, ``platform``, ``support`` or ``anonymous``."""
        if who == "anonymous":
            self.caller = None
            return self.product.anonymous
        database = self.product.database
        if who in PLATFORM_ROLES:
            self.caller = await system_authority(database, PLATFORM_ROLES[who])
        else:
            self.caller = await signed_in(database, self.tenant, who)
        return self.product.as_(self.caller)

    async def prove(self, who: Authority) -> None:
        """As if the caller's session had proved a second factor at this moment."""
        await self.product.database.seen_by_owner(
            "UPDATE session SET factor_at = $2 WHERE id = $1", who.session_id, self.product.clock()
        )

    async def enter_with(self, *permissions: str) -> Speaker:
        """Become a member who holds exactly these permissions of the blueprint."""
        return await self.enter(await self.role_with(*permissions))

    async def role_with(self, *permissions: str) -> str:
        """Key of a new custom role with exactly these permissions of the blueprint."""
        key = f"custom_{token_hex(6)}"
        async with self.product.database.writing(self.owner) as work:
            await create_role(work, name=key, key=key, permissions=permissions)
        return key

    async def fill(self, text: str) -> str:
        """The text with each ``<thing>`` made, as a JSON string; the same thing for the same name."""
        for name in dict.fromkeys(PLACE.findall(text)):
            if name not in self.made:
                self.made[name] = await getattr(self, f"_make_{name.replace(' ', '_').lower()}")()
            text = text.replace(f"<{name}>", json.dumps(self.made[name]))
        return text

    async def powerless_member(self) -> Member:
        """A member with a role that allows nothing."""
        return await make_member(self.product.database, self.tenant, await self.role_with())

    async def invited(self, email: str) -> Invited:
        """A pending invitation of this address to a role that allows nothing."""
        role = await self._make_powerless_role()
        return await invite(self.product.database, self.owner, email, role)

    async def _make_powerless_role(self) -> str:
        return await role_id(self.product.database, self.tenant, await self.role_with())

    async def _make_powerless_member(self) -> str:
        return (await self.powerless_member()).node_id

    async def _make_invitation(self) -> str:
        return (await self.invited(address())).invitation.node_id

    async def _make_tenant(self) -> str:
        return self.tenant.node_id

    async def _make_self(self) -> str:
        return self.tenant.node_id if self.caller is None else self.caller.member

    async def _make_address(self) -> str:
        return address()

    async def _make_slug(self) -> str:
        return f"s-{token_hex(6)}"

    async def _make_issuer(self) -> str:
        return self.product.issuer.provider.issuer

    async def _make_id_token(self) -> str:
        return self.product.issuer.id_token((await self.powerless_member()).email)

    async def _make_invitation_token(self) -> str:
        email = address()
        self.made["invited ID token"] = self.product.issuer.id_token(email)
        return token_in(await self.invited(email))

    async def _make_own_session(self) -> str:
        database = self.product.database
        member = self.caller or self.owner
        (row,) = await database.seen_by_owner("SELECT node_id FROM session WHERE id = $1", member.session_id)
        return row["node_id"]

    async def _make_draft_code(self) -> str:
        return (await draft(self.product, self.product.as_(self.caller or self.owner))).shown()

    async def _make_own_code(self) -> str:
        return (await set_up(self.product, self.product.as_(self.caller or self.owner))).next()

    async def _make_challenge(self) -> str:
        """Of somebody with a second factor, whose code is kept too."""
        member = await self.powerless_member()
        factor = await set_up(self.product, await self.product.as_member(member))
        made = await self.product.login(member.email)
        self.made["challenge code"] = factor.next()
        return made["challenge"]

    async def _make_person_with_a_factor(self) -> str:
        member = await self.powerless_member()
        await set_up(self.product, await self.product.as_member(member))
        found = await self.product.database.value('SELECT node_id FROM "user" WHERE id = $1', member.user_id)
        return str(found)

    async def _make_api_key(self) -> str:
        return (await make_api_key(self.product.database, self.owner, "org:read")).key.node_id

    async def _make_other_issuer(self) -> str:
        """One that is not in the settings."""
        return self.product.guest.provider.issuer

    async def _make_identity_provider(self) -> str:
        return (await connect(self.product, self.owner)).node_id

    async def _make_fresh_domain(self) -> str:
        return f"{token_hex(6)}.example"

    async def _make_published_domain(self) -> str:
        """Listed, and its record published."""
        return (await list_domain(self.product, self.owner, await self._make_fresh_domain())).node_id

    async def _make_webhook(self) -> str:
        return (await self._webhook()).endpoint.node_id

    async def _make_dead_delivery(self) -> str:
        return await make_dead_delivery(self.product.database, self.owner, await self._webhook())

    async def _webhook(self) -> MadeSecret:
        """Switched off: what is replayed to it does not go out while a test looks at the rows."""
        made = await make_webhook(self.product.database, self.owner, self.product.sealing)
        async with self.product.database.writing(self.owner) as work:
            await update(work, made.endpoint.node_id, enabled=False)
        return made

    async def _make_extension_object(self) -> str:
        return await self._object("extension")

    async def _make_ticket_object(self) -> str:
        return await self._object("ticket")

    async def _make_team(self) -> str:
        """With the owner in it."""
        async with self.product.database.writing(self.owner) as work:
            return (await create_team(work, name=token_hex(6), members=[self.owner.member])).node_id

    async def _object(self, type_name: str) -> str:
        """An object of the owner's."""
        resource = Resource(
            tenant_id=self.tenant.id, type=type_name, name="One", state="open", owner_id=self.owner.user_id
        )
        async with self.product.database.writing(self.owner) as work:
            work.session.add(resource)
        return resource.node_id

    async def _make_ticket(self) -> str:
        """For a person of this tenant and another."""
        member = await self.powerless_member()
        other = await make_tenant(self.product.database)
        await make_member(self.product.database, other, email=member.email)
        return (await self.product.login(member.email))["ticket"]


async def second_session(world: World, member: Member) -> Speaker:
    """The same member on another device."""
    return world.product.as_(await sign_in(world.product.database, member))
