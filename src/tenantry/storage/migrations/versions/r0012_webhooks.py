"""Webhooks: whom a tenant has told, with what secret, and what is on its way."""

from tenantry.storage.migrations.script import guard, run

revision = "0012"
down_revision = "0011"

TABLES = """
CREATE TABLE webhook_endpoint (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  node_id VARCHAR NOT NULL UNIQUE,
  url VARCHAR NOT NULL,
  description VARCHAR NOT NULL DEFAULT '',
  events TEXT[] NOT NULL DEFAULT '{}',
  enabled BOOLEAN NOT NULL DEFAULT true,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX webhook_endpoint_by_creation ON webhook_endpoint (tenant_id, created_at, node_id);
CREATE TABLE webhook_secret (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  endpoint_id UUID NOT NULL,
  key_id VARCHAR NOT NULL,
  box BYTEA NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  ends_at TIMESTAMPTZ,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT endpoint_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoint (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_secret_by_endpoint ON webhook_secret (tenant_id, endpoint_id);
CREATE TABLE webhook_delivery (
  tenant_id UUID NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
  id UUID NOT NULL,
  node_id VARCHAR NOT NULL UNIQUE,
  endpoint_id UUID NOT NULL,
  message_id VARCHAR NOT NULL,
  event VARCHAR NOT NULL,
  body BYTEA NOT NULL,
  state VARCHAR NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at TIMESTAMPTZ,
  last_status INTEGER,
  last_error VARCHAR,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT endpoint_id_within_tenant_fkey
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoint (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_delivery_by_creation ON webhook_delivery (tenant_id, endpoint_id, created_at, node_id);
CREATE INDEX webhook_delivery_due ON webhook_delivery (tenant_id, endpoint_id, next_attempt_at, id)
  WHERE state = 'PENDING';
CREATE INDEX webhook_delivery_over ON webhook_delivery (created_at) WHERE state <> 'PENDING';
SELECT stamp_row_security();
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoint, webhook_secret, webhook_delivery TO tenantry_app;
GRANT SELECT ON webhook_endpoint, webhook_secret TO tenantry_guard;
GRANT SELECT, DELETE, UPDATE (attempts, next_attempt_at) ON webhook_delivery TO tenantry_guard;
"""

# Said at COMMIT, and of nothing that is rolled back: there is something to send.
TELL = """
CREATE FUNCTION tell_of_webhook() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('tenantry_webhooks', '');
  RETURN NULL;
END $$;
CREATE TRIGGER webhook_written AFTER INSERT ON webhook_delivery
  FOR EACH ROW EXECUTE FUNCTION tell_of_webhook();
CREATE TRIGGER webhook_replayed AFTER UPDATE OF state ON webhook_delivery FOR EACH ROW
  WHEN (NEW.state = 'PENDING' AND OLD.state <> 'PENDING') EXECUTE FUNCTION tell_of_webhook();
"""

# What is due, of all tenants, to one sender of many. It names the endpoint of each delivery that it is
# sending, and has p_each for one of them at once; of the others those first for which it is sending least,
# so that long lists do not keep short ones waiting. Only endpoints with something to send are looked at,
# one step in the index for each. A row that another sender holds is passed over; one whose sender is gone
# is due again at p_until. Secrets come sealed.
LEASE = """
CREATE FUNCTION lease_webhook_deliveries(
  p_now timestamptz, p_until timestamptz, p_most int, p_each int, p_sending uuid[])
RETURNS TABLE (tenant_id uuid, tenant_node text, delivery_id uuid, delivery_node text, endpoint_id uuid,
  endpoint_node text, url text, message_id text, body bytea, attempts int, key_ids text[], boxes bytea[])
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE waiting AS (
    (SELECT d.tenant_id, d.endpoint_id FROM public.webhook_delivery d WHERE d.state = 'PENDING'
      ORDER BY d.tenant_id, d.endpoint_id LIMIT 1)
    UNION ALL
    SELECT n.tenant_id, n.endpoint_id FROM waiting w CROSS JOIN LATERAL (
      SELECT d.tenant_id, d.endpoint_id FROM public.webhook_delivery d
      WHERE d.state = 'PENDING' AND (d.tenant_id, d.endpoint_id) > (w.tenant_id, w.endpoint_id)
      ORDER BY d.tenant_id, d.endpoint_id LIMIT 1) AS n),
  share AS (
    SELECT w.tenant_id, w.endpoint_id,
      (SELECT count(*) FROM unnest(p_sending) AS s (id) WHERE s.id = w.endpoint_id) AS sending
    FROM waiting w
    JOIN public.webhook_endpoint e ON e.tenant_id = w.tenant_id AND e.id = w.endpoint_id
    WHERE e.enabled),
  due AS (
    SELECT n.tenant_id, n.id, n.next_attempt_at, s.sending + n.place AS turn
    FROM share s CROSS JOIN LATERAL (
      SELECT d.tenant_id, d.id, d.next_attempt_at,
        row_number() OVER (ORDER BY d.next_attempt_at, d.id) AS place
      FROM public.webhook_delivery d
      WHERE d.tenant_id = s.tenant_id AND d.endpoint_id = s.endpoint_id AND d.state = 'PENDING'
        AND d.next_attempt_at <= p_now
      ORDER BY d.next_attempt_at, d.id LIMIT greatest(p_each - s.sending, 0)) AS n),
  held AS (
    SELECT d.tenant_id, d.id FROM due
    JOIN public.webhook_delivery d ON d.tenant_id = due.tenant_id AND d.id = due.id
    WHERE d.state = 'PENDING' AND d.next_attempt_at <= p_now
    ORDER BY due.turn, due.next_attempt_at, due.id LIMIT p_most FOR UPDATE OF d SKIP LOCKED),
  leased AS (
    UPDATE public.webhook_delivery d SET attempts = d.attempts + 1, next_attempt_at = p_until
    FROM held WHERE d.tenant_id = held.tenant_id AND d.id = held.id RETURNING d.*)
  SELECT l.tenant_id, t.node_id, l.id, l.node_id, l.endpoint_id, e.node_id, e.url, l.message_id, l.body,
    l.attempts, s.key_ids, s.boxes
  FROM leased l
  JOIN public.tenant t ON t.id = l.tenant_id
  JOIN public.webhook_endpoint e ON e.tenant_id = l.tenant_id AND e.id = l.endpoint_id
  CROSS JOIN LATERAL (
    SELECT array_agg(w.key_id::text ORDER BY w.created_at DESC, w.id DESC) AS key_ids,
      array_agg(w.box ORDER BY w.created_at DESC, w.id DESC) AS boxes
    FROM public.webhook_secret w
    WHERE w.tenant_id = l.tenant_id AND w.endpoint_id = l.endpoint_id
      AND (w.ends_at IS NULL OR w.ends_at > p_now)) AS s
$$;
CREATE FUNCTION forget_webhook_deliveries(p_before timestamptz, p_most int) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH gone AS (
    DELETE FROM public.webhook_delivery d USING (
      SELECT o.tenant_id, o.id FROM public.webhook_delivery o
      WHERE o.state <> 'PENDING' AND o.created_at < p_before
      ORDER BY o.created_at LIMIT p_most FOR UPDATE SKIP LOCKED) AS old
    WHERE d.tenant_id = old.tenant_id AND d.id = old.id RETURNING d.id)
  SELECT count(*) FROM gone
$$;
"""

# For the operator's command that seals secrets under a new key: boxes, which are nothing without keys.
RESEAL = """
CREATE FUNCTION webhook_secrets_under_other_keys(p_key text, p_after uuid, p_most int)
RETURNS TABLE (tenant_id uuid, id uuid, endpoint_id uuid, key_id text, box bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.tenant_id, s.id, s.endpoint_id, s.key_id, s.box FROM public.webhook_secret s
  WHERE s.key_id <> p_key AND s.id > p_after ORDER BY s.id LIMIT p_most
$$;
CREATE FUNCTION webhook_secrets_under(p_key text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*) FROM public.webhook_secret s WHERE s.key_id = p_key
$$;
"""
GUARDED = (
    "lease_webhook_deliveries(timestamptz, timestamptz, int, int, uuid[])",
    "forget_webhook_deliveries(timestamptz, int)",
    "webhook_secrets_under_other_keys(text, uuid, int)",
    "webhook_secrets_under(text)",
)


def upgrade() -> None:
    """Add webhooks."""
    run(TABLES)
    run(TELL)
    run(LEASE)
    run(RESEAL)
    guard(*GUARDED)


def downgrade() -> None:
    """Forget them, and what is still on its way."""
    run(f"DROP FUNCTION {', '.join(GUARDED)}")
    run("DROP TABLE webhook_delivery, webhook_secret, webhook_endpoint")
    run("DROP FUNCTION tell_of_webhook()")
