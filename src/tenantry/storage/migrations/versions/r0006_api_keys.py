"""API keys: each stands on a session that no person holds, so that all that ends sessions ends keys."""

from tenantry.storage.migrations.script import run

revision = "0006"
down_revision = "0005"

TABLE = """
ALTER TABLE session ADD is_key BOOLEAN NOT NULL DEFAULT false;
CREATE TABLE api_key (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  node_id VARCHAR NOT NULL UNIQUE,
  session_id UUID NOT NULL,
  member_id UUID NOT NULL,
  name VARCHAR NOT NULL,
  prefix VARCHAR NOT NULL,
  key_hash BYTEA NOT NULL UNIQUE,
  permissions JSONB NOT NULL DEFAULT '[]',
  effective TEXT[] NOT NULL DEFAULT '{}',
  created_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT session_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, session_id) REFERENCES session (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT member_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, member_id) REFERENCES member (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX api_key_by_creation ON api_key (tenant_id, created_at, node_id);
CREATE INDEX api_key_by_member ON api_key (tenant_id, member_id);
CREATE INDEX api_key_by_session ON api_key (tenant_id, session_id);
SELECT stamp_row_security();
GRANT SELECT, INSERT ON api_key TO tenantry_app;
GRANT SELECT ON api_key TO tenantry_guard;
"""

FIND = """
CREATE FUNCTION find_api_key(p_hash bytea)
RETURNS TABLE (key_session uuid, key_node text, key_name text, key_permissions text[])
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
  SELECT k.session_id, k.node_id, k.name, k.effective FROM public.api_key k WHERE k.key_hash = p_hash
$$;
REVOKE ALL ON FUNCTION find_api_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_api_key(bytea) TO tenantry_app;
GRANT CREATE ON SCHEMA public TO tenantry_guard;
ALTER FUNCTION find_api_key(bytea) OWNER TO tenantry_guard;
REVOKE CREATE ON SCHEMA public FROM tenantry_guard;
"""

# As before, but a key is nobody: what is a person's own (memberships elsewhere, factors, their name) is
# behind app.user_id, which stays empty for it.
BEGIN = """
CREATE OR REPLACE FUNCTION {name}(p_tenant uuid, p_session uuid, p_member_version int, p_tenant_version int)
RETURNS TABLE (tenant_id uuid, member_id uuid, user_id uuid, session_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
{declare}BEGIN{wait}
  SELECT m.tenant_id, m.id, s.user_id, s.id{column} INTO tenant_id, member_id, user_id, session_id{variable}
  FROM public.session s
  JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
  JOIN public.tenant t ON t.id = s.tenant_id
  WHERE s.tenant_id = p_tenant AND s.id = p_session AND NOT s.revoked AND s.expires_at > now()
    AND m.status = 'ACTIVE' AND m.version = p_member_version
    AND NOT t.suspended AND t.version = p_tenant_version
  {lock};
  IF FOUND THEN
    PERFORM set_config('app.tenant_id', tenant_id::text, true),
      set_config('app.user_id', {person}, true);
    RETURN NEXT;
  END IF;
END $$;
"""
WAIT = """
  PERFORM pg_advisory_xact_lock_shared(hashtextextended(p_tenant::text, 0));
  PERFORM pg_advisory_xact_lock_shared(public.member_gate(s.member_id)) FROM public.session s
    WHERE s.tenant_id = p_tenant AND s.id = p_session;"""
KEYS = {
    "declare": "DECLARE v_key boolean;\n",
    "column": ", s.is_key",
    "variable": ", v_key",
    "person": "CASE WHEN v_key THEN '' ELSE user_id::text END",
}
NO_KEYS = {"declare": "", "column": "", "variable": "", "person": "user_id::text"}

# A key that is used is not its issuer seen.
TOUCH = """
CREATE OR REPLACE FUNCTION touch_sessions(p_sessions uuid[], p_times timestamptz[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH seen AS (SELECT * FROM unnest(p_sessions, p_times) AS x (id, at)),
  free AS (
    SELECT s.tenant_id, s.id, s.member_id, seen.at FROM seen JOIN public.session s ON s.id = seen.id
    WHERE s.last_seen_at < seen.at FOR NO KEY UPDATE OF s SKIP LOCKED),
  touched AS (
    UPDATE public.session s SET last_seen_at = free.at FROM free
    WHERE s.tenant_id = free.tenant_id AND s.id = free.id
    RETURNING s.tenant_id, s.member_id, free.at{column}),
  latest AS (SELECT tenant_id, member_id, max(at) AS at FROM touched{where} GROUP BY tenant_id, member_id),
  free_member AS (
    SELECT m.tenant_id, m.id, latest.at FROM latest
    JOIN public.member m ON m.tenant_id = latest.tenant_id AND m.id = latest.member_id
    FOR NO KEY UPDATE OF m SKIP LOCKED)
  UPDATE public.member m SET last_seen_at = f.at FROM free_member f
  WHERE m.tenant_id = f.tenant_id AND m.id = f.id
$$;
"""

# A second factor set up or lost is a person's matter; what machines hold goes on.
END = """
CREATE OR REPLACE FUNCTION end_sessions_of(p_user uuid, p_but uuid) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_user IS DISTINCT FROM public.current_app_user() THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(public.member_gate(q.id)) FROM (
    SELECT m.id FROM public.member m WHERE m.user_id = p_user ORDER BY m.id) AS q;
  RETURN QUERY UPDATE public.session s SET revoked = true
    WHERE s.user_id = p_user AND s.id IS DISTINCT FROM p_but AND NOT s.revoked AND s.expires_at > now(){only}
    RETURNING s.node_id::text;
END $$;
"""
RESET = """
CREATE OR REPLACE FUNCTION reset_factor(p_node text) RETURNS TABLE (had boolean, ended text[])
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
    WHERE s.user_id = v_user AND NOT s.revoked AND s.expires_at > now(){only} RETURNING s.node_id)
  SELECT coalesce(array_agg(over.node_id::text), '{{}}') INTO ended FROM over;
  RETURN NEXT;
END $$;
"""


def upgrade() -> None:
    """Add keys."""
    run(TABLE)
    run(FIND)
    run(BEGIN.format(name="begin_request", wait="", lock="", **KEYS))
    run(BEGIN.format(name="begin_mutation", wait=WAIT, lock="FOR SHARE OF s, m", **KEYS))
    run(TOUCH.format(column=", s.is_key", where=" WHERE NOT is_key"))
    for function in (END, RESET):
        run(function.format(only=" AND NOT s.is_key"))


def downgrade() -> None:
    """Forget every key, and the sessions they stand on."""
    run(BEGIN.format(name="begin_request", wait="", lock="", **NO_KEYS))
    run(BEGIN.format(name="begin_mutation", wait=WAIT, lock="FOR SHARE OF s, m", **NO_KEYS))
    run(TOUCH.format(column="", where=""))
    for function in (END, RESET):
        run(function.format(only=""))
    run("""
DROP FUNCTION find_api_key(bytea);
DROP TABLE api_key;
DELETE FROM session WHERE is_key;
ALTER TABLE session DROP is_key;
""")
