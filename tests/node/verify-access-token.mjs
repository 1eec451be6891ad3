// Verifies an access token as any service would, with the JOSE library of another language.
//
// Usage: node verify-access-token.mjs <issuer> <audience>, the token on standard input. Finds the
// keys through the issuer's discovery document. Prints {"payload": …, "header": …} or {"error": code}.

import { createRemoteJWKSet, jwtVerify } from 'jose';

const [issuer, audience] = process.argv.slice(2);
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const token = Buffer.concat(chunks).toString().trim();

const discovery = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
const keys = createRemoteJWKSet(new URL(discovery.jwks_uri));
let outcome;
try {
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer: discovery.issuer,
    audience,
    typ: 'at+jwt',
    algorithms: discovery.access_token_signing_alg_values_supported,
    requiredClaims: ['sub', 'jti', 'sid', 'scope', 'tenant_id', 'role', 'roles'],
  });
  outcome = { payload, header: protectedHeader };
} catch (error) {
  outcome = { error: error.code };
}
process.stdout.write(JSON.stringify(outcome));
