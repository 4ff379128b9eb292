// Signs a person in at an OpenID provider with the authorization code flow and PKCE, without a browser, and prints
// the access token alone (or, with --json, the provider's whole answer).
//
//   node login.mjs --issuer URL --user NAME --password WORD --resource URL [--client crm-agent] [--scope "…"] [--json]
import { createHash, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    issuer: { type: 'string' },
    user: { type: 'string' },
    password: { type: 'string' },
    resource: { type: 'string' },
    client: { type: 'string', default: 'crm-agent' },
    scope: { type: 'string', default: 'openid mcp:tools' },
    json: { type: 'boolean', default: false },
  },
});
for (const name of ['issuer', 'user', 'password', 'resource']) {
  if (!options[name]) {
    console.error(`login: --${name} is missing`);
    process.exit(2);
  }
}

const REDIRECT = 'http://127.0.0.1:8976/callback';
/** More hops than a sign-in takes. */
const MAX_HOPS = 12;
const cookies = new Map();

async function request(url, init = {}) {
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const response = await fetch(url, { ...init, redirect: 'manual', headers: { ...init.headers, ...(cookie && { cookie }) } });
  for (const line of response.headers.getSetCookie()) {
    const [pair] = line.split(';');
    const at = pair.indexOf('=');
    const value = pair.slice(at + 1);
    if (value) cookies.set(pair.slice(0, at), value);
    else cookies.delete(pair.slice(0, at));
  }
  return response;
}

async function signIn() {
  const discovery = await (await request(`${options.issuer}/.well-known/openid-configuration`)).json();
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const start = new URL(discovery.authorization_endpoint);
  start.search = new URLSearchParams({
    client_id: options.client,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: options.scope,
    resource: options.resource,
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString();

  let url = start;
  let formSent = false;
  for (let hop = 0; hop < MAX_HOPS; hop += 1) {
    if (url.href.startsWith(REDIRECT)) {
      if (url.searchParams.get('error')) throw new Error(`${url.searchParams.get('error')}: ${url.searchParams.get('error_description')}`);
      if (url.searchParams.get('state') !== state) throw new Error('the provider answered with another state');
      return redeem(discovery.token_endpoint, url.searchParams.get('code'), verifier);
    }
    let response = await request(url);
    if (response.status === 200 && !formSent) {
      formSent = true;
      response = await request(url, { method: 'POST', body: new URLSearchParams({ username: options.user, password: options.password }) });
    }
    const next = response.headers.get('location');
    if (!next) throw new Error(`${url.pathname} answered ${response.status}: ${(await response.text()).slice(0, 300)}`);
    url = new URL(next, url);
  }
  throw new Error('too many redirects');
}

async function redeem(endpoint, code, verifier) {
  const response = await request(endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: options.client,
      redirect_uri: REDIRECT,
      code,
      code_verifier: verifier,
      resource: options.resource,
    }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.error}: ${answer.error_description}`);
  return answer;
}

try {
  const answer = await signIn();
  console.log(options.json ? JSON.stringify(answer) : answer.access_token);
} catch (error) {
  console.error(`login: ${error.message}`);
  process.exitCode = 1;
}
