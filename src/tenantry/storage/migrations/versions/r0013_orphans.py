"""What a person wrote as personal: theirs alone, locked when they are removed, open when they join again."""

from tenantry.storage.migrations.script import run

revision = "0013"
down_revision = "0012"

# A wall of its own inside the tenant's: a key, or the platform looking in, is nobody here.
COLUMNS = """
ALTER TABLE resource ADD COLUMN is_personal BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE resource ADD COLUMN locked_at TIMESTAMPTZ;
CREATE POLICY personal ON resource AS RESTRICTIVE TO tenantry_app
  USING (NOT is_personal OR owner_id = (SELECT current_app_user()));
GRANT SELECT, UPDATE (locked_at) ON resource TO tenantry_guard;
"""

# Removals and joinings of one person take turns: two that leave at once see each other's end.
TRIGGERS = """
CREATE FUNCTION lock_personal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('personal:' || OLD.user_id, 0));
  UPDATE public.resource r SET locked_at = now()
  FROM public.tenant t JOIN public.blueprint b ON b.key = t.blueprint
  WHERE r.owner_id = OLD.user_id AND r.is_personal AND r.locked_at IS NULL AND t.id = r.tenant_id
    AND CASE WHEN b.body ->> 'orphan_lock' = 'alone'
      THEN NOT EXISTS (
        SELECT FROM public.member m WHERE m.user_id = OLD.user_id AND m.joined_at IS NOT NULL)
      ELSE t.id = OLD.tenant_id END;
  RETURN NULL;
END $$;
CREATE FUNCTION unlock_personal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('personal:' || NEW.user_id, 0));
  UPDATE public.resource SET locked_at = NULL WHERE owner_id = NEW.user_id AND locked_at IS NOT NULL;
  RETURN NULL;
END $$;
CREATE TRIGGER member_left AFTER DELETE ON member FOR EACH ROW
  WHEN (OLD.user_id IS NOT NULL) EXECUTE FUNCTION lock_personal();
CREATE TRIGGER member_made AFTER INSERT ON member FOR EACH ROW
  WHEN (NEW.joined_at IS NOT NULL AND NEW.user_id IS NOT NULL) EXECUTE FUNCTION unlock_personal();
CREATE TRIGGER member_joined AFTER UPDATE OF joined_at ON member FOR EACH ROW
  WHEN (OLD.joined_at IS NULL AND NEW.joined_at IS NOT NULL AND NEW.user_id IS NOT NULL)
  EXECUTE FUNCTION unlock_personal();
"""

# The door for whoever has left: title and date, and the rest once it is open again.
ARCHIVE = """
CREATE VIEW own_archive WITH (security_barrier) AS
  SELECT r.node_id, r.type, r.name, r.created_at, r.locked_at,
    CASE WHEN r.locked_at IS NULL THEN r.attributes END AS attributes
  FROM public.resource r
  WHERE r.is_personal AND r.owner_id = (SELECT public.current_app_user()) AND NOT EXISTS (
    SELECT FROM public.member m WHERE m.tenant_id = r.tenant_id AND m.user_id = r.owner_id);
"""
GUARDED = ("lock_personal()", "unlock_personal()")


def upgrade() -> None:
    """Give them their own wall."""
    run("GRANT CREATE ON SCHEMA public TO tenantry_guard")
    for part in (COLUMNS, TRIGGERS, ARCHIVE):
        run(part)
    for function in GUARDED:
        run(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        run(f"ALTER FUNCTION {function} OWNER TO tenantry_guard")
    run("ALTER VIEW own_archive OWNER TO tenantry_guard")
    run("GRANT SELECT ON own_archive TO tenantry_app")
    run("REVOKE CREATE ON SCHEMA public FROM tenantry_guard")


def downgrade() -> None:
    """Take it down; what was personal stays where it is."""
    run("""
DROP VIEW own_archive;
DROP TRIGGER member_left ON member;
DROP TRIGGER member_made ON member;
DROP TRIGGER member_joined ON member;
DROP FUNCTION lock_personal(), unlock_personal();
DROP POLICY personal ON resource;
ALTER TABLE resource DROP COLUMN is_personal, DROP COLUMN locked_at;
REVOKE ALL ON resource FROM tenantry_guard;
""")
