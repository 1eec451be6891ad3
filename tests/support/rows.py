"""Rows written past every wall, for tests of the walls themselves."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest_asyncio
from sqlalchemy import update
from sqlmodel import col

from tenantry.directory.tenants.models import Tenant
from tenantry.kernel.ids import NodePrefix, new_key, new_node_id
from tenantry.kernel.principal import Authority, Scope
from tenantry.storage.unit_of_work import UnitOfWork
from tests.support.database import DatabaseServer, TemporaryDatabase

EVERYTHING = frozenset({"*"})


class Rows:
    """A superuser's hand in one database; each method inserts one thing and returns what names it."""

    def __init__(self, database: TemporaryDatabase) -> None:
        self.database = database

    async def execute(self, sql: str, *arguments: object) -> str:
        """Run ``sql`` as the superuser; PostgreSQL's word for what it did."""
        connection = await asyncpg.connect(self.database.owner_dsn)
        try:
            return await connection.execute(sql, *arguments)
        finally:
            await connection.close()

    async def tenant(self, *, key: UUID | None = None) -> UUID:
        """A tenant with nobody in it."""
        key = key or new_key()
        await self.database.seen_by_owner(
            "INSERT INTO blueprint (key, title, body, digest, applied_at)"
            " VALUES ('plain', 'Plain', '{}', '', now()) ON CONFLICT DO NOTHING"
        )
        await self.database.seen_by_owner(
            "INSERT INTO tenant (id, node_id, slug, name, blueprint, created_at)"
            " VALUES ($1, $2, $2, 'Tenant', 'plain', now())",
            key,
            new_node_id(NodePrefix.TENANT),
        )
        return key

    async def member(self, tenant: UUID, *, owner: bool = False) -> UUID:
        """An ACTIVE member with a person of their own."""
        user, member = new_key(), new_key()
        email = f"{member.hex}@people.example"
        await self.database.seen_by_owner(
            'INSERT INTO "user" (id, node_id, email, created_at) VALUES ($1, $2, $3, now())',
            user,
            new_node_id(NodePrefix.USER),
            email,
        )
        await self.database.seen_by_owner(
            "INSERT INTO member (tenant_id, id, node_id, user_id, email, status, is_owner)"
            " VALUES ($1, $2, $3, $4, $5, 'ACTIVE', $6)",
            tenant,
            member,
            new_node_id(NodePrefix.MEMBER),
            user,
            email,
            owner,
        )
        return member

    async def role(self, tenant: UUID, key: str = "agent") -> UUID:
        """A role of the tenant."""
        role = new_key()
        await self.database.seen_by_owner(
            "INSERT INTO role (tenant_id, id, node_id, key, name, created_at)"
            " VALUES ($1, $2, $3, $4, $4, now())",
            tenant,
            role,
            new_node_id(NodePrefix.ROLE),
            key,
        )
        return role

    async def session(self, member: UUID, *, lifetime: timedelta = timedelta(hours=1)) -> Authority:
        """A session of ``member``, as the authority it gives."""
        (row,) = await self.database.seen_by_owner(
            "INSERT INTO session"
            " (tenant_id, id, node_id, user_id, member_id, logged_at, last_seen_at, expires_at)"
            " SELECT tenant_id, $2, $3, user_id, id, now(), now(), $4 FROM member WHERE id = $1"
            " RETURNING tenant_id, user_id",
            member,
            session := new_key(),
            new_node_id(NodePrefix.SESSION),
            datetime.now(UTC) + lifetime,
        )
        return await self.authority(row["tenant_id"], row["user_id"], member, session)

    async def authority(self, tenant: UUID, user: UUID, member: UUID, session: UUID) -> Authority:
        """What these four amount to now."""
        (row,) = await self.database.seen_by_owner(
            'SELECT m.node_id AS member, u.node_id AS "user", t.node_id AS tenant, m.is_owner,'
            " m.version AS member_version, t.version AS tenant_version"
            " FROM member m JOIN tenant t ON t.id = m.tenant_id"
            ' JOIN "user" u ON u.id = m.user_id WHERE m.id = $1',
            member,
        )
        return Authority(
            session_id=session,
            user_id=user,
            member_id=member,
            tenant_id=tenant,
            scope=Scope.SYSTEM if tenant == UUID(int=0) else Scope.TENANT,
            permissions=EVERYTHING,
            roles=(),
            **row,
        )

    async def rename(self, work: UnitOfWork, tenant: UUID, name: str) -> None:
        """Change something, as a service would: in the transaction of ``work``."""
        await work.session.exec(update(Tenant).where(col(Tenant.id) == tenant).values(name=name))

    async def signed_in(self, tenant: UUID, *, owner: bool = False) -> Authority:
        """A new member, signed in."""
        return await self.session(await self.member(tenant, owner=owner))


@pytest_asyncio.fixture(scope="module")
async def rows(database_server: DatabaseServer) -> AsyncIterator[Rows]:
    """An empty, migrated database for the tests of one module."""
    temporary = await database_server.create(seeded=False)
    yield Rows(temporary)
    await database_server.drop(temporary)
