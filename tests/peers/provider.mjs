// An OpenID provider (the `oidc-provider` package) with a few people and three public clients, for tests and the demo.
//
//   node provider.mjs [--port 0] [--alg RS256|PS256|ES256|EdDSA] [--lifetime SECONDS] [--listen ADDRESS]
//
// When it listens it prints one line, {"ready":true,"port":…,"issuer":"…"}. Access tokens are JWTs whose audience is
// the `resource` that was asked for (RFC 8707) and that carry `roles` and `groups`. Keys are made at every start.
// People sign in at a plain form, so a browser works as well as login.mjs.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import Provider, { errors, interactionPolicy } from 'oidc-provider';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    alg: { type: 'string', default: 'RS256' },
    lifetime: { type: 'string', default: '3600' },
    // In a container: whoever is outside of it is sent to 127.0.0.1 all the same, where its port is published.
    listen: { type: 'string', default: '127.0.0.1' },
  },
});

/** Who may sign in. The passwords guard nothing: this provider is for one machine and one evening. */
const PEOPLE = new Map([
  ['alice', { password: 'alice', roles: ['support'], groups: ['emea'] }],
  ['bob', { password: 'bob', roles: ['support', 'support-lead', 'admin'], groups: ['emea', 'leads'] }],
  ['carol', { password: 'carol', name: 'Carol Diaz', roles: ['finance-lead'], groups: ['emea', 'leads'] }],
  ['dave', { password: 'dave', name: 'Dave Okafor', roles: ['finance-lead'], groups: ['emea', 'leads'] }],
]);
const CLIENTS = ['crm-agent', 'everything-agent', 'console'];
const SCOPES = ['openid', 'offline_access', 'mcp', 'mcp:tools'];

function signingKeys() {
  const jwk = (pair, extra) => ({ ...pair.privateKey.export({ format: 'jwk' }), use: 'sig', ...extra });
  const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
  return [
    jwk(rsa(), { alg: 'RS256', kid: 'rs' }),
    jwk(rsa(), { alg: 'PS256', kid: 'ps' }),
    jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }), { alg: 'ES256', kid: 'es' }),
    jwk(generateKeyPairSync('ed25519'), { alg: 'EdDSA', kid: 'ed' }),
  ];
}

/** Everyone who signs in agrees to what was asked: consent is not what is tested here. */
async function grantAll(ctx) {
  const { client, params, provider, session, resourceServers } = ctx.oidc;
  const known = session.grantIdFor(client.clientId);
  const grant = (known && (await provider.Grant.find(known))) || new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(String(params.scope ?? 'openid'));
  for (const [resource, server] of Object.entries(resourceServers ?? {})) grant.addResourceScope(resource, [...server.scopes].join(' '));
  await grant.save();
  return grant;
}

function signInOnly() {
  const policy = interactionPolicy.base();
  policy.remove('consent');
  return policy;
}

const configuration = (issuer) => ({
  clients: CLIENTS.map((client_id) => ({
    client_id,
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    // Any port on the loopback interface is accepted for a native client (RFC 8252, 7.3).
    redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'],
  })),
  jwks: { keys: signingKeys() },
  scopes: SCOPES,
  // The console reads roles from the ID token, as Gatehold reads them from access tokens.
  claims: { openid: ['sub', 'name', 'roles', 'groups'] },
  conformIdTokenClaims: false,
  cookies: { keys: ['for one machine and one evening'] },
  pkce: { required: () => true },
  ttl: { AccessToken: Number(options.lifetime), Grant: 86400, IdToken: 3600, Interaction: 3600, Session: 86400, RefreshToken: 86400 },
  clientBasedCORS: () => true,
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
  findAccount: (_ctx, accountId) => PEOPLE.has(accountId) && { accountId, claims: async () => ({ sub: accountId, ...claimsOf(accountId) }) },
  extraTokenClaims: (_ctx, token) => claimsOf(token.accountId),
  loadExistingGrant: grantAll,
  interactions: { policy: signInOnly(), url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    // Desktop agents register themselves before they sign in.
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => {
        if (!/^https?:\/\//.test(resource)) throw new errors.InvalidTarget();
        return { scope: 'mcp mcp:tools', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: Number(options.lifetime), jwt: { sign: { alg: options.alg } } };
      },
    },
  },
  renderError: (ctx, out) => {
    ctx.type = 'json';
    ctx.body = { ...out, issuer };
  },
});

function claimsOf(accountId) {
  const person = PEOPLE.get(accountId);
  return person && { ...(person.name && { name: person.name }), roles: person.roles, groups: person.groups };
}

const page = (uid, note) => `<!doctype html><meta charset="utf-8"><title>Sign in</title>
<h1>Sign in</h1><p>${note}</p>
<form method="post" action="/interaction/${uid}"><p><label>User <input name="username" autofocus></label></p>
<p><label>Password <input name="password" type="password"></label></p><button>Sign in</button></form>
<p>There are alice (support), bob (support lead), carol and dave (finance leads); the password is the name.</p>`;

async function form(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > 4096) throw new RangeError('form of more than 4096 characters');
  }
  return new URLSearchParams(body);
}

async function onInteraction(provider, request, response) {
  const { uid } = await provider.interactionDetails(request, response);
  const show = (note) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    response.end(page(uid, note));
  };
  if (request.method !== 'POST') return show('');
  const fields = await form(request);
  const person = PEOPLE.get(fields.get('username'));
  if (!person || person.password !== fields.get('password')) return show('Unknown user or wrong password.');
  return provider.interactionFinished(request, response, { login: { accountId: fields.get('username') } }, { mergeWithLastSubmission: false });
}

const http = createServer();
http.listen(Number(options.port), options.listen, () => {
  const { port } = http.address();
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, configuration(issuer));
  provider.on('server_error', (_ctx, error) => console.error(error));
  const serve = provider.callback();
  http.on('request', (request, response) => {
    if (!request.url.startsWith('/interaction/')) return serve(request, response);
    return onInteraction(provider, request, response).catch((error) => {
      console.error(error);
      if (!response.headersSent) response.writeHead(400, { 'content-type': 'text/plain' });
      response.end('This sign-in is over; start again.');
    });
  });
  console.log(JSON.stringify({ ready: true, port, issuer }));
});
process.once('SIGTERM', () => process.exit(0));
