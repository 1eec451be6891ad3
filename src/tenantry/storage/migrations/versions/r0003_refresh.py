"""Refresh tokens: one family a session, each used once."""

from tenantry.storage.migrations.script import run

revision = "0003"
down_revision = "0002"

TABLE = """
CREATE TABLE refresh_token (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  session_id UUID NOT NULL,
  token_hash BYTEA NOT NULL UNIQUE,
  created_at TIMESTAMPTZ NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL,
  used_at TIMESTAMPTZ,
  salt BYTEA,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT session_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, session_id) REFERENCES session (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_token_by_session ON refresh_token (tenant_id, session_id);
SELECT stamp_row_security();
GRANT SELECT, INSERT ON refresh_token TO tenantry_app;
GRANT SELECT, INSERT, UPDATE (used_at, salt) ON refresh_token TO tenantry_guard;
GRANT UPDATE (revoked) ON session TO tenantry_guard;
"""

# One statement moves a family on, so that of any number of uses at the same moment one finds the
# token unused. Whoever comes after it presents a used token, which only a thief or a client that
# lost its answer does: unless that was a moment ago (p_grace), the session ends for both.
ROTATE = """
CREATE FUNCTION rotate_refresh(
  p_used bytea, p_next bytea, p_id uuid, p_salt bytea, p_now timestamptz, p_grace interval)
RETURNS TABLE (outcome text, tenant_id uuid, tenant_node text, session_id uuid, session_node text,
  user_id uuid, expires_at timestamptz, salt bytea)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  WITH used AS (
    UPDATE public.refresh_token r SET used_at = p_now, salt = p_salt FROM public.session s
    WHERE r.token_hash = p_used AND r.used_at IS NULL AND r.expires_at > p_now
      AND s.tenant_id = r.tenant_id AND s.id = r.session_id AND NOT s.revoked AND s.expires_at > p_now
    RETURNING r.tenant_id, r.session_id, r.expires_at)
  INSERT INTO public.refresh_token (tenant_id, id, session_id, token_hash, created_at, expires_at)
  SELECT tenant_id, p_id, session_id, p_next, p_now, expires_at FROM used;
  outcome := CASE WHEN FOUND THEN 'ROTATED' END;
  SELECT r.tenant_id, t.node_id, s.id, s.node_id, s.user_id, r.expires_at, r.salt,
    coalesce(outcome, CASE
      WHEN r.used_at IS NULL OR s.revoked OR r.expires_at <= p_now THEN 'ENDED'
      WHEN p_grace > interval '0' AND r.used_at > p_now - p_grace THEN 'REPEATED'
      ELSE 'REUSED' END)
  INTO tenant_id, tenant_node, session_id, session_node, user_id, expires_at, salt, outcome
  FROM public.refresh_token r
  JOIN public.session s ON s.tenant_id = r.tenant_id AND s.id = r.session_id
  JOIN public.tenant t ON t.id = r.tenant_id
  WHERE r.token_hash = p_used;
  IF NOT FOUND THEN RETURN; END IF;
  IF outcome = 'REUSED' THEN
    -- The member's gate (migration 0004): what is running ends first, what comes next finds it done.
    PERFORM pg_advisory_xact_lock(hashtextextended(s.member_id::text, 1)) FROM public.session s
      WHERE s.tenant_id = rotate_refresh.tenant_id AND s.id = rotate_refresh.session_id;
    UPDATE public.session s SET revoked = true WHERE s.tenant_id = rotate_refresh.tenant_id
      AND s.id = rotate_refresh.session_id;
  END IF;
  RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION rotate_refresh(bytea, bytea, uuid, bytea, timestamptz, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rotate_refresh(bytea, bytea, uuid, bytea, timestamptz, interval) TO tenantry_app;
GRANT CREATE ON SCHEMA public TO tenantry_guard;
ALTER FUNCTION rotate_refresh(bytea, bytea, uuid, bytea, timestamptz, interval) OWNER TO tenantry_guard;
REVOKE CREATE ON SCHEMA public FROM tenantry_guard;
"""


def upgrade() -> None:
    """Add the table and its one door."""
    run(TABLE)
    run(ROTATE)


def downgrade() -> None:
    """Forget every refresh token: sessions go on until their access tokens end."""
    run("DROP FUNCTION rotate_refresh(bytea, bytea, uuid, bytea, timestamptz, interval)")
    run("DROP TABLE refresh_token; REVOKE UPDATE (revoked) ON session FROM tenantry_guard")
