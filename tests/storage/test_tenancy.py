"""The first wall alone: these sessions belong to a superuser, whom row security does not hold."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest_asyncio
from sqlalchemy import delete, exists, func, union_all, update
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col, select, text
from sqlmodel.ext.asyncio.session import AsyncSession

from tenantry.directory.members.models import Member, MemberRole, User
from tenantry.directory.roles.models import Role
from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.principal import Authority
from tenantry.storage.database import Database
from tenantry.storage.tenancy import criteria, tenant_column
from tenantry.storage.transactions import TenantSession
from tenantry.storage.unit_of_work import UnitOfWork
from tests.support.rows import Rows


@dataclass
class World:
    """Two tenants of one member and one role each, seen past row security."""

    rows: Rows
    unwalled: Database
    here: Authority
    there: Authority


@pytest_asyncio.fixture(scope="module")
async def world(rows: Rows) -> AsyncIterator[World]:
    unwalled = Database(rows.database.owner_dsn)
    people = []
    for _ in range(2):
        authority = await rows.signed_in(tenant := await rows.tenant())
        role = await rows.role(tenant)
        await rows.execute(
            "INSERT INTO member_role (tenant_id, id, member_id, role_id) VALUES ($1, $2, $3, $2)",
            tenant,
            role,
            authority.member_id,
        )
        people.append(authority)
    yield World(rows, unwalled, *people)
    await unwalled.close()


async def test_a_superuser_would_see_both_tenants(world: World):
    row = await world.unwalled.fetch("SELECT count(DISTINCT tenant_id) FROM member", ())
    assert row is not None
    assert row[0] == 2


async def test_two_tenants_in_turns_on_the_same_statement_each_see_their_own(world: World):
    statement = select(Member)
    for _ in range(5):
        for authority in (world.here, world.there):
            async with world.unwalled.writing(authority) as work:
                found = (await work.session.exec(statement)).all()
                assert [member.id for member in found] == [authority.member_id]


async def test_one_session_that_moves_sees_the_tenant_it_is_in(world: World):
    statement = select(Member.id)
    async with world.unwalled.writing(None) as work:
        assert (await work.session.exec(statement)).all() == []
        for authority in (world.here, world.there, world.here):
            await work.enter(authority.tenant_id)
            assert (await work.session.exec(statement)).all() == [authority.member_id]


async def test_a_tenant_is_its_own(world: World):
    async with world.unwalled.writing(world.here) as work:
        assert [tenant.id for tenant in (await work.session.exec(select(Tenant))).all()] == [
            world.here.tenant_id
        ]


async def test_what_belongs_to_no_tenant_has_no_criterion(world: World):
    async with world.unwalled.writing(world.here) as work:
        assert len((await work.session.exec(select(User))).all()) >= 2


async def ids(work: UnitOfWork, statement: object) -> set[UUID]:
    """The first column of what ``statement`` finds."""
    found = await work.session.exec(statement)  # type: ignore[call-overload]
    return set(found.all())


async def test_aliases_joins_and_sub_selects_are_inside_the_wall(world: World):
    other = aliased(Member)
    inner = select(Member.id).subquery()
    cte = select(Member.id).cte()
    statements = {
        "alias": select(other.id),
        "self-join": select(other.id).join(Member, col(Member.email) != col(other.email) + "x"),
        "cross join": select(other.id).select_from(Role).join(other, col(Role.key) != ""),
        "composite join": select(Member.id)
        .join(MemberRole, col(MemberRole.member_id) == Member.id)
        .join(Role, col(Role.id) == MemberRole.role_id),
        "outer join": select(Member.id).outerjoin(Role, col(Role.key) == "agent"),
        "sub-select": select(inner.c.id),
        "cte": select(cte.c.id),
        "in": select(Member.id).where(col(Member.id).in_(select(other.id))),
        "union": select(union_all(select(Member.id), select(other.id)).subquery().c.id),
    }
    async with world.unwalled.writing(world.here) as work:
        for name, statement in statements.items():
            assert await ids(work, statement) == {world.here.member_id}, name


async def test_exists_and_scalar_sub_selects_look_inside_the_wall(world: World):
    other = aliased(Member)
    foreign = exists().where(col(other.id) == world.there.member_id)
    count = select(func.count()).select_from(other).scalar_subquery()
    async with world.unwalled.writing(world.here) as work:
        assert await ids(work, select(Member.id).where(foreign)) == set()
        assert await ids(work, select(count).select_from(Member)) == {1}


async def test_bulk_changes_stay_inside_the_wall(world: World):
    async with world.unwalled.writing(world.here) as work:
        await work.session.exec(update(Member).values(name="changed"))
        await work.session.exec(delete(MemberRole))
        connection = await work.driver()
        changed = await connection.fetch("SELECT tenant_id FROM member WHERE name = 'changed'")
        left = await connection.fetch("SELECT tenant_id FROM member_role")
        await connection.execute("ROLLBACK")
    assert [row["tenant_id"] for row in changed] == [world.here.tenant_id]
    assert [row["tenant_id"] for row in left] == [world.there.tenant_id]


async def test_get_by_key_finds_nothing_of_another_tenant(world: World):
    async with world.unwalled.writing(world.here) as work:
        mine = await work.session.get(Member, (world.here.tenant_id, world.here.member_id))
        foreign = await work.session.get(Member, (world.there.tenant_id, world.there.member_id))
        assert mine is not None
        assert foreign is None


async def test_text_goes_past_this_wall_and_meets_the_second_one(world: World):
    count = text("SELECT count(*) FROM member")
    async with world.unwalled.writing(world.here) as work:
        assert await work.session.scalar(count) == 2
    async with world.rows.database.writing(world.here) as work:
        assert await work.session.scalar(count) == 1


async def test_a_session_that_was_told_no_tenant_sees_nothing(world: World):
    async with TenantSession(world.unwalled._engine) as session:
        assert (await session.exec(select(Member))).all() == []


async def test_an_ordinary_session_is_not_touched(world: World):
    async with AsyncSession(world.unwalled._engine) as session:
        assert len((await session.exec(select(Member))).all()) == 2


def test_a_table_that_is_declared_later_counts_too():
    tenant = uuid4()
    before = criteria(tenant)
    assert criteria(tenant) is before

    class Later(SQLModel, table=True):
        __tablename__ = "declared_by_a_test"
        tenant_id: UUID = Field(primary_key=True)

    assert len(criteria(tenant)) == len(before) + 1
    SQLModel.metadata.remove(SQLModel.metadata.tables["declared_by_a_test"])
    SQLModel._sa_registry._dispose_cls(Later)
    assert len(criteria(tenant)) == len(before)


def test_the_column_that_names_the_tenant():
    assert tenant_column(Member.__table__).name == "tenant_id"
    assert tenant_column(Tenant.__table__.alias()).name == "id"
    assert tenant_column(User.__table__) is None
