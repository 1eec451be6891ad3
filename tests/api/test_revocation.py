"""A right taken away in one worker is gone in all of them: nothing that starts afterwards is done."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from secrets import token_hex

import pytest
import pytest_asyncio

from tenantry.app.application import SIGNING_KEYS
from tenantry.directory.members.models import Member
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.principal import Authority
from tests.support.api import Product, Speaker, running_product
from tests.support.database import DatabaseServer, TemporaryDatabase
from tests.support.factories import make_api_key, make_member, make_tenant, platform, sign_in, signed_in

WORKERS = 4
RENAME = "mutation($name: String!) { tenantUpdate(input: {name: $name}) { __typename } }"
READ = "{ tenant { name } }"
REVOKE = "mutation($id: ID!) { sessionRevoke(input: {sessionId: $id}) { session { revoked } } }"
SUSPEND = "mutation($id: ID!) { memberSuspend(input: {memberId: $id}) { __typename } }"
REMOVE = "mutation($id: ID!) { memberRemove(input: {memberId: $id}) { __typename } }"
SET = """mutation($id: ID!, $role: ID!) { memberRolesSet(input: {memberId: $id, roleIds: [$role]}) {
    __typename } }"""
CREATE = """mutation { roleCreate(input: {name: "Editor", permissions: ["org:read", "org:update"]}) {
    ... on RoleCreated { role { id } } } }"""
UPDATE = """mutation($id: ID!) { roleUpdate(input: {roleId: $id, permissions: ["org:read"]}) {
    __typename } }"""
SUSPEND_TENANT = "mutation($id: ID!) { tenantSuspend(input: {tenantId: $id}) { __typename } }"


@pytest_asyncio.fixture(scope="module")
async def workers(
    database: TemporaryDatabase, database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sequence[Product]]:
    """Four of them over one database, with one key, each with connections and caches of its own."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_product(database, tmp_path_factory.mktemp("first")))
        key = first.settings.data_dir / SIGNING_KEYS
        name = database.app_dsn.rsplit("/", 1)[1].split("?")[0]
        others = []
        for _ in range(WORKERS - 1):
            own = database_server.open(name)
            stack.push_async_callback(own.close)
            folder = tmp_path_factory.mktemp("other")
            others.append(await stack.enter_async_context(running_product(own, folder, signing_key_file=key)))
        yield [first, *others]


@dataclass
class Stage:
    """An owner, an administrator who is to lose their rights, and the administrator at every worker."""

    tenant: Tenant
    owner: Speaker
    admin: Authority
    member: Member
    role: str
    everywhere: list[Speaker]
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    async def set(cls, workers: Sequence[Product]) -> "Stage":
        """Everyone signed in, and known to every worker; the administrator by a role of the tenant's own."""
        database = workers[0].database
        tenant = await make_tenant(database)
        owner = workers[0].as_(await signed_in(database, tenant, "owner"))
        made = await owner.query(CREATE)
        role = made["roleCreate"]["role"]["id"]
        member = await make_member(database, tenant)
        assert (await owner.ask(SET, {"id": member.node_id, "role": role})).errors == []
        admin = await sign_in(database, member)
        everywhere = [worker.as_(admin) for worker in workers]
        for speaker in everywhere:
            assert (await speaker.query(READ))["tenant"]["name"] == "Acme"
        return cls(tenant, owner, admin, member, role, everywhere)

    async def hammer(self, speaker: Speaker) -> int:
        """Rename without pause; returns how many that began after the end were done all the same."""
        late = 0
        while True:
            after = self.ended.is_set()
            reply = await speaker.ask(RENAME, {"name": token_hex(8)})
            late += after and reply.errors == []
            if after:
                return late


async def by_session(stage: Stage, workers: Sequence[Product]) -> None:
    session = await workers[0].database.value(
        "SELECT node_id FROM session WHERE id = $1", stage.admin.session_id
    )
    other = workers[1].as_(await sign_in(workers[0].database, stage.member))
    assert (await other.query(REVOKE, id=session))["sessionRevoke"]["session"]["revoked"] is True


async def by_logout(stage: Stage, workers: Sequence[Product]) -> None:
    assert (await workers[1].as_(stage.admin).ask("mutation { logout { success } }")).errors == []


async def by_suspension(stage: Stage, _: Sequence[Product]) -> None:
    assert (await stage.owner.ask(SUSPEND, {"id": stage.member.node_id})).errors == []


async def by_removal(stage: Stage, _: Sequence[Product]) -> None:
    assert (await stage.owner.ask(REMOVE, {"id": stage.member.node_id})).errors == []


async def by_roles(stage: Stage, workers: Sequence[Product]) -> None:
    role = await workers[0].database.value(
        "SELECT node_id FROM role WHERE tenant_id = $1 AND key = 'agent'", stage.tenant.id
    )
    assert (await stage.owner.ask(SET, {"id": stage.member.node_id, "role": role})).errors == []


async def by_a_change_of_the_role(stage: Stage, _: Sequence[Product]) -> None:
    assert (await stage.owner.ask(UPDATE, {"id": stage.role})).errors == []


async def by_tenant(stage: Stage, workers: Sequence[Product]) -> None:
    staff = await signed_in(workers[0].database, await platform(workers[0].database), "super_admin")
    reply = await workers[2].as_(staff).ask(SUSPEND_TENANT, {"id": stage.tenant.node_id})
    assert reply.errors == []


@pytest.mark.requirement("000-05", "001-30")
@pytest.mark.parametrize(
    "end",
    [
        by_session,
        by_logout,
        by_suspension,
        by_removal,
        by_roles,
        by_a_change_of_the_role,
        by_tenant,
    ],
)
async def test_what_begins_after_the_end_is_not_done_in_any_worker(workers: Sequence[Product], end) -> None:
    for _ in range(3):
        stage = await Stage.set(workers)
        running = [asyncio.create_task(stage.hammer(speaker)) for speaker in stage.everywhere]
        await asyncio.sleep(0.05)
        await end(stage, workers)
        stage.ended.set()
        assert await asyncio.gather(*running) == [0] * WORKERS
        name = await workers[0].database.value("SELECT name FROM tenant WHERE id = $1", stage.tenant.id)
        for speaker in stage.everywhere:
            for document in (READ, RENAME):
                reply = await speaker.ask(document, {"name": "Late"} if document is RENAME else {})
                assert reply.codes == ["UNAUTHENTICATED"]
        after = await workers[0].database.value("SELECT name FROM tenant WHERE id = $1", stage.tenant.id)
        assert after == name


REVOKE_KEY = "mutation($id: ID!) { apiKeyRevoke(input: {apiKeyId: $id}) { apiKey { id } } }"


async def test_a_key_that_is_revoked_does_nothing_more_in_any_worker(workers: Sequence[Product]) -> None:
    for _ in range(3):
        stage = await Stage.set(workers)
        made = await make_api_key(workers[0].database, stage.admin, "org:update")
        running = [asyncio.create_task(stage.hammer(worker.with_token(made.text))) for worker in workers]
        await asyncio.sleep(0.05)
        assert (await stage.owner.ask(REVOKE_KEY, {"id": made.key.node_id})).errors == []
        stage.ended.set()
        assert await asyncio.gather(*running) == [0] * WORKERS
        assert (await stage.everywhere[0].ask(READ)).errors == []
