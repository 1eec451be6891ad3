// PostGraphile 5 on its Node server: a role and settings for each transaction, row security for the rest.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createVerifier } from 'fast-jwt'
import pg from 'pg'
import { postgraphile } from 'postgraphile'
import { makePgService } from 'postgraphile/adaptors/pg'
import { grafserv } from 'postgraphile/grafserv/node'
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber'
import { jsonPgSmartTags } from 'postgraphile/utils'

const pool = new pg.Pool({ connectionString: process.env.BENCH_DATABASE_URL, max: 16 })
const verify = createVerifier({
  key: readFileSync(process.env.BENCH_PUBLIC_KEY_FILE),
  algorithms: ['ES256'],
  allowedIss: process.env.BENCH_ISSUER,
  allowedAud: 'tenantry',
  cache: 10_000,
})

// The token is verified, and the database asked whether its session still lives, on each request.
const LIVE = 'SELECT tenant_id, user_id FROM bench.live_session($1, $2, $3)'

// With BENCH_TRUST found once and kept, as without revocation: the token alone is checked from then on.
const settings = process.env.BENCH_TRUST ? new Map() : null

async function settingsOf (request) {
  const { sid, mv, tv } = verify(request.headers.authorization.slice(7))
  const known = settings?.get(sid)
  if (known !== undefined) return known
  const { rows: [row] } = await pool.query({ name: 'live', text: LIVE, values: [sid, mv, tv] })
  if (row === undefined) throw new Error('UNAUTHENTICATED')
  const found = { role: 'tenantry_app', 'app.tenant_id': row.tenant_id, 'app.user_id': row.user_id }
  settings?.set(sid, found)
  return found
}

const tags = jsonPgSmartTags({
  version: 1,
  config: {
    constraint: {
      'public.member_role.member_id_within_tenant_fkey': {
        tags: { behavior: '+list +connection', foreignFieldName: 'memberRoles', foreignSimpleFieldName: 'memberRolesList' },
      },
      'public.member_role.role_id_within_tenant_fkey': { tags: { fieldName: 'role' } },
      'public.invitation_role.invitation_id_within_tenant_fkey': {
        tags: { behavior: '+list', foreignSimpleFieldName: 'invitationRolesList' },
      },
      'public.invitation_role.role_id_within_tenant_fkey': { tags: { fieldName: 'role' } },
      'public.member.member_user_id_fkey': { tags: { fieldName: 'user' } },
      'public.member.member_tenant_id_fkey': { tags: { fieldName: 'tenant' } },
    },
  },
})

const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [tags],
  pgServices: [makePgService({ pool, schemas: ['public'] })],
  grafast: { context: async (context) => ({ pgSettings: await settingsOf(context.node.req) }), explain: false },
  grafserv: { graphiql: false, watch: false, graphqlPath: '/graphql' },
})
if (process.argv.includes('--print')) {
  const { printSchema } = await import('graphql')
  console.log(printSchema(await instance.getSchema()))
  process.exit()
}
const server = createServer()
await instance.createServ(grafserv).addTo(server)
server.listen(Number(process.env.BENCH_PORT), '127.0.0.1')
