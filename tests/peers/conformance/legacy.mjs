// A reference server for the protocols up to 2025-11-25, on the official TypeScript SDK 1.x: sessions, event streams
// that can be resumed, server-to-client requests. What it offers is what the conformance suite asks for.
//
//   node legacy.mjs [--port 0]
import { randomUUID } from 'node:crypto';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';
import { FIXED_TOOLS, PROMPTS, SCHEMA_TOOL, STRING, TEMPLATE, failure, inSteps, object, pause, read, resources, text } from './content.mjs';
import { answer, listen, refusal } from './http.mjs';

const LEGACY_RESOURCE_NOT_FOUND = -32002;

const elicit = (extra, message, requestedSchema) =>
  extra.sendRequest({ method: 'elicitation/create', params: { message, requestedSchema } }, types.ElicitResultSchema);
const elicited = ({ action, content }) => `action=${action}, content=${JSON.stringify(content ?? {})}`;

const DEFAULTS = {
  type: 'object',
  properties: {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  },
};
const titled = (choices) => choices.map(([value, title]) => ({ const: value, title }));
const ENUMS = {
  type: 'object',
  properties: {
    untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
    titledSingle: { type: 'string', oneOf: titled([['value1', 'First Option'], ['value2', 'Second Option'], ['value3', 'Third Option']]) },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
    titledMulti: { type: 'array', items: { anyOf: titled([['value1', 'First Choice'], ['value2', 'Second Choice'], ['value3', 'Third Choice']]) } },
  },
};

/** Tools that do more than answer: a schema of their arguments, and `run(arguments, extra)`. */
const TOOLS = {
  test_tool_with_logging: {
    inputSchema: object(),
    run: async (_, extra) => {
      const steps = ['Tool execution started', 'Tool processing data', 'Tool execution completed'];
      for (const [index, data] of steps.entries()) {
        if (index > 0) await pause(50);
        await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data } });
      }
      return text('Tool with logging executed');
    },
  },
  test_tool_with_progress: {
    inputSchema: object(),
    run: async (_, extra) => {
      const progressToken = extra._meta?.progressToken;
      await inSteps(async (progress, total) => {
        if (progressToken === undefined) return;
        await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total } });
      });
      return text('Tool with progress executed');
    },
  },
  test_sampling: {
    inputSchema: object({ prompt: STRING }),
    run: async ({ prompt }, extra) => {
      const params = { messages: [{ role: 'user', content: { type: 'text', text: prompt } }], maxTokens: 100 };
      const result = await extra.sendRequest({ method: 'sampling/createMessage', params }, types.CreateMessageResultSchema);
      return text(`LLM response: ${result.content.text ?? ''}`);
    },
  },
  test_elicitation: {
    inputSchema: object({ message: STRING }),
    run: async ({ message }, extra) => {
      const schema = object({ username: { ...STRING, description: "User's response" }, email: { ...STRING, description: "User's email address" } });
      return text(`User response: ${elicited(await elicit(extra, message, schema))}`);
    },
  },
  test_elicitation_sep1034_defaults: {
    inputSchema: object(),
    run: async (_, extra) => text(`Elicitation completed: ${elicited(await elicit(extra, 'Please check these values', DEFAULTS))}`),
  },
  test_elicitation_sep1330_enums: {
    inputSchema: object(),
    run: async (_, extra) => text(`Elicitation completed: ${elicited(await elicit(extra, 'Please choose', ENUMS))}`),
  },
  test_reconnection: {
    inputSchema: object(),
    run: async (_, extra) => {
      // The client has to come back for the answer.
      await pause(50);
      extra.closeSSEStream?.();
      await pause(100);
      return text('Reconnection test completed successfully');
    },
  },
};

const listedTools = [
  ...Object.keys(FIXED_TOOLS).map((name) => ({ name, description: `Fixed answer: ${name}`, inputSchema: object() })),
  ...Object.entries(TOOLS).map(([name, { inputSchema }]) => ({ name, description: `Does what ${name} says`, inputSchema })),
  SCHEMA_TOOL,
];

async function callTool({ params }, extra) {
  if (Object.hasOwn(FIXED_TOOLS, params.name)) return FIXED_TOOLS[params.name];
  if (params.name === SCHEMA_TOOL.name) return text('Accepted');
  if (!Object.hasOwn(TOOLS, params.name)) throw new types.McpError(types.ErrorCode.InvalidParams, `Unknown tool: ${params.name}`);
  try {
    return await TOOLS[params.name].run(params.arguments ?? {}, extra);
  } catch (error) {
    return failure(String(error));
  }
}

function build() {
  const server = new Server(
    { name: 'gatehold-reference-legacy', version: '1.0.0' },
    { capabilities: { tools: { listChanged: true }, resources: { subscribe: true, listChanged: true }, prompts: { listChanged: true }, completions: {}, logging: {} } },
  );
  server.setRequestHandler(types.ListToolsRequestSchema, () => ({ tools: listedTools }));
  server.setRequestHandler(types.CallToolRequestSchema, callTool);
  server.setRequestHandler(types.ListResourcesRequestSchema, () => ({ resources }));
  server.setRequestHandler(types.ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [TEMPLATE] }));
  server.setRequestHandler(types.ReadResourceRequestSchema, ({ params: { uri } }) => {
    const found = read(uri);
    if (!found) throw new types.McpError(LEGACY_RESOURCE_NOT_FOUND, 'Resource not found', { uri });
    return found;
  });
  server.setRequestHandler(types.SubscribeRequestSchema, () => ({}));
  server.setRequestHandler(types.UnsubscribeRequestSchema, () => ({}));
  server.setRequestHandler(types.ListPromptsRequestSchema, () => ({
    prompts: Object.entries(PROMPTS).map(([name, prompt]) => ({
      name,
      description: `The prompt ${name}`,
      arguments: prompt.arguments.map((argument) => ({ name: argument, description: `The argument ${argument}`, required: true })),
    })),
  }));
  server.setRequestHandler(types.GetPromptRequestSchema, ({ params }) => {
    if (!Object.hasOwn(PROMPTS, params.name)) throw new types.McpError(types.ErrorCode.InvalidParams, `Unknown prompt: ${params.name}`);
    return PROMPTS[params.name].get(params.arguments ?? {});
  });
  server.setRequestHandler(types.CompleteRequestSchema, ({ params: { argument } }) => {
    const values = ['testValue1', 'testValue2', 'paris', 'park'].filter((value) => value.startsWith(argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  });
  return server;
}

/** Keeps the events of every stream in order, so that a client can take one up again. */
class Events {
  #events = [];

  async storeEvent(stream, message) {
    const id = `${stream}_${this.#events.length}`;
    this.#events.push({ id, stream, message });
    return id;
  }

  async getStreamIdForEventId(id) {
    return this.#events.find((event) => event.id === id)?.stream;
  }

  async replayEventsAfter(id, { send }) {
    const last = this.#events.findIndex((event) => event.id === id);
    const { stream } = this.#events[last] ?? {};
    for (const event of this.#events.slice(last + 1)) {
      // The event that opens a stream carries nothing to replay.
      if (event.stream === stream && 'jsonrpc' in event.message) await send(event.id, event.message);
    }
    return stream;
  }
}

const sessions = new Map();

async function open() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: new Events(),
    retryInterval: 500,
    onsessioninitialized: (id) => sessions.set(id, transport),
    onsessionclosed: (id) => sessions.delete(id),
  });
  await build().connect(transport);
  return transport;
}

listen(async (request, response, message) => {
  const id = request.headers['mcp-session-id'];
  if (id !== undefined && !sessions.has(id)) return answer(response, 404, refusal(null, -32001, 'Session not found'));
  const starts = id === undefined && types.isInitializeRequest(message);
  if (id === undefined && !starts) return answer(response, 400, refusal(message?.id ?? null, -32000, 'Session id required'));
  const transport = starts ? await open() : sessions.get(id);
  return transport.handleRequest(request, response, message);
});
