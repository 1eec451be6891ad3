// A certified OIDC provider on a free port of loopback, with logins that a test completes by HTTP.
//
// Prints one line of JSON when ready: {"issuer": "http://127.0.0.1:…"}.
// POST /admin/rotate          new keys under new kids; the old ones are no longer published
// GET  /admin/fetches         {"jwks": n}: how often the keys have been fetched
// POST /admin/logout          {client, subject, sid, to}: tells the client's back channel, which is at `to`
// POST /interaction/:uid      {subject, email, emailVerified, name}: this person signs in and consents

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const REDIRECT_URI = 'https://app.example/callback';
const people = new Map();
let provider;
let jwksFetches = 0;
let backChannel;

function signingKey(alg) {
  const { privateKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() };
}

function publicClient(alg) {
  return {
    client_id: `spa-${alg.toLowerCase()}`,
    redirect_uris: [REDIRECT_URI],
    response_types: ['code'],
    grant_types: ['authorization_code'],
    token_endpoint_auth_method: 'none',
    id_token_signed_response_alg: alg,
    backchannel_logout_uri: 'https://rp.example/logout',
    backchannel_logout_session_required: true,
  };
}

async function grantEverything(ctx) {
  const grant = new ctx.oidc.provider.Grant({
    accountId: ctx.oidc.session.accountId,
    clientId: ctx.oidc.client.clientId,
  });
  grant.addOIDCScope('openid email profile');
  await grant.save();
  return grant;
}

function newProvider(issuer) {
  return new Provider(issuer, {
    clients: ['RS256', 'ES256'].map(publicClient),
    jwks: { keys: ['RS256', 'ES256'].map(signingKey) },
    cookies: { keys: [randomUUID()] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
    // The provider's own dispatcher refuses loopback, and rightly so; this back channel is the test's.
    fetch: (url, { dispatcher, ...options }) =>
      String(url).startsWith('https://rp.example/')
        ? fetch(backChannel, options)
        : fetch(url, { dispatcher, ...options }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people.get(id) }) }),
    loadExistingGrant: grantEverything,
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  });
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString() || '{}');
}

function answer(response, value) {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

async function handle(request, response) {
  const { pathname } = new URL(request.url, 'http://unused');
  if (request.method === 'POST' && pathname === '/admin/rotate') {
    provider = newProvider(provider.issuer);
    answer(response, {});
  } else if (pathname === '/admin/fetches') {
    answer(response, { jwks: jwksFetches });
  } else if (request.method === 'POST' && pathname === '/admin/logout') {
    const { client, subject, sid, to } = await bodyOf(request);
    backChannel = to;
    const found = await provider.Client.find(client);
    await found.backchannelLogout(subject, sid);
    answer(response, {});
  } else if (request.method === 'POST' && pathname.startsWith('/interaction/')) {
    const { subject, email, emailVerified, name } = await bodyOf(request);
    people.set(subject, { email, email_verified: emailVerified, name });
    await provider.interactionFinished(request, response, { login: { accountId: subject } });
  } else {
    if (pathname === '/jwks') jwksFetches += 1;
    await provider.callback()(request, response);
  }
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(String(error));
  });
});
server.listen(0, '127.0.0.1', () => {
  provider = newProvider(`http://127.0.0.1:${server.address().port}`);
  process.stdout.write(`${JSON.stringify({ issuer: provider.issuer })}\n`);
});
process.stdin.resume().on('end', () => process.exit(0));
