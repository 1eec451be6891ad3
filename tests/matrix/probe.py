"""What row security lets through, asked of PostgreSQL itself, table by table and command by command."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from tenantry.kernel.principal import Authority

WALLED = """
SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
  has_table_privilege('tenantry_guard', c.oid, 'SELECT') AS guarded,
  has_table_privilege('tenantry_app', c.oid, 'INSERT') AS inserts,
  has_table_privilege('tenantry_app', c.oid, 'DELETE') AS deletes,
  (SELECT min(a.attname)::text FROM pg_attribute a
   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     AND has_column_privilege('tenantry_app', c.oid, a.attnum, 'UPDATE')) AS updates,
  (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute a
   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     AND a.attidentity = '' AND a.attgenerated = '') AS columns
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND (
  c.relname IN ('tenant', 'user', 'recovery_code', 'totp_factor')
  OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'))
ORDER BY 1
"""
MINE = {
    "tenant": "t.id = $1",
    "user": "EXISTS (SELECT FROM member m WHERE m.user_id = t.id AND m.tenant_id = $1) AND $2 = $2",
    "resource": "t.tenant_id = $1 AND (NOT t.is_personal OR t.owner_id = $2)",
    "recovery_code": "t.user_id = $2 AND $1 = $1",
    "totp_factor": "t.user_id = $2 AND $1 = $1",
}
"""Which rows are the caller's to see, where that is not those of their tenant ($1; $2 is their person)."""
MINE_TO_CHANGE = {"user": "t.id = $2 AND $1 = $1"}
ANYWHERE = frozenset({"audit_record", "user"})
"""Rows that may be added outside of the tenant: the record of a crossing, a person at the first login."""
BEGIN = "SELECT 1 FROM begin_request($1, $2, $3, $4)"

Unwalled = asyncpg.InsufficientPrivilegeError


@dataclass(frozen=True)
class Table:
    """One table behind the wall, and what the role that serves may do with it."""

    name: str
    forced: bool
    guarded: bool
    inserts: bool
    deletes: bool
    updates: str | None
    """A column that may be changed."""
    columns: str
    """Those that an INSERT gives."""

    @property
    def mine(self) -> str:
        """A predicate over ``t``: rows to be seen."""
        return _typed(MINE.get(self.name, "t.tenant_id = $1 AND $2 = $2"))

    @property
    def changeable(self) -> str:
        """A predicate over ``t``: rows to be changed."""
        return _typed(MINE_TO_CHANGE[self.name]) if self.name in MINE_TO_CHANGE else self.mine


def _typed(predicate: str) -> str:
    if predicate == "t.id = $1":
        predicate += " AND $2 = $2"
    return predicate.replace("$1", "$1::uuid").replace("$2", "$2::uuid")


@dataclass(frozen=True)
class Truth:
    """What is in one table: how many rows are the caller's and how many are not, and one of each."""

    mine: int
    foreign: int
    my_row: str
    foreign_row: str


@dataclass
class Probe:
    """A superuser's connection inside a transaction that is rolled back, and whose rights are tried."""

    connection: Any
    caller: Authority
    truths: dict[str, Truth] = field(default_factory=dict[str, Truth])

    @property
    def who(self) -> tuple[UUID, UUID]:
        """Tenant and person."""
        return self.caller.tenant_id, self.caller.user_id

    async def look(self) -> None:
        """See what is there, past every wall. Raises ``LookupError`` where there is nothing to try it on."""
        for table in await self.tables():
            mine, foreign = await self._counts(table)
            if not (mine and foreign):
                raise LookupError(f"{table.name}: put a row of both tenants into the scene")
            self.truths[table.name] = Truth(mine, foreign, *await self._samples(table))

    async def tables(self, first: str = "") -> list[Table]:
        """Every table behind the wall, ``first`` first."""
        found = [Table(**row) for row in await self.connection.fetch(WALLED)]
        return sorted(found, key=lambda table: table.name != first)

    async def findings(self, first: str = "") -> AsyncGenerator[str]:
        """What is not as it should be, by the catalogue and the serving roles; the table ``first`` first."""
        tables = await self.tables(first)
        for table in tables:
            if not table.forced:
                yield f"{table.name}: row security is not forced"
        async with self.acting_as("tenantry_guard"):
            for table in tables:
                truth = self.truths[table.name]
                if table.guarded and await self._all(table) != truth.mine + truth.foreign:
                    yield f"{table.name}: the guard does not see all"
        async with self.acting_as("tenantry_app"):
            for table in tables:
                if await self._all(table):
                    yield f"{table.name}: open without the gate"
            if not await self._begin():
                yield "the gate does not open"
                return
            for table in tables:
                for finding in await self._reads(table) + await self._writes(table):
                    yield finding

    @asynccontextmanager
    async def acting_as(self, role: str) -> AsyncGenerator[None]:
        """Take a role for the block; what is done in it is undone."""
        inner = self.connection.transaction()
        await inner.start()
        await self.connection.execute(f"SET LOCAL ROLE {role}")
        try:
            yield
        finally:
            await inner.rollback()

    async def _begin(self) -> bool:
        who = self.caller
        given = (who.tenant_id, who.session_id, who.member_version, who.tenant_version)
        return await self.connection.fetchval(BEGIN, *given) == 1

    async def _all(self, table: Table) -> int:
        return await self.connection.fetchval(f'SELECT count(*) FROM "{table.name}"')  # noqa: S608

    async def _counts(self, table: Table) -> tuple[int, int]:
        """How many are the caller's, and how many are not."""
        sql = f"""SELECT count(*) FILTER (WHERE {table.mine}), count(*) FILTER (WHERE NOT ({table.mine}))
            FROM "{table.name}" t"""  # noqa: S608
        mine, foreign = await self.connection.fetchrow(sql, *self.who)
        return mine, foreign

    async def _samples(self, table: Table) -> tuple[str, str]:
        """One row of the caller's, and one that is not."""
        sql = f'SELECT to_jsonb(t)::text FROM "{table.name}" t WHERE '  # noqa: S608
        mine = await self.connection.fetchval(f"{sql} {table.mine} LIMIT 1", *self.who)
        foreign = await self.connection.fetchval(f"{sql} NOT ({table.mine}) LIMIT 1", *self.who)
        return mine, foreign

    async def _reads(self, table: Table) -> list[str]:
        mine, foreign = await self._counts(table)
        truth = self.truths[table.name]
        found = [] if mine == truth.mine else [f"{table.name}: {mine} of {truth.mine} own rows are seen"]
        return [*found, *([f"{table.name}: {foreign} foreign rows are seen"] if foreign else [])]

    async def _writes(self, table: Table) -> list[str]:
        found: list[str] = []
        mine, foreign = self.truths[table.name].my_row, self.truths[table.name].foreign_row
        if table.inserts:
            if not await self._inserts(table, mine):
                found.append(f"{table.name}: own rows cannot be added")
            if await self._inserts(table, foreign) is not (table.name in ANYWHERE):
                found.append(f"{table.name}: foreign rows can be added, or must be and cannot")
            if table.name == "user" and await self._inserts(table, _exalted(foreign)):
                found.append("user: super admins can be added")
        found += await self._changes(table, "changed", table.updates, self._update)
        found += await self._changes(table, "deleted", "x" if table.deletes else None, self._delete)
        return found

    async def _inserts(self, table: Table, row: str) -> bool:
        """Whether row security lets it in; another constraint may still refuse it, later."""
        name = table.name
        row_of = f'jsonb_populate_record(NULL::"{name}", $1::jsonb)'
        sql = f'INSERT INTO "{name}" ({table.columns}) SELECT {table.columns} FROM {row_of}'  # noqa: S608
        try:
            await self._undone(sql, row)
        except Unwalled:
            return False
        except asyncpg.PostgresError:
            return True
        return True

    async def _changes(
        self, table: Table, word: str, possible: str | None, statement: Callable[[Table], str]
    ) -> list[str]:
        if possible is None:
            return []
        mine = await self._count(f"{statement(table)} WHERE {table.changeable}")
        foreign = await self._count(f"{statement(table)} WHERE NOT ({table.changeable})")
        found = [] if mine else [f"{table.name}: own rows cannot be {word}"]
        return [*found, *([f"{table.name}: foreign rows can be {word}"] if foreign else [])]

    async def _count(self, sql: str) -> int:
        """How many rows are touched; a trigger or a key that refuses has seen one."""
        try:
            return int((await self._undone(sql, *self.who)).rpartition(" ")[2])
        except Unwalled:
            return 0
        except asyncpg.PostgresError:
            return 1

    async def _undone(self, sql: str, *arguments: object) -> str:
        """PostgreSQL's word for what a statement did, which is taken back."""
        inner = self.connection.transaction()
        await inner.start()
        try:
            return await self.connection.execute(sql, *arguments)
        finally:
            await inner.rollback()

    @staticmethod
    def _update(table: Table) -> str:
        column = f'"{table.updates}"'
        return f'UPDATE "{table.name}" t SET {column} = t.{column}'  # noqa: S608

    @staticmethod
    def _delete(table: Table) -> str:
        return f'DELETE FROM "{table.name}" t'  # noqa: S608


def _exalted(person: str) -> str:
    return json.dumps({**json.loads(person), "is_super_admin": True})
