"""One statement an operation, each within ``begin_request``; PostgreSQL builds the answer's JSON."""

ROLES = """
SELECT json_agg(json_build_object('key', r.key, 'name', r.name, 'permissions', r.permissions)
  ORDER BY r.position, r.node_id)
FROM member_role h JOIN role r ON r.tenant_id = h.tenant_id AND r.id = h.role_id
WHERE h.tenant_id = m.tenant_id AND h.member_id = m.id
"""

# Sub-selects and not joins: `begin_request` must have run before row security is first asked.
VIEWER = """
SELECT json_build_object('data', json_build_object('viewer', json_build_object(
  'user', (SELECT json_build_object('email', u.email, 'name', u.name) FROM "user" u WHERE u.id = a.user_id),
  'member', (SELECT json_build_object('email', m.email, 'status', m.status, 'roles', held.roles)
    FROM member m WHERE m.tenant_id = a.tenant_id AND m.id = a.member_id),
  'tenant', (SELECT json_build_object('name', t.name) FROM tenant t WHERE t.id = a.tenant_id),
  'permissions', (SELECT json_agg(DISTINCT p) FROM unnest(held.lists) AS list, jsonb_array_elements_text(list) AS p))))
FROM begin_request($1, $2, $3, $4) a
CROSS JOIN LATERAL (
  SELECT json_agg(json_build_object('key', r.key, 'name', r.name) ORDER BY r.position, r.node_id) AS roles,
    array_agg(r.permissions) AS lists
  FROM member_role h JOIN role r ON r.tenant_id = h.tenant_id AND r.id = h.role_id
  WHERE h.tenant_id = a.tenant_id AND h.member_id = a.member_id) AS held
"""

# The tenant's few roles are written as JSON once, not once a member.
LIST = """
SELECT json_build_object('data', json_build_object('tenant', json_build_object('members', page.body)))
FROM begin_request($1, $2, $3, $4) a
CROSS JOIN LATERAL (
  WITH known AS MATERIALIZED (
    SELECT r.id, r.position, r.node_id,
      json_build_object('key', r.key, 'name', r.name, 'permissions', r.permissions) AS body
    FROM role r WHERE r.tenant_id = a.tenant_id)
  SELECT json_build_object(
    'nodes', coalesce(json_agg(row.body) FILTER (WHERE row.n <= 50), '[]'),
    'pageInfo', json_build_object('hasNextPage', count(*) > 50,
      'endCursor', encode(convert_to(json_build_array(max(row.email) FILTER (WHERE row.n <= 50))::text, 'UTF8'),
        'base64'))) AS body
  FROM (
    SELECT m.email, row_number() OVER (ORDER BY m.email) AS n,
      json_build_object('id', m.node_id, 'email', m.email, 'name', m.name, 'status', m.status, 'roles', (
        SELECT json_agg(k.body ORDER BY k.position, k.node_id) FROM member_role h JOIN known k ON k.id = h.role_id
        WHERE h.tenant_id = m.tenant_id AND h.member_id = m.id)) AS body
    FROM member m WHERE m.tenant_id = a.tenant_id ORDER BY m.email LIMIT 51) AS row) AS page
"""

MEMBER = f"""
SELECT json_build_object('data', json_build_object('tenant', json_build_object('member', (
  SELECT json_build_object('id', m.node_id, 'email', m.email, 'name', m.name, 'status', m.status, 'roles', ({ROLES}))
  FROM member m WHERE m.tenant_id = a.tenant_id AND m.node_id = $5))))
FROM begin_request($1, $2, $3, $4) a
"""  # noqa: S608 - our own text

TRAIL = """
SELECT json_build_object('data', json_build_object('tenant', json_build_object('auditEvents', page.body)))
FROM begin_request($1, $2, $3, $4) a
CROSS JOIN LATERAL (
  SELECT json_build_object(
    'nodes', coalesce(json_agg(row.body) FILTER (WHERE row.n <= 100), '[]'),
    'pageInfo', json_build_object('hasNextPage', count(*) > 100,
      'endCursor', encode(convert_to(json_build_array(min(row.seq) FILTER (WHERE row.n <= 100))::text, 'UTF8'),
        'base64'))) AS body
  FROM (
    SELECT e.seq, row_number() OVER (ORDER BY e.seq DESC) AS n,
      json_build_object('id', e.node_id, 'at', e.at, 'action', e.action, 'outcome', e.outcome,
        'operationName', e.operation_name, 'rootField', e.root_field, 'code', e.code,
        'actor', json_build_object('id', e.actor_id, 'label', e.actor_label, 'role', e.actor_role)) AS body
    FROM audit_record e WHERE e.tenant_id = a.tenant_id AND e.seq < $5 ORDER BY e.seq DESC LIMIT 101) AS row) AS page
"""

BEGIN_MUTATION = "SELECT 1 FROM begin_mutation($1, $2, $3, $4)"

# Everything that one invitation is, in one statement. No row comes back where the role is not the
# tenant's, or exceeds the caller's own.
INVITE = """
WITH role_asked AS MATERIALIZED (
  SELECT r.id, r.key, r.is_owner FROM role r WHERE r.tenant_id = $1 AND r.node_id = $2 AND r.effective <@ $3
  FOR SHARE),
new_member AS (
  INSERT INTO member (tenant_id, id, node_id, email, status, is_owner)
  SELECT $1, $4, $5, $6, 'INVITED', is_owner FROM role_asked RETURNING id),
new_held AS (
  INSERT INTO member_role (tenant_id, id, member_id, role_id)
  SELECT $1, $7, new_member.id, role_asked.id FROM new_member, role_asked),
new_invitation AS (
  INSERT INTO invitation (tenant_id, id, node_id, email, status, token_hash, member_id, inviter_id, created_at, expires_at)
  SELECT $1, $8, $9, $6, 'PENDING', $10, new_member.id, $11, now(), now() + interval '7 days' FROM new_member
  RETURNING id, node_id, email, status),
new_offered AS (
  INSERT INTO invitation_role (tenant_id, id, invitation_id, role_id)
  SELECT $1, $12, new_invitation.id, role_asked.id FROM new_invitation, role_asked)
SELECT json_build_object('data', json_build_object('invitationsCreate', json_build_object('results', json_build_array(
  json_build_object('__typename', 'InvitationCreated', 'invitation', json_build_object('id', i.node_id, 'email', i.email,
    'status', i.status, 'roles', json_build_array(json_build_object('key', r.key))))))))
FROM new_invitation i, role_asked r
"""
