// A reference server for protocol 2026-07-28, on the official TypeScript SDK 2.x: stateless, with results that need input
// from the client, subscriptions, mirrored headers and tasks. What it offers is what the conformance suite asks for.
//
//   node modern.mjs [--port 0]
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  McpServer,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  ResourceTemplate,
  completable,
  createMcpHandler,
  fromJsonSchema,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { FIXED_TOOLS, PROMPTS, SCHEMA_TOOL, STRING, TEMPLATE, failure, inSteps, object, read, resources, text } from './content.mjs';
import { listen } from './http.mjs';
import { ROUND_TOOLS, roundPrompt, sealed } from './rounds.mjs';
import { EXTENSION, TASK_CALLS, addTaskMethods } from './tasks.mjs';

/** Lists change for as long as the server runs, so results may be kept only shortly. */
const CACHE = { ttlMs: 1000, cacheScope: 'private' };
const CACHED = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list', 'resources/read', 'server/discover'];

/** Tools with a schema of their arguments and `call(arguments, context)`. */
const TOOLS = {
  test_tool_with_progress: {
    call: async (_, ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      await inSteps(async (progress, total) => {
        if (progressToken !== undefined) await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total } });
      });
      return text('Tool with progress executed');
    },
  },
  test_logging_tool: {
    call: async (_, ctx) => {
      await ctx.mcpReq.log('info', 'Only for a client that asked for it');
      return text('Logged');
    },
  },
  test_missing_capability: {
    call: (_, ctx) => {
      const { sampling } = ctx.mcpReq.envelope?.['io.modelcontextprotocol/clientCapabilities'] ?? {};
      if (!sampling) throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
      return text('The client can sample');
    },
  },
  test_trigger_tool_change: {
    call: () => {
      handler.notify.toolsChanged();
      return text('Said that the tools have changed');
    },
  },
  test_trigger_prompt_change: {
    call: () => {
      handler.notify.promptsChanged();
      return text('Said that the prompts have changed');
    },
  },
  test_custom_header: {
    inputSchema: object({ region: { type: 'string', 'x-mcp-header': 'Region' } }),
    call: ({ region }) => text(`Region: ${region}`),
  },
  greet: { inputSchema: object({ name: STRING }), call: ({ name }) => text(`Hello, ${name}!`) },
  ...TASK_CALLS,
};
for (const [name, result] of Object.entries(FIXED_TOOLS)) TOOLS[name] = { call: () => result };
for (const [name, run] of Object.entries(ROUND_TOOLS)) TOOLS[name] = { call: (_, ctx) => run(ctx) };
TOOLS[SCHEMA_TOOL.name] = { inputSchema: SCHEMA_TOOL.inputSchema, call: () => text('Accepted') };

async function callTool({ params }, ctx) {
  if (!Object.hasOwn(TOOLS, params.name)) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${params.name}`);
  try {
    return await TOOLS[params.name].call(params.arguments ?? {}, ctx);
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    return failure(String(error));
  }
}

function addResources(server) {
  for (const { uri, name, ...about } of resources) {
    server.registerResource(name, uri, about, async () => read(uri));
  }
  const template = new ResourceTemplate(TEMPLATE.uriTemplate, { list: undefined });
  server.registerResource(TEMPLATE.name, template, { mimeType: TEMPLATE.mimeType }, async (uri) => {
    const found = read(uri.href);
    if (!found) throw new ResourceNotFoundError(uri.href);
    return found;
  });
}

function addPrompts(server) {
  const argument = () => completable(z.string(), (value) => ['testValue1', 'testValue2', 'paris', 'park'].filter((known) => known.startsWith(value)));
  for (const [name, prompt] of Object.entries(PROMPTS)) {
    const argsSchema = prompt.arguments.length > 0 ? z.object(Object.fromEntries(prompt.arguments.map((key) => [key, argument()]))) : undefined;
    server.registerPrompt(name, { description: `The prompt ${name}`, argsSchema }, async (args) => prompt.get(args));
  }
  server.registerPrompt('test_input_required_result_prompt', { description: 'Asks for a context' }, async (ctx) => roundPrompt(ctx));
}

function build() {
  const server = new McpServer(
    { name: 'gatehold-reference-modern', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true },
        completions: {},
        logging: {},
        extensions: { [EXTENSION]: {} },
      },
      cacheHints: Object.fromEntries(CACHED.map((method) => [method, CACHE])),
      requestState: { verify: sealed.verify },
    },
  );
  for (const [name, { inputSchema = object(), call }] of Object.entries(TOOLS)) {
    server.registerTool(name, { description: `Does what ${name} says`, inputSchema: fromJsonSchema(inputSchema) }, async (args, ctx) => call(args, ctx));
  }
  // The SDK makes a result of every error of a tool, but a missing capability is an error of the protocol.
  server.server.setRequestHandler('tools/call', callTool);
  addResources(server);
  addPrompts(server);
  addTaskMethods(server.server);
  return server;
}

const handler = createMcpHandler(build, { legacy: 'reject', keepAliveMs: 1000, onerror: (error) => console.error(error.message) });
const serve = toNodeHandler(handler);

listen((request, response, message) => serve(request, response, message));
