"""The second wall: roles of the database, row security, and the functions that open a tenant."""

from tenantry.storage.migrations.script import run

revision = "0002"
down_revision = "0001"

# tenantry_app runs the service: it owns nothing and cannot bypass row security.
# tenantry_guard owns the few functions and views that look across tenants; nobody signs in as it.
ROLES = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tenantry_app') THEN
    CREATE ROLE tenantry_app LOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tenantry_guard') THEN
    CREATE ROLE tenantry_guard NOLOGIN;
  END IF;
END $$;
GRANT tenantry_guard TO CURRENT_USER;
GRANT USAGE ON SCHEMA public TO tenantry_app, tenantry_guard;
GRANT CREATE ON SCHEMA public TO tenantry_guard;
GRANT SELECT ON blueprint, tenant, "user", identity, login_ticket, member, role, member_role,
  invitation, invitation_role, session, audit_record TO tenantry_app;
GRANT INSERT ON blueprint, tenant, "user", identity, login_ticket, member, role, member_role,
  invitation, invitation_role, session, audit_record TO tenantry_app;
GRANT UPDATE, DELETE ON blueprint, tenant, member, role, member_role, invitation, invitation_role, session
  TO tenantry_app;
GRANT UPDATE (name) ON "user" TO tenantry_app;
GRANT UPDATE (used_at) ON login_ticket TO tenantry_app;
GRANT SELECT ON tenant, "user", identity, member, role, member_role, invitation, session TO tenantry_guard;
GRANT UPDATE (version) ON tenant, member TO tenantry_guard;
GRANT UPDATE (last_seen_at) ON session, member TO tenantry_guard;
"""

# The tenant a statement runs in; '' is what a setting reads as after the transaction that set it.
CURRENT_TENANT = """
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT nullif(current_setting('app.tenant_id', true), '')::uuid
$$;
CREATE FUNCTION current_app_user() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT nullif(current_setting('app.user_id', true), '')::uuid
$$;
"""

STAMP = """
CREATE FUNCTION stamp_row_security() RETURNS void LANGUAGE plpgsql AS $$
DECLARE t text;
BEGIN
  FOR t IN
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND a.attname = 'tenant_id' AND NOT a.attisdropped
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    IF t <> 'audit_record' AND NOT EXISTS
      (SELECT FROM pg_policies WHERE tablename = t AND policyname = 'within_tenant') THEN
      EXECUTE format('CREATE POLICY within_tenant ON %I TO tenantry_app
        USING (tenant_id = (SELECT current_tenant()))
        WITH CHECK (tenant_id = (SELECT current_tenant()))', t);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_policies WHERE tablename = t AND policyname = 'guard') THEN
      EXECUTE format('CREATE POLICY guard ON %I TO tenantry_guard USING (true)', t);
    END IF;
  END LOOP;
END $$;
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
CREATE POLICY within_tenant ON tenant TO tenantry_app
  USING (id = (SELECT current_tenant())) WITH CHECK (id = (SELECT current_tenant()));
CREATE POLICY guard ON tenant TO tenantry_guard USING (true);
ALTER TABLE "user" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "user" FORCE ROW LEVEL SECURITY;
CREATE POLICY member_here ON "user" FOR SELECT TO tenantry_app USING (EXISTS (
  SELECT FROM member WHERE member.user_id = "user".id AND member.tenant_id = (SELECT current_tenant())));
CREATE POLICY register ON "user" FOR INSERT TO tenantry_app WITH CHECK (NOT is_super_admin);
CREATE POLICY rename ON "user" FOR UPDATE TO tenantry_app USING (id = (SELECT current_app_user()));
CREATE POLICY guard ON "user" TO tenantry_guard USING (true);
CREATE POLICY append ON audit_record FOR INSERT TO tenantry_app WITH CHECK (true);
CREATE POLICY within_tenant ON audit_record FOR SELECT TO tenantry_app
  USING (tenant_id = (SELECT current_tenant()));
"""

# One live check for every statement. Declared ROWS 1: with the default estimate of 1,000 the
# planner of PostgreSQL chooses plans for a crowd.
BEGIN = """
CREATE FUNCTION {name}(p_tenant uuid, p_session uuid, p_member_version int, p_tenant_version int)
RETURNS TABLE (tenant_id uuid, member_id uuid, user_id uuid, session_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
BEGIN{wait}
  SELECT m.tenant_id, m.id, s.user_id, s.id INTO tenant_id, member_id, user_id, session_id
  FROM public.session s
  JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
  JOIN public.tenant t ON t.id = s.tenant_id
  WHERE s.tenant_id = p_tenant AND s.id = p_session AND NOT s.revoked AND s.expires_at > now()
    AND m.status = 'ACTIVE' AND m.version = p_member_version
    AND NOT t.suspended AND t.version = p_tenant_version
  {lock};
  IF FOUND THEN
    PERFORM set_config('app.tenant_id', tenant_id::text, true),
      set_config('app.user_id', user_id::text, true);
    RETURN NEXT;
  END IF;
END $$;
"""

# A mutation holds its session and member FOR SHARE, and an advisory lock for the tenant: the row
# itself would be written by every mutation, and two renames would dead-lock. A suspension takes the
# lock alone, so that it waits for what is running, and what comes next sees it.
WAIT = """
  PERFORM pg_advisory_xact_lock_shared(hashtextextended(p_tenant::text, 0));"""

CROSSING = """
CREATE FUNCTION begin_crossing(
  p_tenant uuid, p_session uuid, p_member_version int, p_tenant_version int, p_target text)
RETURNS TABLE (tenant_id uuid, member_id uuid, user_id uuid, session_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
DECLARE target uuid;
BEGIN
  IF p_tenant <> '00000000-0000-0000-0000-000000000000' THEN RETURN; END IF;
  SELECT b.member_id, b.user_id, b.session_id INTO member_id, user_id, session_id
  FROM public.begin_mutation(p_tenant, p_session, p_member_version, p_tenant_version) b;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT t.id INTO target FROM public.tenant t WHERE t.node_id = p_target AND t.id <> p_tenant;
  tenant_id := target;
  PERFORM set_config('app.tenant_id', coalesce(target::text, ''), true);
  RETURN NEXT;
END $$;
"""

AUTHORITY = """
CREATE FUNCTION load_authority(p_session uuid)
RETURNS TABLE (session_id uuid, user_id uuid, member_id uuid, tenant_id uuid,
  user_node text, member_node text, tenant_node text, label text, scope text,
  permissions text[], roles text[], is_owner boolean, member_version int, tenant_version int,
  member_status text, tenant_suspended boolean, revoked boolean, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.id, s.user_id, m.id, t.id, u.node_id, m.node_id, t.node_id, coalesce(m.name, m.email),
    CASE WHEN platform THEN 'SYSTEM' ELSE 'TENANT' END,
    CASE WHEN platform AND u.is_super_admin THEN ARRAY['*'] ELSE coalesce(
      (SELECT array_agg(DISTINCT p) FROM public.member_role mr
        JOIN public.role r ON r.tenant_id = mr.tenant_id AND r.id = mr.role_id
        CROSS JOIN unnest(r.effective) AS p
        WHERE mr.tenant_id = m.tenant_id AND mr.member_id = m.id), '{}') END,
    coalesce((SELECT array_agg(r.key ORDER BY r.position, r.node_id) FROM public.member_role mr
        JOIN public.role r ON r.tenant_id = mr.tenant_id AND r.id = mr.role_id
        WHERE mr.tenant_id = m.tenant_id AND mr.member_id = m.id), '{}'),
    m.is_owner, m.version, t.version, m.status, t.suspended, s.revoked, s.expires_at
  FROM public.session s
  JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
  JOIN public.tenant t ON t.id = s.tenant_id
  JOIN public."user" u ON u.id = s.user_id
  CROSS JOIN LATERAL (SELECT t.id = '00000000-0000-0000-0000-000000000000' AS platform) AS p
  WHERE s.id = p_session
$$;
"""

# Who waits for a person. An address counts only where no other identity owns it (p_email is
# given only when the issuer has verified it), and an invited member only while the invitation lives.
LOGIN = """
CREATE FUNCTION login_candidates(p_user uuid, p_email text)
RETURNS TABLE (tenant_id uuid, tenant_node text, tenant_name text, tenant_suspended boolean,
  member_id uuid, member_status text, invitation_live boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.id, t.node_id, t.name, t.suspended, m.id, m.status, EXISTS (
      SELECT FROM public.invitation i WHERE i.tenant_id = m.tenant_id AND i.member_id = m.id
        AND i.status = 'PENDING' AND i.expires_at > now())
  FROM public.member m JOIN public.tenant t ON t.id = m.tenant_id
  WHERE m.user_id = p_user OR (m.user_id IS NULL AND m.email = p_email)
  ORDER BY t.name, t.node_id
$$;
CREATE FUNCTION find_user(p_issuer text, p_subject text, p_email text)
RETURNS TABLE (user_id uuid, email text, bound_here boolean, bound_elsewhere boolean)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
  SELECT u.id, u.email, i.user_id IS NOT NULL,
    i.user_id IS NULL AND EXISTS (SELECT FROM public.identity o WHERE o.user_id = u.id)
  FROM public."user" u
  LEFT JOIN public.identity i ON i.user_id = u.id AND i.issuer = p_issuer AND i.subject = p_subject
  WHERE i.user_id IS NOT NULL OR u.email = p_email
  ORDER BY i.user_id IS NULL LIMIT 1
$$;
CREATE FUNCTION find_invitation(p_token_hash bytea)
RETURNS TABLE (tenant_id uuid, invitation_id uuid, member_id uuid, email text, status text,
  expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
  SELECT i.tenant_id, i.id, i.member_id, i.email, i.status, i.expires_at
  FROM public.invitation i WHERE i.token_hash = p_token_hash
$$;
-- Rows that a running transaction holds are passed over: nobody waits for a time of day.
CREATE FUNCTION touch_sessions(p_sessions uuid[], p_times timestamptz[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH seen AS (SELECT * FROM unnest(p_sessions, p_times) AS x (id, at)),
  free AS (
    SELECT s.tenant_id, s.id, s.member_id, seen.at FROM seen JOIN public.session s ON s.id = seen.id
    WHERE s.last_seen_at < seen.at FOR NO KEY UPDATE OF s SKIP LOCKED),
  touched AS (
    UPDATE public.session s SET last_seen_at = free.at FROM free
    WHERE s.tenant_id = free.tenant_id AND s.id = free.id RETURNING s.tenant_id, s.member_id, free.at),
  latest AS (SELECT tenant_id, member_id, max(at) AS at FROM touched GROUP BY tenant_id, member_id),
  free_member AS (
    SELECT m.tenant_id, m.id, latest.at FROM latest
    JOIN public.member m ON m.tenant_id = latest.tenant_id AND m.id = latest.member_id
    FOR NO KEY UPDATE OF m SKIP LOCKED)
  UPDATE public.member m SET last_seen_at = f.at FROM free_member f
  WHERE m.tenant_id = f.tenant_id AND m.id = f.id
$$;
CREATE FUNCTION tenant_key(p_node_id text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT id FROM public.tenant WHERE node_id = p_node_id
$$;
"""

# Doors in the wall: what a person sees of their own memberships elsewhere, and the platform of all.
VIEWS = """
CREATE VIEW own_member WITH (security_barrier) AS
  SELECT * FROM public.member WHERE user_id = (SELECT public.current_app_user());
CREATE VIEW own_tenant WITH (security_barrier) AS
  SELECT t.* FROM public.tenant t WHERE EXISTS (
    SELECT FROM public.member m WHERE m.tenant_id = t.id AND m.user_id = (SELECT public.current_app_user()));
CREATE VIEW own_member_role WITH (security_barrier) AS
  SELECT mr.* FROM public.member_role mr
  JOIN public.member m ON m.tenant_id = mr.tenant_id AND m.id = mr.member_id
  WHERE m.user_id = (SELECT public.current_app_user());
CREATE VIEW own_role WITH (security_barrier) AS
  SELECT r.* FROM public.role r WHERE EXISTS (
    SELECT FROM public.member_role mr
    JOIN public.member m ON m.tenant_id = mr.tenant_id AND m.id = mr.member_id
    WHERE mr.tenant_id = r.tenant_id AND mr.role_id = r.id
      AND m.user_id = (SELECT public.current_app_user()));
CREATE VIEW platform_tenant WITH (security_barrier) AS
  SELECT * FROM public.tenant WHERE id <> '00000000-0000-0000-0000-000000000000'
    AND (SELECT public.current_tenant()) = '00000000-0000-0000-0000-000000000000';
CREATE VIEW platform_user WITH (security_barrier) AS
  SELECT * FROM public."user"
  WHERE (SELECT public.current_tenant()) = '00000000-0000-0000-0000-000000000000';
"""

RULES = """
CREATE FUNCTION keep_an_owner() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- The tenant's row is locked first, so that two owners who leave at once take turns; the
  -- count below then sees what the other has committed.
  PERFORM FROM public.tenant t WHERE t.id = OLD.tenant_id FOR NO KEY UPDATE;
  IF FOUND AND NOT EXISTS (SELECT FROM public.member m
      WHERE m.tenant_id = OLD.tenant_id AND m.is_owner AND m.status = 'ACTIVE') THEN
    RAISE EXCEPTION 'a tenant keeps at least one active owner' USING ERRCODE = 'TN001';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_an_owner_on_update AFTER UPDATE ON member FOR EACH ROW
  WHEN (OLD.is_owner AND OLD.status = 'ACTIVE' AND NOT (NEW.is_owner AND NEW.status = 'ACTIVE'))
  EXECUTE FUNCTION keep_an_owner();
CREATE TRIGGER keep_an_owner_on_delete AFTER DELETE ON member FOR EACH ROW
  WHEN (OLD.is_owner AND OLD.status = 'ACTIVE') EXECUTE FUNCTION keep_an_owner();
-- For each statement: a trigger for each row would wait with the row locked, and dead-lock with a rename.
CREATE FUNCTION wait_for_mutations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(current_tenant()::text, 0));
  RETURN NULL;
END $$;
CREATE TRIGGER suspension_waits BEFORE UPDATE OF suspended, version ON tenant FOR EACH STATEMENT
  EXECUTE FUNCTION wait_for_mutations();
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the trail is append-only' USING ERRCODE = 'TN002';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_record FOR EACH ROW
  EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit_record FOR EACH STATEMENT
  EXECUTE FUNCTION refuse_change();
"""

GUARDED = (
    "begin_request(uuid, uuid, int, int)",
    "begin_mutation(uuid, uuid, int, int)",
    "begin_crossing(uuid, uuid, int, int, text)",
    "load_authority(uuid)",
    "login_candidates(uuid, text)",
    "find_user(text, text, text)",
    "find_invitation(bytea)",
    "touch_sessions(uuid[], timestamptz[])",
    "tenant_key(text)",
    "keep_an_owner()",
)
DOORS = ("own_member", "own_tenant", "own_member_role", "own_role", "platform_tenant", "platform_user")


def upgrade() -> None:
    """Raise the wall."""
    run(ROLES)
    run(CURRENT_TENANT)
    run(STAMP)
    run(BEGIN.format(name="begin_request", wait="", lock=""))
    run(BEGIN.format(name="begin_mutation", wait=WAIT, lock="FOR SHARE OF s, m"))
    for part in (CROSSING, AUTHORITY, LOGIN, VIEWS, RULES):
        run(part)
    for function in GUARDED:
        run(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        run(f"GRANT EXECUTE ON FUNCTION {function} TO tenantry_app")
        run(f"ALTER FUNCTION {function} OWNER TO tenantry_guard")
    for view in DOORS:
        run(f"ALTER VIEW {view} OWNER TO tenantry_guard")
        run(f"GRANT SELECT ON {view} TO tenantry_app")
    run("REVOKE CREATE ON SCHEMA public FROM tenantry_guard")


def downgrade() -> None:
    """Take the wall down; the roles of the database stay, since other databases may use them."""
    run(f"DROP VIEW {', '.join(DOORS)}")
    run("DROP TRIGGER keep_an_owner_on_update ON member; DROP TRIGGER keep_an_owner_on_delete ON member")
    run(
        "DROP TRIGGER append_only ON audit_record; DROP TRIGGER append_only_truncate ON audit_record;"
        "DROP TRIGGER suspension_waits ON tenant; DROP FUNCTION refuse_change(), wait_for_mutations()"
    )
    run(f"DROP FUNCTION {', '.join(GUARDED)}")
    run("""
DO $$ DECLARE p record; BEGIN
  FOR p IN SELECT policyname, tablename FROM pg_policies WHERE schemaname = 'public' LOOP
    EXECUTE format('DROP POLICY %I ON %I', p.policyname, p.tablename);
    EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', p.tablename);
    EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', p.tablename);
  END LOOP;
END $$;
DROP FUNCTION stamp_row_security(), current_tenant(), current_app_user();
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM tenantry_app, tenantry_guard;
REVOKE ALL ON SCHEMA public FROM tenantry_app, tenantry_guard;
""")
