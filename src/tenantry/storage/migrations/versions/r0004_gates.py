"""Whoever takes a member's rights away has their turn, however many mutations the member sends.

A mutation holds its session and member FOR SHARE, and PostgreSQL lets further sharers in past an
UPDATE that waits: four programs that never pause kept their own revocation out for good. Advisory
locks are had in the order of asking. So a mutation first passes its member's gate (shared), and a
revocation closes it (alone): it waits for what is running, what comes next waits for it.
"""

from tenantry.storage.migrations.script import run

revision = "0004"
down_revision = "0003"

GATE = """
CREATE FUNCTION member_gate(p_member uuid) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT hashtextextended(p_member::text, 1)
$$;
"""

BEGIN = """
CREATE OR REPLACE FUNCTION begin_mutation(
  p_tenant uuid, p_session uuid, p_member_version int, p_tenant_version int)
RETURNS TABLE (tenant_id uuid, member_id uuid, user_id uuid, session_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended(p_tenant::text, 0));{gate}
  SELECT m.tenant_id, m.id, s.user_id, s.id INTO tenant_id, member_id, user_id, session_id
  FROM public.session s
  JOIN public.member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
  JOIN public.tenant t ON t.id = s.tenant_id
  WHERE s.tenant_id = p_tenant AND s.id = p_session AND NOT s.revoked AND s.expires_at > now()
    AND m.status = 'ACTIVE' AND m.version = p_member_version
    AND NOT t.suspended AND t.version = p_tenant_version
  FOR SHARE OF s, m;
  IF FOUND THEN
    PERFORM set_config('app.tenant_id', tenant_id::text, true),
      set_config('app.user_id', user_id::text, true);
    RETURN NEXT;
  END IF;
END $$;
"""
THROUGH = """
  PERFORM pg_advisory_xact_lock_shared(public.member_gate(s.member_id)) FROM public.session s
    WHERE s.tenant_id = p_tenant AND s.id = p_session;"""


def upgrade() -> None:
    """Put up the gates."""
    run(GATE)
    run(BEGIN.format(gate=THROUGH))


def downgrade() -> None:
    """Take them down."""
    run(BEGIN.format(gate=""))
    run("DROP FUNCTION member_gate(uuid)")
