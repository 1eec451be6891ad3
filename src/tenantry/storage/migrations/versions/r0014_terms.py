"""Rights that end by themselves, plans that gate, and one membership a person where the product says so."""

from tenantry.storage.migrations.script import guard, open_doors, run
from tenantry.storage.migrations.versions import r0002_walls, r0005_factors, r0006_api_keys, r0008_endings
from tenantry.storage.migrations.versions.r0009_conditions import FACTS, FOUND

revision = "0014"
down_revision = "0013"

# An owner's membership has no end, so that no tenant is ever left without one by the clock.
TABLES = """
ALTER TABLE member ADD expires_at TIMESTAMPTZ;
ALTER TABLE member ADD CONSTRAINT member_owner_without_end CHECK (NOT is_owner OR expires_at IS NULL);
ALTER TABLE member_role ADD expires_at TIMESTAMPTZ;
CREATE INDEX member_role_with_end ON member_role (tenant_id, member_id) WHERE expires_at IS NOT NULL;
"""

# The version that tokens and authorities name: it rises by itself with each role that has ended, so that
# all that was decided under that role is refused from this moment on, as if the role had been taken away.
VERSION = """m.version + (SELECT count(*)::int FROM public.member_role e
      WHERE e.tenant_id = m.tenant_id AND e.member_id = m.id AND e.expires_at <= now())"""
LASTS = "(m.expires_at IS NULL OR m.expires_at > now())"
HELD = "(mr.expires_at IS NULL OR mr.expires_at > now())"

BEGIN = """
CREATE OR REPLACE FUNCTION {name}(p_tenant uuid, p_session uuid, p_member_version int, p_tenant_version int)
RETURNS TABLE (tenant_id uuid, member_id uuid, user_id uuid, session_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_key boolean;
BEGIN{wait}
  SELECT m.tenant_id, m.id, s.user_id, s.id, s.is_key INTO tenant_id, member_id, user_id, session_id, v_key
  FROM public.session s
  JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
  JOIN public.tenant t ON t.id = s.tenant_id
  WHERE s.tenant_id = p_tenant AND s.id = p_session AND NOT s.revoked AND s.expires_at > now()
    AND m.status = 'ACTIVE' AND {lasts} AND p_member_version = {version}
    AND NOT t.suspended AND t.version = p_tenant_version
  {lock};
  IF FOUND THEN
    PERFORM set_config('app.tenant_id', tenant_id::text, true),
      set_config('app.user_id', CASE WHEN v_key THEN '' ELSE user_id::text END, true);
    RETURN NEXT;
  END IF;
END $$;
"""
WAIT = r0006_api_keys.WAIT
FOR_SHARE = "FOR SHARE OF s, m"

AUTHORITY = """
DROP FUNCTION load_authority(uuid);
CREATE FUNCTION load_authority(p_session uuid)
RETURNS TABLE (session_id uuid, user_id uuid, member_id uuid, tenant_id uuid,
  user_node text, member_node text, tenant_node text, label text, scope text,
  permissions text[], roles text[], is_owner boolean, member_version int, tenant_version int,
  member_status text, tenant_suspended boolean, revoked boolean, expires_at timestamptz,
  factor_at timestamptz, awaits_factor boolean,
  conditional text[], resource_types text, plan text, slug text, email text, membership_over boolean)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.id, s.user_id, m.id, t.id, u.node_id, m.node_id, t.node_id, coalesce(m.name, m.email),
    CASE WHEN platform THEN 'SYSTEM' ELSE 'TENANT' END,
    CASE WHEN platform AND u.is_super_admin THEN ARRAY['*'] ELSE coalesce(
      (SELECT array_agg(DISTINCT p) FROM public.member_role mr
        JOIN public.role r ON r.tenant_id = mr.tenant_id AND r.id = mr.role_id
        CROSS JOIN unnest(r.effective) AS p
        WHERE mr.tenant_id = m.tenant_id AND mr.member_id = m.id AND {held}), '{{}}') END,
    coalesce((SELECT array_agg(r.key ORDER BY r.position, r.node_id) FROM public.member_role mr
        JOIN public.role r ON r.tenant_id = mr.tenant_id AND r.id = mr.role_id
        WHERE mr.tenant_id = m.tenant_id AND mr.member_id = m.id AND {held}), '{{}}'),
    m.is_owner, {version}, t.version, m.status, t.suspended, s.revoked, s.expires_at,
    s.factor_at, s.factor_at IS NULL AND (t.mfa_required OR EXISTS (
      SELECT FROM public.member_role mr
      JOIN public.role r ON r.tenant_id = mr.tenant_id AND r.id = mr.role_id
      WHERE mr.tenant_id = m.tenant_id AND mr.member_id = m.id AND r.mfa_required AND {held})),
    CASE WHEN platform AND u.is_super_admin THEN '{{}}' ELSE coalesce(
      (SELECT array_agg(DISTINCT c) FROM public.member_role mr
        JOIN public.role r ON r.tenant_id = mr.tenant_id AND r.id = mr.role_id
        CROSS JOIN unnest(r.conditional) AS c
        WHERE mr.tenant_id = m.tenant_id AND mr.member_id = m.id AND {held}), '{{}}') END,
    (SELECT encode(sha256(convert_to((b.body -> 'resources')::text, 'UTF8')), 'hex')
      FROM public.blueprint b WHERE b.key = t.blueprint), t.plan, t.slug, m.email, NOT {lasts}
  FROM public.session s
  JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
  JOIN public.tenant t ON t.id = s.tenant_id
  JOIN public."user" u ON u.id = s.user_id
  CROSS JOIN LATERAL (SELECT t.id = '00000000-0000-0000-0000-000000000000' AS platform) AS p
  WHERE s.id = p_session
$$;
"""

LOOK = """
CREATE OR REPLACE FUNCTION no_longer(p_sessions uuid[], p_members int[], p_tenants int[]) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(w.id), '{{}}') FROM unnest(p_sessions, p_members, p_tenants) AS w (id, mv, tv)
  WHERE NOT EXISTS (
    SELECT FROM public.session s
    JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
    JOIN public.tenant t ON t.id = s.tenant_id
    WHERE s.id = w.id AND NOT s.revoked AND s.expires_at > now() AND m.status = 'ACTIVE' AND {lasts}
      AND w.mv = {version} AND NOT t.suspended AND t.version = w.tv)
$$;
CREATE OR REPLACE FUNCTION ended_sessions(p_session uuid, p_member uuid, p_tenant uuid, p_most int)
RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(e.id), '{{}}') FROM (
    SELECT s.id FROM public.session s
    JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
    JOIN public.tenant t ON t.id = s.tenant_id
    WHERE s.expires_at > now() AND (s.revoked OR m.status <> 'ACTIVE' OR t.suspended OR NOT {lasts})
      AND (p_session IS NULL OR s.id = p_session) AND (p_member IS NULL OR s.member_id = p_member)
      AND (p_tenant IS NULL OR s.tenant_id = p_tenant)
    ORDER BY s.logged_at DESC LIMIT p_most) AS e
$$;
"""

# Whose membership has ended may not enter, as who is suspended. ``linked`` is one's own, the rest waits for
# the address; ``only_one_of`` names the product where a person may belong to one of its tenants only.
CANDIDATES = """
DROP FUNCTION login_candidates(uuid, text);
CREATE FUNCTION login_candidates(p_user uuid, p_email text)
RETURNS TABLE (tenant_id uuid, tenant_node text, tenant_name text, tenant_suspended boolean,
  member_id uuid, member_status text, invitation_live boolean, linked boolean, only_one_of text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.id, t.node_id, t.name, t.suspended, m.id, CASE WHEN {lasts} THEN m.status ELSE 'SUSPENDED' END,
    EXISTS (SELECT FROM public.invitation i WHERE i.tenant_id = m.tenant_id AND i.member_id = m.id
        AND i.status = 'PENDING' AND i.expires_at > now()),
    m.user_id IS NOT NULL, CASE WHEN b.body ->> 'membership' = 'single' THEN b.key END
  FROM (
    SELECT * FROM public.member WHERE user_id = p_user
    UNION ALL SELECT * FROM public.member WHERE user_id IS NULL AND email = p_email) AS m
  JOIN public.tenant t ON t.id = m.tenant_id
  JOIN public.blueprint b ON b.key = t.blueprint
$$;
"""

# One of many at once: whoever binds a person to such a tenant has that person's turn first, so that the
# look below sees what the others have committed. What the person has elsewhere counts until it is removed.
SINGLE = """
CREATE FUNCTION belong_once() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_blueprint text;
BEGIN
  SELECT b.key INTO v_blueprint FROM public.tenant t JOIN public.blueprint b ON b.key = t.blueprint
    WHERE t.id = NEW.tenant_id AND b.body ->> 'membership' = 'single';
  IF NOT FOUND THEN RETURN NULL; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.user_id::text, 3));
  IF EXISTS (SELECT FROM public.member m JOIN public.tenant t ON t.id = m.tenant_id
      WHERE m.user_id = NEW.user_id AND m.tenant_id <> NEW.tenant_id AND t.blueprint = v_blueprint) THEN
    RAISE EXCEPTION 'a person belongs to one tenant of this product' USING ERRCODE = 'TN004';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER belong_once_on_insert AFTER INSERT ON member FOR EACH ROW
  WHEN (NEW.user_id IS NOT NULL) EXECUTE FUNCTION belong_once();
CREATE TRIGGER belong_once_on_update AFTER UPDATE OF user_id ON member FOR EACH ROW
  WHEN (NEW.user_id IS NOT NULL AND NEW.user_id IS DISTINCT FROM OLD.user_id)
  EXECUTE FUNCTION belong_once();
"""

# The plan in force is the one that the tenant was put on, or else the smallest that there is. Who joins
# first has the tenant's row, so that those who join at once take turns, with a change of the plan too; the
# count below then sees what the others have committed.
SEATS = """
CREATE FUNCTION most_members(p_tenant uuid) RETURNS int LANGUAGE sql STABLE AS $$
  SELECT (coalesce(
    (SELECT p FROM jsonb_array_elements(b.body -> 'plans') AS p WHERE p ->> 'key' = t.plan),
    b.body -> 'plans' -> 0) ->> 'max_members')::int
  FROM public.tenant t JOIN public.blueprint b ON b.key = t.blueprint WHERE t.id = p_tenant
$$;
CREATE FUNCTION take_a_seat() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM public.tenant t JOIN public.blueprint b ON b.key = t.blueprint
    WHERE t.id = NEW.tenant_id AND jsonb_array_length(b.body -> 'plans') > 0 FOR NO KEY UPDATE OF t;
  IF FOUND AND public.most_members(NEW.tenant_id) < (
      SELECT count(*) FROM public.member m WHERE m.tenant_id = NEW.tenant_id AND m.status <> 'INVITED') THEN
    RAISE EXCEPTION 'no seat of the tenant''s plan is free' USING ERRCODE = 'TN003';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER take_a_seat_on_insert AFTER INSERT ON member FOR EACH ROW
  WHEN (NEW.status <> 'INVITED') EXECUTE FUNCTION take_a_seat();
CREATE TRIGGER take_a_seat_on_update AFTER UPDATE OF status ON member FOR EACH ROW
  WHEN (OLD.status = 'INVITED' AND NEW.status <> 'INVITED') EXECUTE FUNCTION take_a_seat();
"""

# The tables of two documents, by their own names and types, for reading alone. Who reads is who asks
# (security_invoker), so that row security shows one tenant. A member without any of the four roles reads
# as the document's default; Firebase's subject is that of the identity bound.
DOCUMENTS = """
CREATE TYPE org_user_role AS ENUM ('owner', 'admin', 'manager', 'agent');
CREATE TYPE org_user_status AS ENUM ('active', 'suspended', 'invited');
CREATE VIEW org_users WITH (security_invoker) AS
  SELECT m.id::char(36) AS id, m.tenant_id::char(36) AS org_id, m.email::varchar(255) AS email,
    coalesce(m.name, m.email)::varchar(255) AS name,
    coalesce((SELECT r.key FROM member_role mr
      JOIN role r ON r.tenant_id = mr.tenant_id AND r.id = mr.role_id
      WHERE mr.tenant_id = m.tenant_id AND mr.member_id = m.id AND {held}
        AND r.key IN ('owner', 'admin', 'manager', 'agent')
      ORDER BY r.position LIMIT 1), 'agent')::org_user_role AS role,
    lower(m.status)::org_user_status AS status,
    (SELECT i.subject FROM identity i
      WHERE i.user_id = m.user_id AND i.issuer LIKE 'https://securetoken.google.com/%'
      ORDER BY i.linked_at LIMIT 1)::varchar(128) AS firebase_uid,
    m.extension
  FROM member m;
CREATE VIEW sessions WITH (security_invoker) AS
  SELECT s.id, s.tenant_id, s.user_id, s.ip, s.user_agent, s.logged_at, s.revoked
  FROM session s WHERE NOT s.is_key;
GRANT SELECT ON org_users, sessions TO tenantry_app;
"""

# A view has the columns that its tables had when it was made. A role that has ended opens no door.
VIEWS = {
    "own_member": "SELECT * FROM public.member WHERE user_id = (SELECT public.current_app_user())",
    "own_member_role": """
  SELECT mr.* FROM public.member_role mr
  JOIN public.member m ON m.tenant_id = mr.tenant_id AND m.id = mr.member_id
  WHERE m.user_id = (SELECT public.current_app_user())""",
}
GUARDED = (
    "load_authority(uuid)",
    "login_candidates(uuid, text)",
    "take_a_seat()",
    "belong_once()",
)


def upgrade() -> None:
    """Let rights end."""
    run(f"DROP VIEW {', '.join(VIEWS)}")
    run(TABLES)
    open_doors(VIEWS)
    parts = {"version": VERSION, "lasts": LASTS, "held": HELD}
    run(BEGIN.format(name="begin_request", wait="", lock="", **parts))
    run(BEGIN.format(name="begin_mutation", wait=WAIT, lock=FOR_SHARE, **parts))
    for part in (AUTHORITY, LOOK, CANDIDATES):
        run(part.format(**parts))
    run(SEATS)
    run(SINGLE)
    run(DOCUMENTS.format(**parts))
    guard(*GUARDED)


def downgrade() -> None:
    """Let all that was given for a time last for good, and let anyone in."""
    run("""
DROP VIEW org_users, sessions;
DROP TYPE org_user_role, org_user_status;
DROP TRIGGER take_a_seat_on_insert ON member;
DROP TRIGGER take_a_seat_on_update ON member;
DROP TRIGGER belong_once_on_insert ON member;
DROP TRIGGER belong_once_on_update ON member;
DROP FUNCTION take_a_seat(), most_members(uuid), belong_once(), login_candidates(uuid, text);
""")
    run(f"DROP VIEW {', '.join(VIEWS)}")
    keys, begin = r0006_api_keys.KEYS, r0006_api_keys.BEGIN
    run(begin.format(name="begin_request", wait="", lock="", **keys))
    run(begin.format(name="begin_mutation", wait=WAIT, lock=FOR_SHARE, **keys))
    columns, values = r0005_factors.COLUMNS + FACTS, r0005_factors.VALUES + FOUND
    run(r0005_factors.AUTHORITY.format(columns=columns, values=values))
    run(r0008_endings.LOOK.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    run(r0002_walls.LOGIN.split("$$;")[0] + "$$;")
    guard("load_authority(uuid)", "login_candidates(uuid, text)")
    run("ALTER TABLE member_role DROP expires_at; ALTER TABLE member DROP expires_at")
    open_doors(VIEWS)
