// A small customer-relations MCP server on the official TypeScript server SDK 2.x. It serves protocol 2026-07-28
// (stateless) and, unless told otherwise, the earlier ones too, at `/mcp`.
//
//   node crm.mjs [--port 0] [--journal FILE] [--legacy stateless|reject] [--response auto|sse|json]
//
// When it listens it prints one line, {"ready":true,"port":…,"url":"…"}. Every HTTP request that reaches `/mcp` is
// written to the journal before it is served, so that a test can assert what never arrived: one JSON object a line
// in FILE, and as an array at GET /journal (DELETE /journal empties it).
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer, ResourceNotFoundError, ResourceTemplate, completable, createMcpHandler } from '@modelcontextprotocol/server';
import * as z from 'zod';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    journal: { type: 'string' },
    legacy: { type: 'string', default: 'stateless' },
    response: { type: 'string', default: 'auto' },
  },
});

/** Most bytes of a request body that are read: the gateway in front has its own, lower limit. */
const MAX_BODY = 16 * 1024 * 1024;

const CUSTOMERS = new Map(
  [
    { id: 'c1', name: 'Ada Park', city: 'Lisbon', tier: 'gold' },
    { id: 'c2', name: 'Ben Osei', city: 'Accra', tier: 'silver' },
    { id: 'c3', name: 'Chiara Neri', city: 'Lisbon', tier: 'bronze' },
  ].map((customer) => [customer.id, customer]),
);
const HANDBOOKS = { refunds: 'Refunds above 100.00 need a team lead.', tone: 'Be brief, be kind, say what happens next.' };
const TONES = ['formal', 'friendly', 'plain'];

const text = (value) => ({ content: [{ type: 'text', text: value }] });
const failure = (value) => ({ ...text(value), isError: true });
const structured = (value) => ({ ...text(JSON.stringify(value)), structuredContent: value });
const customerSchema = z.object({ id: z.string(), name: z.string(), city: z.string(), tier: z.string() });

function addTools(server) {
  server.registerTool(
    'echo',
    { description: 'Answers with the text it was given', inputSchema: z.object({ text: z.string() }), annotations: { readOnlyHint: true } },
    async (args) => text(args.text),
  );
  server.registerTool(
    'add',
    {
      description: 'Adds two numbers',
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      outputSchema: z.object({ sum: z.number() }),
      annotations: { readOnlyHint: true },
    },
    async ({ a, b }) => structured({ sum: a + b }),
  );
  server.registerTool(
    'get_customer',
    { description: 'Reads one customer', inputSchema: z.object({ id: z.string() }), outputSchema: customerSchema, annotations: { readOnlyHint: true } },
    async ({ id }) => (CUSTOMERS.has(id) ? structured(CUSTOMERS.get(id)) : failure(`no customer \`${id}\``)),
  );
  server.registerTool(
    'search_customers',
    {
      description: 'Finds customers by a part of their name or city',
      inputSchema: z.object({ query: z.string() }),
      outputSchema: z.object({ customers: z.array(customerSchema) }),
      annotations: { readOnlyHint: true },
    },
    async ({ query }) => {
      const wanted = query.toLowerCase();
      const customers = [...CUSTOMERS.values()].filter((c) => `${c.name} ${c.city}`.toLowerCase().includes(wanted));
      return structured({ customers });
    },
  );
  server.registerTool(
    'refund',
    {
      description: 'Pays an order back',
      inputSchema: z.object({ order: z.string(), amount: z.number() }),
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false },
    },
    async ({ order, amount }) => text(`refunded ${amount.toFixed(2)} for order ${order}`),
  );
  server.registerTool(
    'delete_customer',
    { description: 'Erases one customer', inputSchema: z.object({ id: z.string() }), annotations: { readOnlyHint: false, destructiveHint: true } },
    // Nothing is really erased, so that every run finds the same three customers.
    async ({ id }) => text(`deleted customer ${id}`),
  );
  server.registerTool(
    'slow',
    {
      description: 'Works in steps and reports progress after each',
      inputSchema: z.object({ steps: z.number().int().min(1).max(100), delayMs: z.number().int().min(0).max(10_000) }),
      annotations: { readOnlyHint: true },
    },
    async ({ steps, delayMs }, ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      for (let progress = 1; progress <= steps; progress += 1) {
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        if (ctx.mcpReq.signal?.aborted) return failure('cancelled');
        if (progressToken !== undefined) {
          await ctx.mcpReq.notify({
            method: 'notifications/progress',
            params: { progressToken, progress, total: steps, message: `step ${progress} of ${steps}` },
          });
        }
      }
      return text(`done in ${steps} steps`);
    },
  );
}

function addResources(server) {
  for (const [name, body] of Object.entries(HANDBOOKS)) {
    server.registerResource(`handbook-${name}`, `crm://handbook/${name}`, { mimeType: 'text/plain', description: `Handbook: ${name}` }, async (uri) => ({
      contents: [{ uri: uri.href, mimeType: 'text/plain', text: body }],
    }));
  }
  server.registerResource('salaries', 'crm://internal/salaries', { mimeType: 'text/plain', description: 'Internal: what the team earns' }, async (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'not for everybody' }],
  }));
  const template = new ResourceTemplate('crm://customers/{id}', {
    list: async () => ({ resources: [...CUSTOMERS.values()].map((c) => ({ uri: `crm://customers/${c.id}`, name: c.name, mimeType: 'application/json' })) }),
    complete: { id: (value) => [...CUSTOMERS.keys()].filter((id) => id.startsWith(value)) },
  });
  server.registerResource('customer', template, { mimeType: 'application/json', description: 'One customer as JSON' }, async (uri, { id }) => {
    const customer = CUSTOMERS.get(id);
    if (!customer) throw new ResourceNotFoundError(uri.href);
    return { contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify(customer) }] };
  });
}

function addPrompts(server) {
  const said = (value) => ({ messages: [{ role: 'user', content: { type: 'text', text: value } }] });
  server.registerPrompt(
    'reply_to_customer',
    {
      description: 'Drafts an answer to a customer',
      argsSchema: z.object({ customer: z.string(), tone: completable(z.string(), (value) => TONES.filter((tone) => tone.startsWith(value))) }),
    },
    async ({ customer, tone }) => said(`Write a ${tone} answer to ${customer}.`),
  );
  server.registerPrompt('internal_review', { description: 'Internal: reviews the work of a colleague' }, async () => said('Review the last ten answers.'));
}

function build() {
  const server = new McpServer({ name: 'gatehold-crm', version: '1.0.0' }, { instructions: 'Customers, orders and refunds.' });
  addTools(server);
  addResources(server);
  addPrompts(server);
  return server;
}

const journal = [];
/** Headers that say something about what the gateway let through; a token never goes into the journal. */
const KEPT_HEADERS = /^(mcp-.*|content-type|content-length|transfer-encoding|accept|origin|host|user-agent|last-event-id|x-request-id|x-forwarded-.*|traceparent)$/;

function record(request, body, message) {
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => KEPT_HEADERS.test(name)));
  const entry = {
    at: new Date().toISOString(),
    http: request.method,
    path: request.url,
    headers,
    authorization: request.headers.authorization !== undefined,
    method: message?.method ?? null,
    tool: message?.method === 'tools/call' ? (message.params?.name ?? null) : null,
    arguments: message?.params?.arguments ?? null,
    uri: message?.params?.uri ?? null,
    id: message?.id ?? null,
    body,
  };
  journal.push(entry);
  if (options.journal) appendFileSync(options.journal, `${JSON.stringify(entry)}\n`);
}

async function read(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY) throw new RangeError(`body of more than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function answer(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

const handler = createMcpHandler(build, { legacy: options.legacy, responseMode: options.response, keepAliveMs: 1000 });
const serve = toNodeHandler(handler);

async function onMcp(request, response) {
  if (request.method !== 'POST') {
    record(request, '', null);
    await serve(request, response);
    return;
  }
  const body = await read(request);
  let message;
  try {
    message = JSON.parse(body);
  } catch {
    record(request, body, null);
    answer(response, 400, { jsonrpc: '2.0', id: null, error: { code: -32700, message: 'Parse error' } });
    return;
  }
  record(request, body, message);
  await serve(request, response, message);
}

const http = createServer((request, response) => {
  const path = request.url.split('?')[0];
  const served = async () => {
    if (path === '/mcp') await onMcp(request, response);
    else if (path === '/journal' && request.method === 'GET') answer(response, 200, journal);
    else if (path === '/journal' && request.method === 'DELETE') answer(response, 200, { removed: journal.splice(0).length });
    else if (path === '/notify/tools' && request.method === 'POST') answer(response, 200, handler.notify.toolsChanged() ?? {});
    else answer(response, 404, { error: 'not found' });
  };
  served().catch((error) => {
    console.error(error);
    if (!response.headersSent) answer(response, 500, { error: String(error) });
    else response.destroy();
  });
});
// A client may hold a stream for as long as it likes.
http.requestTimeout = 0;
http.listen(Number(options.port), '127.0.0.1', () => {
  const { port } = http.address();
  console.log(JSON.stringify({ ready: true, port, url: `http://127.0.0.1:${port}/mcp` }));
});
process.once('SIGTERM', () => process.exit(0));
