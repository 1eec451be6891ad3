// Mercurius as its documentation tunes it: `jit: 1`, loaders, a pool of pg with prepared statements.
import { readFileSync } from 'node:fs'
import { createHash, randomBytes } from 'node:crypto'
import { createVerifier } from 'fast-jwt'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import pg from 'pg'

pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => text)
const pool = new pg.Pool({ connectionString: process.env.BENCH_DATABASE_URL, max: 16 })
const verify = createVerifier({
  key: readFileSync(process.env.BENCH_PUBLIC_KEY_FILE),
  algorithms: ['ES256'],
  allowedIss: process.env.BENCH_ISSUER,
  allowedAud: 'tenantry',
  cache: 10_000,
})

const run = (name, text, values, on = pool) => on.query({ name, text, values }).then((result) => result.rows)
const nodeId = (prefix) => `${prefix}_${randomBytes(16).toString('base64url')}`
const refuse = (code) => { throw new mercurius.ErrorWithProps(code, { code }) }

// --- Who asks: the token is verified, and the database asked whether its session still lives, on each request. ---

const PRINCIPAL = `SELECT s.tenant_id, s.member_id, s.user_id,
  ARRAY(SELECT DISTINCT p FROM member_role h JOIN role r ON r.tenant_id = h.tenant_id AND r.id = h.role_id,
    unnest(r.effective) AS p WHERE h.tenant_id = s.tenant_id AND h.member_id = s.member_id) AS permissions
  FROM session s JOIN member m ON m.tenant_id = s.tenant_id AND m.id = s.member_id JOIN tenant t ON t.id = s.tenant_id
  WHERE s.id = $1 AND NOT s.revoked AND s.expires_at > now() AND m.status = 'ACTIVE' AND m.version = $2
    AND NOT t.suspended AND t.version = $3`

// With BENCH_TRUST found once and kept, as without revocation: the token alone is checked from then on.
const principals = process.env.BENCH_TRUST ? new Map() : null

async function principalOf (request) {
  const { sid, mv, tv } = verify(request.headers.authorization.slice(7))
  const known = principals?.get(sid)
  if (known !== undefined) return known
  const [row] = await run('principal', PRINCIPAL, [sid, mv, tv])
  if (row === undefined) refuse('UNAUTHENTICATED')
  const principal = { ...row, permissions: new Set(row.permissions) }
  principals?.set(sid, principal)
  return principal
}

function need (context, permission) {
  if (!context.principal.permissions.has(permission)) refuse('FORBIDDEN')
}

// --- The schema: the part of Tenantry's that is asked for. ---

const schema = `
  enum MemberStatus { ACTIVE SUSPENDED INVITED }
  type Query { viewer: Viewer! tenant: Tenant! }
  type Viewer { user: User! member: Member tenant: Tenant permissions: [String!]! }
  type User { id: ID! email: String! name: String }
  type Tenant {
    id: ID! name: String!
    members(first: Int!, after: String): MemberConnection!
    member(id: ID!): Member
    auditEvents(first: Int!, after: String): AuditEventConnection!
  }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type MemberConnection { nodes: [Member!]! pageInfo: PageInfo! }
  type Member { id: ID! email: String! name: String status: MemberStatus! roles: [Role!]! }
  type Role { id: ID! key: String! name: String! permissions: [String!]! }
  type AuditEventConnection { nodes: [AuditEvent!]! pageInfo: PageInfo! }
  type AuditEvent {
    id: ID! at: String! actor: AuditActor! action: String! outcome: String! operationName: String
    rootField: String code: String
  }
  type AuditActor { id: ID label: String role: String }
  type Mutation { invitationsCreate(input: InvitationsCreateInput!): InvitationsCreatePayload! }
  input InvitationsCreateInput { invitations: [InvitationInput!]! }
  input InvitationInput { email: String! roleIds: [ID!]! name: String }
  type InvitationsCreatePayload { results: [InvitationCreateResult!]! }
  union InvitationCreateResult = InvitationCreated | AlreadyMember | RoleNotGrantable
  type InvitationCreated { invitation: Invitation! }
  type AlreadyMember { code: String! }
  type RoleNotGrantable { code: String! }
  type Invitation { id: ID! email: String! status: String! roles: [Role!]! }
`

const MEMBER = 'node_id AS id, id AS key, tenant_id, email, name, status'
const EVENT = `node_id AS id, seq, at, action, outcome, operation_name AS "operationName", root_field AS "rootField",
  code, actor_id, actor_label, actor_role`
const encode = (value) => Buffer.from(JSON.stringify([value])).toString('base64')
const decode = (cursor) => JSON.parse(Buffer.from(cursor, 'base64').toString())[0]

function page (rows, first, key) {
  const hasNextPage = rows.length > first
  const nodes = hasNextPage ? rows.slice(0, first) : rows
  return { nodes, pageInfo: { hasNextPage, endCursor: nodes.length ? encode(nodes[nodes.length - 1][key]) : null } }
}

const resolvers = {
  Query: {
    viewer: () => ({}),
    tenant: async (_, _arguments, context) => ({ key: context.principal.tenant_id }),
  },
  Viewer: {
    user: async (_, _arguments, { principal }) =>
      (await run('user', 'SELECT node_id AS id, email, name FROM "user" WHERE id = $1', [principal.user_id]))[0],
    member: async (_, _arguments, { principal }) =>
      (await run('own', `SELECT ${MEMBER} FROM member WHERE tenant_id = $1 AND id = $2`,
        [principal.tenant_id, principal.member_id]))[0],
    tenant: async (_, _arguments, { principal }) =>
      (await run('tenant', 'SELECT id AS key, node_id AS id, name FROM tenant WHERE id = $1', [principal.tenant_id]))[0],
    permissions: async (_, _arguments, { principal }) =>
      (await run('permissions', `SELECT DISTINCT p FROM member_role h
        JOIN role r ON r.tenant_id = h.tenant_id AND r.id = h.role_id, jsonb_array_elements_text(r.permissions) AS p
        WHERE h.tenant_id = $1 AND h.member_id = $2`, [principal.tenant_id, principal.member_id])).map((row) => row.p),
  },
  Tenant: {
    members: async (tenant, { first, after }, context) => {
      need(context, 'member:read')
      return page(await run('members', `SELECT ${MEMBER} FROM member WHERE tenant_id = $1 AND email > $2
        ORDER BY email LIMIT $3`, [tenant.key, after ? decode(after) : '', first + 1]), first, 'email')
    },
    member: async (tenant, { id }, context) => {
      need(context, 'member:read')
      return (await run('member', `SELECT ${MEMBER} FROM member WHERE tenant_id = $1 AND node_id = $2`,
        [tenant.key, id]))[0]
    },
    auditEvents: async (tenant, { first, after }, context) => {
      need(context, 'audit:read')
      return page(await run('trail', `SELECT ${EVENT} FROM audit_record WHERE tenant_id = $1 AND seq < $2
        ORDER BY seq DESC LIMIT $3`, [tenant.key, after ? decode(after) : '9223372036854775807', first + 1]), first, 'seq')
    },
  },
  AuditEvent: {
    actor: (event) => ({ id: event.actor_id, label: event.actor_label, role: event.actor_role }),
  },
  InvitationCreateResult: { resolveType: (value) => value.type },
  Mutation: { invitationsCreate },
}

const ROLES = `SELECT h.member_id, r.node_id AS id, r.key, r.name, r.permissions
  FROM member_role h JOIN role r ON r.tenant_id = h.tenant_id AND r.id = h.role_id
  WHERE h.tenant_id = $1 AND h.member_id = ANY($2) ORDER BY r.position, r.node_id`
const OFFERED = `SELECT o.invitation_id, r.node_id AS id, r.key, r.name, r.permissions
  FROM invitation_role o JOIN role r ON r.tenant_id = o.tenant_id AND r.id = o.role_id
  WHERE o.tenant_id = $1 AND o.invitation_id = ANY($2) ORDER BY r.position, r.node_id`

function grouped (rows, by, keys) {
  const found = new Map(keys.map((key) => [key, []]))
  for (const row of rows) found.get(row[by]).push(row)
  return keys.map((key) => found.get(key))
}

// `cache: false`: within one request no member is asked for twice, and the cache's keys cost more.
const loaders = {
  Member: {
    roles: {
      async loader (queries, { principal }) {
        const keys = queries.map(({ obj }) => obj.key)
        return grouped(await run('roles', ROLES, [principal.tenant_id, keys]), 'member_id', keys)
      },
      opts: { cache: false },
    },
  },
  Invitation: {
    roles: {
      async loader (queries, { principal }) {
        const keys = queries.map(({ obj }) => obj.key)
        return grouped(await run('offered', OFFERED, [principal.tenant_id, keys]), 'invitation_id', keys)
      },
      opts: { cache: false },
    },
  },
}

// --- The mutation: one transaction, one statement a table. ---

async function invitationsCreate (_, { input }, context) {
  need(context, 'member:invite')
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    const results = []
    for (const wanted of input.invitations) results.push(await invite(client, context.principal, wanted))
    await client.query('COMMIT')
    return { results }
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}

async function invite (client, principal, { email, roleIds, name }) {
  const tenant = principal.tenant_id
  const roles = await run('granted',
    'SELECT id, effective FROM role WHERE tenant_id = $1 AND node_id = ANY($2) FOR SHARE', [tenant, roleIds], client)
  const exceeds = (role) => role.effective.some((permission) => !principal.permissions.has(permission))
  if (roles.length !== roleIds.length || roles.some(exceeds)) {
    return { type: 'RoleNotGrantable', code: 'ROLE_NOT_GRANTABLE' }
  }
  const ids = roles.map((role) => role.id)
  const [member] = await run('add member', `INSERT INTO member (tenant_id, id, node_id, email, name, status)
    VALUES ($1, gen_random_uuid(), $2, $3, $4, 'INVITED') ON CONFLICT DO NOTHING RETURNING id`,
  [tenant, nodeId('M'), email.toLowerCase(), name ?? null], client)
  if (member === undefined) return { type: 'AlreadyMember', code: 'ALREADY_MEMBER' }
  await run('add roles', `INSERT INTO member_role (tenant_id, id, member_id, role_id)
    SELECT $1, gen_random_uuid(), $2, role FROM unnest($3::uuid[]) AS role`, [tenant, member.id, ids], client)
  const secret = randomBytes(32).toString('base64url')
  const [invitation] = await run('add invitation', `INSERT INTO invitation
    (tenant_id, id, node_id, email, name, status, token_hash, member_id, inviter_id, created_at, expires_at)
    VALUES ($1, gen_random_uuid(), $2, $3, $4, 'PENDING', $5, $6, $7, now(), now() + interval '7 days')
    RETURNING node_id AS id, id AS key, email, status`,
  [tenant, nodeId('I'), email.toLowerCase(), name ?? null, createHash('sha256').update(secret).digest(), member.id,
    principal.member_id], client)
  await run('add offered', `INSERT INTO invitation_role (tenant_id, id, invitation_id, role_id)
    SELECT $1, gen_random_uuid(), $2, role FROM unnest($3::uuid[]) AS role`, [tenant, invitation.key, ids], client)
  return { type: 'InvitationCreated', invitation }
}

const app = Fastify({ logger: false })
app.register(mercurius, {
  schema,
  resolvers,
  loaders,
  jit: 1,
  context: async (request) => ({ principal: await principalOf(request) }),
})
await app.listen({ host: '127.0.0.1', port: Number(process.env.BENCH_PORT) })
