"""Second factors: a secret sealed, codes hashed, and since when a session has proved one."""

from tenantry.storage.migrations.script import guard, open_doors, run

revision = "0005"
down_revision = "0004"

TABLES = """
ALTER TABLE tenant ADD mfa_required BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE role ADD mfa_required BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE session ADD factor_at TIMESTAMPTZ;
ALTER TABLE login_ticket ADD member_id UUID;
CREATE TABLE totp_factor (
  user_id UUID PRIMARY KEY REFERENCES "user" (id) ON DELETE CASCADE,
  key_id VARCHAR NOT NULL,
  box BYTEA NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  confirmed_at TIMESTAMPTZ,
  last_step BIGINT NOT NULL DEFAULT 0,
  tries TIMESTAMPTZ[] NOT NULL DEFAULT '{}'
);
CREATE TABLE recovery_code (
  user_id UUID NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
  code_hash BYTEA NOT NULL,
  used_at TIMESTAMPTZ,
  PRIMARY KEY (user_id, code_hash)
);
"""

# A factor is a person's, whatever tenant they act in: the wall here is the person.
WALL = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON {table} TO tenantry_app
  USING (user_id = (SELECT current_app_user())) WITH CHECK (user_id = (SELECT current_app_user()));
CREATE POLICY guard ON {table} TO tenantry_guard USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO tenantry_app;
"""

RIGHTS = """
GRANT UPDATE (mfa_enabled) ON "user" TO tenantry_app;
GRANT SELECT, DELETE, UPDATE (key_id, box) ON totp_factor TO tenantry_guard;
GRANT SELECT, DELETE ON recovery_code TO tenantry_guard;
GRANT UPDATE (mfa_enabled) ON "user" TO tenantry_guard;
"""

# A view has the columns that its tables had when it was made.
VIEWS = {
    "own_tenant": """
  SELECT t.* FROM public.tenant t WHERE EXISTS (
    SELECT FROM public.member m
    WHERE m.tenant_id = t.id AND m.user_id = (SELECT public.current_app_user()))""",
    "own_role": """
  SELECT r.* FROM public.role r WHERE EXISTS (
    SELECT FROM public.member_role mr
    JOIN public.member m ON m.tenant_id = mr.tenant_id AND m.id = mr.member_id
    WHERE mr.tenant_id = r.tenant_id AND mr.role_id = r.id
      AND m.user_id = (SELECT public.current_app_user()))""",
    "platform_tenant": """
  SELECT * FROM public.tenant WHERE id <> '00000000-0000-0000-0000-000000000000'
    AND (SELECT public.current_tenant()) = '00000000-0000-0000-0000-000000000000'""",
}

AUTHORITY = """
DROP FUNCTION load_authority(uuid);
CREATE FUNCTION load_authority(p_session uuid)
RETURNS TABLE (session_id uuid, user_id uuid, member_id uuid, tenant_id uuid,
  user_node text, member_node text, tenant_node text, label text, scope text,
  permissions text[], roles text[], is_owner boolean, member_version int, tenant_version int,
  member_status text, tenant_suspended boolean, revoked boolean, expires_at timestamptz{columns})
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.id, s.user_id, m.id, t.id, u.node_id, m.node_id, t.node_id, coalesce(m.name, m.email),
    CASE WHEN platform THEN 'SYSTEM' ELSE 'TENANT' END,
    CASE WHEN platform AND u.is_super_admin THEN ARRAY['*'] ELSE coalesce(
      (SELECT array_agg(DISTINCT p) FROM public.member_role mr
        JOIN public.role r ON r.tenant_id = mr.tenant_id AND r.id = mr.role_id
        CROSS JOIN unnest(r.effective) AS p
        WHERE mr.tenant_id = m.tenant_id AND mr.member_id = m.id), '{{}}') END,
    coalesce((SELECT array_agg(r.key ORDER BY r.position, r.node_id) FROM public.member_role mr
        JOIN public.role r ON r.tenant_id = mr.tenant_id AND r.id = mr.role_id
        WHERE mr.tenant_id = m.tenant_id AND mr.member_id = m.id), '{{}}'),
    m.is_owner, m.version, t.version, m.status, t.suspended, s.revoked, s.expires_at{values}
  FROM public.session s
  JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
  JOIN public.tenant t ON t.id = s.tenant_id
  JOIN public."user" u ON u.id = s.user_id
  CROSS JOIN LATERAL (SELECT t.id = '00000000-0000-0000-0000-000000000000' AS platform) AS p
  WHERE s.id = p_session
$$;
"""
COLUMNS = ", factor_at timestamptz, awaits_factor boolean"
VALUES = """,
    s.factor_at, s.factor_at IS NULL AND (t.mfa_required OR EXISTS (
      SELECT FROM public.member_role mr
      JOIN public.role r ON r.tenant_id = mr.tenant_id AND r.id = mr.role_id
      WHERE mr.tenant_id = m.tenant_id AND mr.member_id = m.id AND r.mfa_required))"""

# Every tenant's sessions of one person end, but the one that acts. Gates first (migration 0004), in
# the order of members, so that two who do this at once take turns.
END = """
CREATE FUNCTION end_sessions_of(p_user uuid, p_but uuid) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_user IS DISTINCT FROM public.current_app_user() THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(public.member_gate(q.id)) FROM (
    SELECT m.id FROM public.member m WHERE m.user_id = p_user ORDER BY m.id) AS q;
  RETURN QUERY UPDATE public.session s SET revoked = true
    WHERE s.user_id = p_user AND s.id IS DISTINCT FROM p_but AND NOT s.revoked AND s.expires_at > now()
    RETURNING s.node_id::text;
END $$;
"""

# A person who has lost device and codes is helped by the platform's staff, who see nothing of either.
RESET = """
CREATE FUNCTION reset_factor(p_node text) RETURNS TABLE (had boolean, ended text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_user uuid;
BEGIN
  IF public.current_tenant() IS DISTINCT FROM '00000000-0000-0000-0000-000000000000' THEN RETURN; END IF;
  SELECT u.id INTO v_user FROM public."user" u WHERE u.node_id = p_node;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(public.member_gate(q.id)) FROM (
    SELECT m.id FROM public.member m WHERE m.user_id = v_user ORDER BY m.id) AS q;
  DELETE FROM public.recovery_code r WHERE r.user_id = v_user;
  DELETE FROM public.totp_factor f WHERE f.user_id = v_user;
  had := FOUND;
  UPDATE public."user" u SET mfa_enabled = false WHERE u.id = v_user;
  WITH over AS (
    UPDATE public.session s SET revoked = true
    WHERE s.user_id = v_user AND NOT s.revoked AND s.expires_at > now() RETURNING s.node_id)
  SELECT coalesce(array_agg(over.node_id::text), '{}') INTO ended FROM over;
  RETURN NEXT;
END $$;
"""

# For the operator's command that seals secrets under a new key: boxes, which are nothing without keys.
RESEAL = """
CREATE FUNCTION sealed_under_other_keys(p_key text, p_after uuid, p_most int)
RETURNS TABLE (user_id uuid, key_id text, box bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT f.user_id, f.key_id, f.box FROM public.totp_factor f WHERE f.key_id <> p_key AND f.user_id > p_after
  ORDER BY f.user_id LIMIT p_most
$$;
CREATE FUNCTION reseal(p_user uuid, p_was bytea, p_key text, p_box bytea) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE public.totp_factor f SET key_id = p_key, box = p_box WHERE f.user_id = p_user AND f.box = p_was;
  RETURN FOUND;
END $$;
CREATE FUNCTION sealed_count(p_key text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*) FROM public.totp_factor f WHERE f.key_id = p_key
$$;
"""

GUARDED = (
    "load_authority(uuid)",
    "end_sessions_of(uuid, uuid)",
    "reset_factor(text)",
    "sealed_under_other_keys(text, uuid, int)",
    "reseal(uuid, bytea, text, bytea)",
    "sealed_count(text)",
)


def upgrade() -> None:
    """Add factors."""
    run(TABLES)
    for table in ("totp_factor", "recovery_code"):
        run(WALL.format(table=table))
    run(RIGHTS)
    run(f"DROP VIEW {', '.join(VIEWS)}")
    open_doors(VIEWS)
    run(AUTHORITY.format(columns=COLUMNS, values=VALUES))
    run(END)
    run(RESET)
    run(RESEAL)
    guard(*GUARDED)


def downgrade() -> None:
    """Forget every factor."""
    run(AUTHORITY.format(columns="", values=""))
    guard("load_authority(uuid)")
    run(f"DROP FUNCTION {', '.join(GUARDED[1:])}")
    run(f"DROP VIEW {', '.join(VIEWS)}")
    run("""
DROP TABLE recovery_code, totp_factor;
ALTER TABLE login_ticket DROP member_id;
ALTER TABLE session DROP factor_at;
ALTER TABLE role DROP mfa_required;
ALTER TABLE tenant DROP mfa_required;
UPDATE "user" SET mfa_enabled = false;
REVOKE UPDATE (mfa_enabled) ON "user" FROM tenantry_app, tenantry_guard;
""")
    open_doors(VIEWS)
