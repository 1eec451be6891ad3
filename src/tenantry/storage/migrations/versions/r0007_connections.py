"""Tenants' own identity providers and e-mail domains, and by whose word each session was opened."""

from tenantry.storage.migrations.script import guard, run

revision = "0007"
down_revision = "0006"

TABLES = """
CREATE TABLE connection (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  node_id VARCHAR NOT NULL UNIQUE,
  issuer VARCHAR NOT NULL,
  client_id VARCHAR NOT NULL,
  title VARCHAR NOT NULL,
  provisioning BOOLEAN NOT NULL DEFAULT false,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, issuer, client_id)
);
CREATE INDEX connection_by_issuer ON connection (issuer, client_id);
CREATE TABLE connection_role (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  connection_id UUID NOT NULL,
  role_id UUID NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, connection_id, role_id),
  CONSTRAINT connection_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connection (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT role_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, role_id) REFERENCES role (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX connection_role_by_role ON connection_role (tenant_id, role_id);
CREATE TABLE email_domain (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  node_id VARCHAR NOT NULL UNIQUE,
  domain VARCHAR NOT NULL,
  token VARCHAR NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  verified_at TIMESTAMPTZ,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, domain)
);
CREATE UNIQUE INDEX email_domain_verified_once ON email_domain (domain) WHERE verified_at IS NOT NULL;
CREATE TABLE logout_token (
  jti_hash BYTEA PRIMARY KEY,
  expires_at TIMESTAMPTZ NOT NULL
);
ALTER TABLE session ADD identity_issuer VARCHAR;
ALTER TABLE session ADD identity_subject VARCHAR;
ALTER TABLE session ADD provider_sid VARCHAR;
CREATE INDEX session_by_identity ON session (identity_issuer, identity_subject);
ALTER TABLE login_ticket ADD identity_issuer VARCHAR;
ALTER TABLE login_ticket ADD identity_subject VARCHAR;
ALTER TABLE login_ticket ADD provider_sid VARCHAR;
SELECT stamp_row_security();
GRANT SELECT, INSERT, UPDATE, DELETE ON connection, connection_role, email_domain TO tenantry_app;
GRANT SELECT, INSERT ON logout_token TO tenantry_app;
GRANT SELECT ON connection, email_domain TO tenantry_guard;
GRANT DELETE ON identity TO tenantry_guard;
"""

# Before anyone has signed in: which tenants trust this issuer for this audience, and for which addresses;
# and where the people of a domain sign in. Neither says anything about a person.
FIND = """
CREATE FUNCTION find_connections(p_issuer text, p_audiences text[])
RETURNS TABLE (tenant_id uuid, tenant_node text, connection_id uuid, connection_node text, client_id text,
  provisioning boolean, domains text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.tenant_id, t.node_id, c.id, c.node_id, c.client_id, c.provisioning,
    ARRAY(SELECT d.domain::text FROM public.email_domain d
      WHERE d.tenant_id = c.tenant_id AND d.verified_at IS NOT NULL ORDER BY d.domain)
  FROM public.connection c JOIN public.tenant t ON t.id = c.tenant_id
  WHERE c.issuer = p_issuer AND c.client_id = ANY(p_audiences) ORDER BY c.id LIMIT 100
$$;
CREATE FUNCTION connections_of_domain(p_domain text)
RETURNS TABLE (issuer text, client_id text, title text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.issuer, c.client_id, c.title FROM public.email_domain d
  JOIN public.connection c ON c.tenant_id = d.tenant_id
  WHERE d.domain = p_domain AND d.verified_at IS NOT NULL ORDER BY c.created_at, c.id
$$;
"""

# A provider ends what it has opened: all of a person, or one of its own sessions. Gates first.
END = """
CREATE FUNCTION end_sessions_from(p_issuers text[], p_subject text, p_sid text)
RETURNS TABLE (tenant_id uuid, tenant_node text, session_node text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  PERFORM pg_advisory_xact_lock(public.member_gate(q.member_id)) FROM (
    SELECT DISTINCT s.member_id FROM public.session s
    WHERE s.identity_issuer = ANY(p_issuers) AND NOT s.revoked
      AND (p_subject IS NULL OR s.identity_subject = p_subject) AND (p_sid IS NULL OR s.provider_sid = p_sid)
    ORDER BY s.member_id) AS q;
  RETURN QUERY
    WITH over AS (
      UPDATE public.session s SET revoked = true
      WHERE s.identity_issuer = ANY(p_issuers) AND NOT s.revoked AND s.expires_at > now()
        AND (p_subject IS NULL OR s.identity_subject = p_subject)
        AND (p_sid IS NULL OR s.provider_sid = p_sid)
      RETURNING s.tenant_id, s.node_id)
    SELECT over.tenant_id, t.node_id::text, over.node_id::text FROM over
    JOIN public.tenant t ON t.id = over.tenant_id ORDER BY over.node_id;
END $$;
CREATE FUNCTION forget_identities(p_issuer text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM public.identity i WHERE i.issuer = p_issuer AND EXISTS (
    SELECT FROM public.connection c
    WHERE c.tenant_id = public.current_tenant() AND p_issuer = 'connection:' || c.node_id)
$$;
"""
GUARDED = (
    "find_connections(text, text[])",
    "connections_of_domain(text)",
    "end_sessions_from(text[], text, text)",
    "forget_identities(text)",
)


def upgrade() -> None:
    """Add connections."""
    run(TABLES)
    run(FIND)
    run(END)
    guard(*GUARDED)


def downgrade() -> None:
    """Forget every connection and domain; who has signed in by one signs in no more."""
    run(f"DROP FUNCTION {', '.join(GUARDED)}")
    run("""
DELETE FROM identity WHERE issuer LIKE 'connection:%';
REVOKE DELETE ON identity FROM tenantry_guard;
ALTER TABLE login_ticket DROP identity_issuer, DROP identity_subject, DROP provider_sid;
ALTER TABLE session DROP identity_issuer, DROP identity_subject, DROP provider_sid;
DROP TABLE logout_token, email_domain, connection_role, connection;
""")
