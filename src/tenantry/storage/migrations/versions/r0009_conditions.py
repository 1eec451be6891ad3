"""Grants under conditions: what a role holds only if, and what conditions are decided from."""

from tenantry.storage.migrations.script import run
from tenantry.storage.migrations.versions.r0005_factors import AUTHORITY, COLUMNS, VALUES, VIEWS

revision = "0009"
down_revision = "0008"

# As before, and: the conditional grants of all roles as a blueprint writes them, and the tenant's facts.
FACTS = ", conditional text[], resource_types text, plan text, slug text, email text"
FOUND = """,
    CASE WHEN platform AND u.is_super_admin THEN '{}' ELSE coalesce(
      (SELECT array_agg(DISTINCT c) FROM public.member_role mr
        JOIN public.role r ON r.tenant_id = mr.tenant_id AND r.id = mr.role_id
        CROSS JOIN unnest(r.conditional) AS c
        WHERE mr.tenant_id = m.tenant_id AND mr.member_id = m.id), '{}') END,
    (SELECT encode(sha256(convert_to((b.body -> 'resources')::text, 'UTF8')), 'hex')
      FROM public.blueprint b WHERE b.key = t.blueprint), t.plan, t.slug, m.email"""

GUARD = """
GRANT CREATE ON SCHEMA public TO tenantry_guard;
REVOKE ALL ON FUNCTION load_authority(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION load_authority(uuid) TO tenantry_app;
ALTER FUNCTION load_authority(uuid) OWNER TO tenantry_guard;
CREATE VIEW own_role WITH (security_barrier) AS {own_role};
ALTER VIEW own_role OWNER TO tenantry_guard;
GRANT SELECT ON own_role TO tenantry_app;
REVOKE CREATE ON SCHEMA public FROM tenantry_guard;
"""


def upgrade() -> None:
    """Let a role hold something under a condition."""
    run("DROP VIEW own_role")
    run("ALTER TABLE role ADD conditional TEXT[] NOT NULL DEFAULT '{}'")
    run("GRANT SELECT ON blueprint TO tenantry_guard")
    run(AUTHORITY.format(columns=COLUMNS + FACTS, values=VALUES + FOUND))
    run(GUARD.format(own_role=VIEWS["own_role"]))


def downgrade() -> None:
    """Forget all conditions, and what was held under them."""
    run(AUTHORITY.format(columns=COLUMNS, values=VALUES))
    run("DROP VIEW own_role")
    run("ALTER TABLE role DROP conditional")
    run("REVOKE SELECT ON blueprint FROM tenantry_guard")
    run(GUARD.format(own_role=VIEWS["own_role"]))
