"""The data that every server answers from: made by SQL, the same on every run.

50 tenants of 200 members, six roles each, one or two roles a member, 100,000 audit records, and
a session for the first ten members of each tenant (the owner and nine admins), whose tokens the
load carries.
"""

from uuid import UUID

import asyncpg

TENANTS = 50
MEMBERS = 200
RECORDS = 2_000
SIGNED_IN = 10
"""Members of each tenant who have a session."""
PEER = "bench_peer"
"""The role of the database that peers without row security connect as."""
POSTGRAPHILE = "bench_postgraphile"
"""The role that PostGraphile connects as; it becomes ``tenantry_app`` in each transaction."""

KEY = "('00000000-0000-7000-8000-' || lpad(to_hex({number}), 12, '0'))::uuid"
NODE = "'{prefix}_' || translate(rtrim(encode(decode(md5('{prefix}' || {number}), 'hex'), 'base64'), '='), '+/', '-_')"

BLUEPRINT = """
INSERT INTO blueprint VALUES ('bench', 'Benchmark',
  '{"key": "bench", "title": "Benchmark", "description": "", "membership": "many", "max_roles": null,
    "claims": {}, "permissions": [], "roles": [], "system_roles": [], "people": []}', 'bench', now())
"""

TENANT = """
INSERT INTO tenant (id, node_id, slug, name, blueprint, created_at)
SELECT {key}, {node}, 'bench-' || t, 'Tenant ' || t, 'bench', '2026-01-01Z'
FROM generate_series(1, {tenants}) AS t
"""

ROLES = (
    ("owner", "Owner", 15, "member:own tenant:plan"),
    ("admin", "Admin", 13, ""),
    ("manager", "Manager", 11, ""),
    ("supervisor", "Supervisor", 9, ""),
    ("agent", "Agent", 7, ""),
    ("guest", "Guest", 5, ""),
)
# Sorted by how many roles hold them: a role lists the first so many.
PERMISSIONS = (
    "tenant:read",
    "call:read_own",
    "ticket:read",
    "ticket:create",
    "profile:update_own",
    "call:originate",
    "recording:listen",
    "call:read",
    "report:view",
    "member:read",
    "audit:read",
    "member:invite",
    "invitation:read",
    "member:update",
    "role:assign",
)

ROLE = """
INSERT INTO role (tenant_id, id, node_id, key, name, is_locked, is_owner, position, permissions, effective,
  created_at)
SELECT {tenant_key}, {key}, {node}, $1, $2, true, $3::int = 0, $3, to_jsonb($4::text[]), $5::text[], '2026-01-01Z'
FROM generate_series(1, {tenants}) AS t
"""

USERS = """
INSERT INTO "user" (id, node_id, email, name, created_at)
SELECT {key}, {node}, 'person' || n || '@example.com', 'Person ' || n, '2026-01-01Z'
FROM generate_series(1, {people}) AS n
"""

MEMBER = """
INSERT INTO member (tenant_id, id, node_id, user_id, email, name, status, is_owner, joined_at)
SELECT {tenant_key}, {key}, {node}, {key}, 'person' || n || '@example.com', 'Person ' || n,
  CASE WHEN m > {signed_in} AND m % 20 = 0 THEN 'SUSPENDED' ELSE 'ACTIVE' END, m = 1, '2026-02-01Z'
FROM generate_series(1, {tenants}) AS t, generate_series(1, {members}) AS m, LATERAL (SELECT (t - 1) * {members} + m AS n) AS x
"""

# The first member is the owner, the next nine are admins, the others hold one of four roles;
# every other member holds one role more.
MEMBER_ROLE = """
INSERT INTO member_role (tenant_id, id, member_id, role_id)
SELECT {tenant_key}, {link_key}, {key}, {role_key}
FROM generate_series(1, {tenants}) AS t, generate_series(1, {members}) AS m,
  LATERAL (SELECT (t - 1) * {members} + m AS n) AS x,
  LATERAL (
    SELECT CASE WHEN m = 1 THEN 0 WHEN m <= {signed_in} THEN 1 ELSE 2 + m % 3 END AS position
    UNION ALL SELECT CASE WHEN m <= {signed_in} THEN 4 ELSE 5 END WHERE m % 2 = 0) AS held
"""

SESSION = """
INSERT INTO session (tenant_id, id, node_id, user_id, member_id, ip, user_agent, logged_at, last_seen_at, expires_at)
SELECT {tenant_key}, {key}, {node}, {key}, {key}, '192.0.2.1', 'bench', now(), now(), now() + interval '7 days'
FROM generate_series(1, {tenants}) AS t, generate_series(1, {signed_in}) AS m,
  LATERAL (SELECT (t - 1) * {members} + m AS n) AS x
"""

# Interleaved as real trails are: a tenant's records lie scattered over the table.
AUDIT = """
INSERT INTO audit_record (tenant_id, node_id, at, actor_kind, actor_id, actor_label, actor_role, actor_tenant, tenant,
  action, operation_type, operation_name, root_field, document_hash, targets, method, path, outcome, code, ip,
  user_agent, request_id, body)
SELECT {tenant_key}, {record_node}, timestamptz '2026-06-01Z' + r * interval '61.000007 seconds', 'USER', {node}, 'Person ' || n,
  'admin', {tenant_node}, {tenant_node}, action, kind, name, field, md5(field), ARRAY[{node}], 'POST', '/graphql',
  CASE WHEN r % 10 = 0 THEN 'REFUSED' ELSE 'OK' END, CASE WHEN r % 10 = 0 THEN 'FORBIDDEN' END,
  '192.0.2.1', 'bench', md5(t || '.' || r), convert_to(repeat('x', 420), 'UTF8')
FROM generate_series(1, {records}) AS r, generate_series(1, {tenants}) AS t,
  LATERAL (SELECT (t - 1) * {members} + 1 + r % {signed_in} AS n) AS x,
  LATERAL (SELECT * FROM (VALUES
    (0, 'query', 'query', 'Members', 'tenant'), (1, 'member.roles_set', 'mutation', 'SetRoles', 'memberRolesSet'),
    (2, 'invitation.create', 'mutation', 'Invite', 'invitationsCreate'), (3, 'query', 'query', NULL, 'viewer')
  ) AS known (place, action, kind, name, field) WHERE place = r % 4) AS what
ORDER BY r, t
"""

ROLES_OF_PEERS = f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{PEER}') THEN
    CREATE ROLE {PEER} LOGIN BYPASSRLS;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{POSTGRAPHILE}') THEN
    CREATE ROLE {POSTGRAPHILE} LOGIN NOINHERIT IN ROLE tenantry_app;
  END IF;
END $$;
GRANT USAGE ON SCHEMA public TO {PEER};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {PEER};
"""  # noqa: S608 - our own names


def key(kind: int, number: int) -> UUID:
    """The key of the ``number``-th row of a kind, as ``KEY`` makes it in SQL."""
    return UUID(f"00000000-0000-7000-8000-{kind * 2**32 + number:012x}")


KINDS = {"tenant": 1, "person": 2, "link": 3, "role": 4}


def _key(kind: str, number: str) -> str:
    return KEY.format(number=f"({KINDS[kind]}::bigint << 32) + {number}")


def _node(prefix: str, number: str) -> str:
    return NODE.format(prefix=prefix, number=number)


def _fill(template: str, **names: str) -> str:
    sizes = {
        "tenants": TENANTS,
        "members": MEMBERS,
        "records": RECORDS,
        "signed_in": SIGNED_IN,
        "people": TENANTS * MEMBERS,
    }
    return template.format(tenant_key=_key("tenant", "t"), **sizes, **names)


async def fill(owner_dsn: str) -> None:
    """Fill a migrated, empty database, and let PostgreSQL take its measure."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        async with connection.transaction():
            await connection.execute(ROLES_OF_PEERS)
            await _fill_tables(connection)
        await connection.execute("VACUUM (FREEZE, ANALYZE)")
    finally:
        await connection.close()


async def _fill_tables(connection: asyncpg.Connection) -> None:
    await connection.execute(BLUEPRINT)
    await connection.execute(_fill(TENANT, key=_key("tenant", "t"), node=_node("T", "t")))
    for position, (name, title, held, beside) in enumerate(ROLES):
        number = f"t * {len(ROLES)} + {position}"
        statement = _fill(ROLE, key=_key("role", number), node=_node("R", f"({number})"))
        listed = list(PERMISSIONS[:held])
        await connection.execute(statement, name, title, position, listed, sorted({*listed, *beside.split()}))
    person = _key("person", "n")
    await connection.execute(_fill(USERS, key=person, node=_node("U", "n")))
    await connection.execute(_fill(MEMBER, key=person, node=_node("M", "n")))
    role_key = _key("role", f"t * {len(ROLES)} + held.position")
    await connection.execute(
        _fill(MEMBER_ROLE, key=person, role_key=role_key, link_key=_key("link", "n * 8 + held.position"))
    )
    await connection.execute(_fill(SESSION, key=person, node=_node("S", "n")))
    await connection.execute(
        _fill(
            AUDIT,
            node=_node("U", "n"),
            tenant_node=_node("T", "t"),
            record_node=_node("A", "(t * 10000 + r)"),
        )
    )
