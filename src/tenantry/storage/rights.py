"""What the running role may do, as PostgreSQL itself reports it."""

from dataclasses import dataclass
from typing import cast

from asyncpg import Record

from tenantry.storage.database import Database

_RIGHTS = """
SELECT r.rolsuper, r.rolbypassrls,
  EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.relnamespace = 'public'::regnamespace),
  EXISTS (SELECT FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS p
          WHERE has_table_privilege('audit_record', p)),
  ARRAY(SELECT c.relname::text FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1)
FROM pg_roles r WHERE r.rolname = current_user
"""


@dataclass(frozen=True, slots=True)
class Rights:
    """Rights the application's role must not have, and tables whose wall is down."""

    superuser: bool
    bypasses_row_security: bool
    owns_tables: bool
    rewrites_the_trail: bool
    unwalled: tuple[str, ...]

    def problems(self) -> list[str]:
        """What start-up refuses, each with what to do; empty is right."""
        found = {
            "the role is a superuser; use tenantry_app": self.superuser,
            "the role bypasses row security; use tenantry_app": self.bypasses_row_security,
            "the role owns tables; migrate as another role": self.owns_tables,
            "the role may change the trail; revoke UPDATE, DELETE, TRUNCATE on it": self.rewrites_the_trail,
        }
        walls = [f"row security is not forced on {table}; run tenantry migrate" for table in self.unwalled]
        return [problem for problem, wrong in found.items() if wrong] + walls


async def rights_of(database: Database) -> Rights:
    """The rights of the role that ``database`` signs in as. Raises ``Unavailable``."""
    row = cast("Record", await database.fetch(_RIGHTS, ()))
    return Rights(row[0], row[1], row[2], row[3], tuple(row[4]))
