"""Telling every worker at once, as it commits, that somebody's right to act has ended or changed."""

from tenantry.storage.migrations.script import guard, run

revision = "0008"
down_revision = "0007"

# Ids alone, of eight kilobytes at most, and nothing where nothing has ended: a login, a renewal or a
# time of day says nothing. NOTIFY is sent at COMMIT, and dies with a rollback.
TELL = """
CREATE FUNCTION tell_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('tenantry_endings', 'session:' || OLD.id);
  RETURN NULL;
END $$;
CREATE FUNCTION tell_of_member() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('tenantry_endings', 'member:' || OLD.id);
  RETURN NULL;
END $$;
CREATE FUNCTION tell_of_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('tenantry_endings', 'tenant:' || OLD.id);
  RETURN NULL;
END $$;
CREATE TRIGGER session_ended AFTER UPDATE OF revoked ON session FOR EACH ROW
  WHEN (NEW.revoked AND NOT OLD.revoked) EXECUTE FUNCTION tell_of_session();
CREATE TRIGGER session_deleted AFTER DELETE ON session FOR EACH ROW EXECUTE FUNCTION tell_of_session();
CREATE TRIGGER member_changed AFTER UPDATE OF status, version ON member FOR EACH ROW
  WHEN (NEW.status IS DISTINCT FROM OLD.status OR NEW.version IS DISTINCT FROM OLD.version)
  EXECUTE FUNCTION tell_of_member();
CREATE TRIGGER member_deleted AFTER DELETE ON member FOR EACH ROW EXECUTE FUNCTION tell_of_member();
CREATE TRIGGER tenant_changed AFTER UPDATE OF suspended, version ON tenant FOR EACH ROW
  WHEN (NEW.suspended IS DISTINCT FROM OLD.suspended OR NEW.version IS DISTINCT FROM OLD.version)
  EXECUTE FUNCTION tell_of_tenant();
"""

# Where a word was lost: which of these have ended or changed. And for those who look at tokens without
# asking: what has ended before its time.
LOOK = """
CREATE FUNCTION no_longer(p_sessions uuid[], p_members int[], p_tenants int[]) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(w.id), '{}') FROM unnest(p_sessions, p_members, p_tenants) AS w (id, mv, tv)
  WHERE NOT EXISTS (
    SELECT FROM public.session s
    JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
    JOIN public.tenant t ON t.id = s.tenant_id
    WHERE s.id = w.id AND NOT s.revoked AND s.expires_at > now() AND m.status = 'ACTIVE'
      AND m.version = w.mv AND NOT t.suspended AND t.version = w.tv)
$$;
CREATE FUNCTION ended_sessions(p_session uuid, p_member uuid, p_tenant uuid, p_most int) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(e.id), '{}') FROM (
    SELECT s.id FROM public.session s
    JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
    JOIN public.tenant t ON t.id = s.tenant_id
    WHERE s.expires_at > now() AND (s.revoked OR m.status <> 'ACTIVE' OR t.suspended)
      AND (p_session IS NULL OR s.id = p_session) AND (p_member IS NULL OR s.member_id = p_member)
      AND (p_tenant IS NULL OR s.tenant_id = p_tenant)
    ORDER BY s.logged_at DESC LIMIT p_most) AS e
$$;
"""
GUARDED = ("no_longer(uuid[], int[], int[])", "ended_sessions(uuid, uuid, uuid, int)")


def upgrade() -> None:
    """Begin to tell."""
    run(TELL)
    run(LOOK)
    guard(*GUARDED)


def downgrade() -> None:
    """Tell no more."""
    run(f"DROP FUNCTION {', '.join(GUARDED)}")
    run("""
DROP TRIGGER session_ended ON session;
DROP TRIGGER session_deleted ON session;
DROP TRIGGER member_changed ON member;
DROP TRIGGER member_deleted ON member;
DROP TRIGGER tenant_changed ON tenant;
DROP FUNCTION tell_of_session(), tell_of_member(), tell_of_tenant();
""")
