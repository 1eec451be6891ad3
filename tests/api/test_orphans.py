"""What a person wrote as personal: theirs alone, locked when they are removed, open when they join again."""

import asyncio
from typing import Any

import pytest

from tenantry.directory.blueprints.document import BlueprintDocument
from tenantry.directory.members.models import Member
from tenantry.directory.provisioning.blueprints import apply_blueprint
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.principal import Authority
from tests.support.api import Product, Speaker
from tests.support.database import documents
from tests.support.factories import make_api_key, make_member, make_tenant, platform, sign_in, signed_in
from tests.support.hooks import make_webhook
from tests.support.refusals import snapshot

WRITE = """mutation { resourceCreate(input: {
  type: "research_log", name: "Day one", attributes: {text: "Doubts"}}) { resource { id } } }"""
LOGS = """{ tenant { resources(type: "research_log", first: 9) { totalCount nodes { name attributes } } } }"""
ONE = "query One($id: ID!) { tenant { resource(id: $id) { name } } }"
NODE = "query Node($id: ID!) { node(id: $id) { id } }"
RENAME = """mutation Rename($id: ID!) { resourceUpdate(input: {resourceId: $id, name: "X"}) {
  resource { name } } }"""
GIVE = """mutation Give($id: ID!, $to: ID) { resourceUpdate(input: {resourceId: $id, ownerId: $to}) {
  resource { name } } }"""
DELETE = "mutation Delete($id: ID!) { resourceDelete(input: {resourceId: $id}) { resourceId } }"
REMOVE = "mutation Remove($id: ID!) { memberRemove(input: {memberId: $id}) { __typename } }"
ARCHIVE = """{ viewer { archive(first: 9) { totalCount nodes {
  id type name createdAt lockedAt attributes } } } }"""
CROSSING = """query Look($tenant: ID!, $id: ID!) { system { tenant(id: $tenant) {
  resources(type: "research_log", first: 9) { totalCount } resource(id: $id) { name } } } }"""
WORKSPACE = "research-workspace"
MATS = "mats-{}@people.example"


class Workspaces:
    """Workspaces of one person, who is a member of each, and of those who can remove them."""

    def __init__(self, product: Product, person: str, blueprint: str = WORKSPACE) -> None:
        self.product = product
        self.blueprint = blueprint
        self.person = person
        self.tenants: list[Tenant] = []
        self.members: list[Member] = []
        self.admins: list[Speaker] = []

    async def join(self, tenant: Tenant | None = None) -> Speaker:
        """The person in one more workspace, or again in ``tenant``."""
        database = self.product.database
        if tenant is None:
            tenant = await make_tenant(database, self.blueprint)
            self.tenants.append(tenant)
            self.admins.append(self.product.as_(await signed_in(database, tenant, "ADMIN")))
        self.members.append(await make_member(database, tenant, "MEMBER", email=self.person))
        return self.product.as_(await sign_in(database, self.members[-1]))

    async def remove(self, place: int) -> None:
        """Take the person out of one workspace."""
        answer = await self.admins[place].query(REMOVE, id=self.members[place].node_id)
        assert answer["memberRemove"]["__typename"] == "MemberRemoved"


def person(request: pytest.FixtureRequest) -> str:
    return MATS.format(abs(hash(request.node.name)))


async def written(speaker: Speaker) -> str:
    return (await speaker.query(WRITE))["resourceCreate"]["resource"]["id"]


async def archive(speaker: Speaker) -> list[dict[str, Any]]:
    found = (await speaker.query(ARCHIVE))["viewer"]["archive"]
    assert found["totalCount"] == len(found["nodes"])
    return found["nodes"]


@pytest.mark.requirement("002-22")
async def test_what_is_personal_is_there_for_its_writer_alone(
    product: Product, request: pytest.FixtureRequest
) -> None:
    mine = Workspaces(product, person(request))
    mats = await mine.join()
    (tenant,), (admin,) = mine.tenants, mine.admins
    log = await written(mats)
    colleague = product.as_(await signed_in(product.database, tenant, "MEMBER"))
    assert (await mats.query(LOGS))["tenant"]["resources"]["nodes"] == [
        {"name": "Day one", "attributes": {"text": "Doubts"}}
    ]
    staff = product.as_(await signed_in(product.database, await platform(product.database), "super_admin"))
    before = await snapshot(product.database)
    for other in (admin, colleague):
        assert (await other.query(LOGS))["tenant"]["resources"]["totalCount"] == 0
        for document in (ONE, NODE, RENAME, DELETE):
            assert (await other.ask(document, {"id": log})).codes == ["NOT_FOUND"]
    reply = await staff.ask(CROSSING, {"tenant": tenant.node_id, "id": log})
    assert reply.body["data"]["system"]["tenant"] == {"resources": {"totalCount": 0}, "resource": None}
    assert reply.codes == ["NOT_FOUND"]
    assert await snapshot(product.database) == before


async def test_what_is_personal_cannot_be_given_away(
    product: Product, request: pytest.FixtureRequest
) -> None:
    mine = Workspaces(product, person(request))
    mats = await mine.join()
    log = await written(mats)
    other = await make_member(product.database, mine.tenants[0], "MEMBER")
    for to in (other.node_id, None):
        reply = await mats.ask(GIVE, {"id": log, "to": to})
        assert reply.codes == ["BAD_USER_INPUT"]
        assert list(reply.errors[0]["extensions"]["fields"]) == ["ownerId"]


@pytest.mark.requirement("002-21")
async def test_removal_ends_everything_that_the_person_holds_there(
    product: Product, request: pytest.FixtureRequest
) -> None:
    mine = Workspaces(product, person(request))
    mats = await mine.join()
    authority = await sign_in(product.database, mine.members[0])
    key = product.with_token((await make_api_key(product.database, authority, "project:read")).text)
    projects = '{ tenant { resources(type: "project", first: 1) { totalCount } } }'
    for speaker in (mats, key):
        assert (await speaker.query(projects))["tenant"]["resources"]["totalCount"] == 0
    await mine.remove(0)
    for speaker in (mats, key):
        assert (await speaker.ask(projects)).codes == ["UNAUTHENTICATED"]


@pytest.mark.requirement("002-22", "002-23", "002-24")
async def test_the_archive_is_locked_by_a_removal_and_opened_by_the_next_joining(
    product: Product, request: pytest.FixtureRequest
) -> None:
    mine = Workspaces(product, person(request))
    first, second = await mine.join(), await mine.join()
    log = await written(first)
    assert await archive(second) == []
    await mine.remove(0)
    (locked,) = await archive(second)
    assert (locked["id"], locked["type"], locked["name"]) == (log, "research_log", "Day one")
    assert (locked["createdAt"] < locked["lockedAt"], locked["attributes"]) == (True, None)
    # Being in the second workspace already is no joining, nor is another login there.
    assert (await archive(product.as_(await sign_in(product.database, mine.members[1]))))[0]["lockedAt"]
    third = await mine.join()
    for speaker in (second, third):
        (opened,) = await archive(speaker)
        assert (opened["lockedAt"], opened["attributes"]) == (None, {"text": "Doubts"})
    # A further removal locks what was written there, and no more.
    await written(third)
    await mine.remove(2)
    assert [each["lockedAt"] is None for each in await archive(second)] == [False, True]
    again = await mine.join(mine.tenants[0])
    assert (await again.query(LOGS))["tenant"]["resources"]["nodes"][0]["attributes"] == {"text": "Doubts"}
    (left,) = await archive(again)
    assert left["attributes"] == {"text": "Doubts"}


async def test_no_webhook_is_told_of_what_is_personal(
    product: Product, request: pytest.FixtureRequest
) -> None:
    mine = Workspaces(product, person(request))
    mats = await mine.join()
    owner = await signed_in(product.database, mine.tenants[0], "ADMIN")
    await make_webhook(product.database, owner, product.sealing)
    log = await written(mats)
    await mats.query(RENAME, id=log)
    await mats.query(DELETE, id=log)
    told = "SELECT count(*) FROM webhook_delivery WHERE tenant_id = $1"
    assert await product.database.value(told, mine.tenants[0].id) == 0


@pytest.mark.requirement("002-22")
async def test_nobody_else_has_an_archive_of_it(product: Product, request: pytest.FixtureRequest) -> None:
    mine = Workspaces(product, person(request))
    first, _ = await mine.join(), await mine.join()
    await written(first)
    await mine.remove(0)
    staff = product.as_(await signed_in(product.database, await platform(product.database), "super_admin"))
    issuer = await sign_in(product.database, mine.members[1])
    key = product.with_token((await make_api_key(product.database, issuer, "project:read")).text)
    for other in (*mine.admins, staff):
        assert await archive(other) == []
    # A key is nobody, and what is a person's own is not for it.
    assert await archive(key) == []
    assert (await product.anonymous.ask(ARCHIVE)).codes == ["UNAUTHENTICATED"]


async def mild(product: Product) -> str:
    """A blueprint that locks only what belongs to people without any tenant."""
    data = documents()[WORKSPACE].model_dump() | {"blueprint": "mild-workspace", "orphan_lock": "alone"}
    async with product.database.writing(None) as work:
        await apply_blueprint(work, BlueprintDocument.model_validate(data))
    return "mild-workspace"


@pytest.mark.requirement("002-23")
async def test_the_mild_reading_locks_once_the_person_is_alone(
    product: Product, request: pytest.FixtureRequest
) -> None:
    mine = Workspaces(product, person(request), await mild(product))
    first, second = await mine.join(), await mine.join()
    await written(first)
    await written(second)
    await mine.remove(0)
    assert [each["lockedAt"] for each in await archive(second)] == [None]
    await mine.remove(1)
    third = await mine.join()
    assert [each["lockedAt"] for each in await archive(third)] == [None, None]


@pytest.mark.requirement("002-23")
async def test_of_two_removals_at_once_one_is_the_last(
    product: Product, request: pytest.FixtureRequest
) -> None:
    blueprint = await mild(product)
    for round_ in range(8):
        mine = Workspaces(product, f"{round_}-{person(request)}", blueprint)
        for speaker in (await mine.join(), await mine.join()):
            await written(speaker)
        await asyncio.gather(mine.remove(0), mine.remove(1))
        locked = await product.database.seen_by_owner(
            """SELECT r.locked_at FROM resource r JOIN "user" u ON u.id = r.owner_id WHERE u.email = $1""",
            mine.person,
        )
        assert [row["locked_at"] is not None for row in locked] == [True, True]


async def test_the_database_itself_keeps_what_is_personal(
    product: Product, request: pytest.FixtureRequest
) -> None:
    mine = Workspaces(product, person(request))
    await written(await mine.join())
    seen: list[int] = []
    admin: Authority = await signed_in(product.database, mine.tenants[0], "ADMIN")
    for who in (admin, await sign_in(product.database, mine.members[0])):
        async with product.database.writing(who) as work:
            (row,) = await work.fetch("SELECT count(*) AS found FROM resource")
            seen.append(row["found"])
    assert seen == [0, 1]
