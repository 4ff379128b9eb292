// The Tasks extension of protocol 2026-07-28 (`io.modelcontextprotocol/tasks`), kept in memory: tools that answer with a
// task instead of a result, and the methods with which a client follows it.
import { MissingRequiredClientCapabilityError, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { STRING, failure, object, text } from './content.mjs';
import { accepted, question } from './rounds.mjs';

export const EXTENSION = 'io.modelcontextprotocol/tasks';
const TTL = 60_000;
const POLL = 100;
const ENDED = new Set(['completed', 'failed', 'cancelled']);

const tasks = new Map();
const stamp = () => new Date().toISOString();
const declared = (ctx) => ctx.mcpReq.envelope?.['io.modelcontextprotocol/clientCapabilities']?.extensions?.[EXTENSION] !== undefined;
const missing = () => new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: { [EXTENSION]: {} } } });

function envelope({ taskId, status, createdAt, lastUpdatedAt }) {
  return { taskId, status, createdAt, lastUpdatedAt, ttlMs: TTL, pollIntervalMs: POLL };
}

function settle(task, change) {
  if (ENDED.has(task.status)) return;
  Object.assign(task, change, { lastUpdatedAt: stamp() });
}

/** Starts a task; `work(task)` gives its result, throws for a protocol error, or asks with `task.ask`. */
function start(work) {
  const now = stamp();
  const task = { taskId: randomUUID(), status: 'working', createdAt: now, lastUpdatedAt: now, pending: {}, given: {} };
  tasks.set(task.taskId, task);
  setTimeout(() => tasks.delete(task.taskId), TTL).unref();
  task.sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000).unref());
  task.ask = (requests) =>
    new Promise((resolve) => {
      settle(task, { status: 'input_required', pending: { ...requests } });
      task.answered = () => {
        settle(task, { status: 'working' });
        resolve(task.given);
      };
    });
  const done = (result) => settle(task, { status: 'completed', result: { resultType: 'complete', ...result } });
  work(task).then(done, (error) => settle(task, { status: 'failed', error: { code: -32603, message: String(error.message) } }));
  return { resultType: 'task', ...envelope(task) };
}

const elicit = (message, property, schema) => ({ method: 'elicitation/create', params: { mode: 'form', message, requestedSchema: object({ [property]: schema }) } });

async function compute(task, { seconds, label }) {
  await task.sleep(seconds);
  return text(`Computed ${label ?? 'a value'} in ${seconds} s`);
}

/** By name: schema of the arguments, `run(task, arguments)`, and whether it can only be a task. */
const TASK_TOOLS = {
  slow_compute: { inputSchema: { type: 'object', properties: { seconds: { type: 'number' }, label: STRING }, required: ['seconds'] }, run: compute },
  failing_job: {
    inputSchema: object(),
    required: true,
    run: async (task) => {
      await task.sleep(1);
      return failure('The job has failed');
    },
  },
  protocol_error_job: {
    inputSchema: object(),
    run: async () => {
      throw new Error('The job broke');
    },
  },
  confirm_delete: {
    inputSchema: object({ filename: STRING }),
    run: async (task, { filename }) => {
      const given = await task.ask({ [randomUUID()]: elicit(`Delete ${filename}?`, 'confirm', { type: 'boolean' }) });
      const yes = Object.values(given).some((answer) => answer?.content?.confirm === true);
      return text(yes ? `Deleted ${filename}` : `Kept ${filename}`);
    },
  },
  multi_input: {
    inputSchema: object(),
    run: async (task) => {
      const given = await task.ask({ [randomUUID()]: elicit('Your name?', 'name', STRING), [randomUUID()]: elicit('Your color?', 'color', STRING) });
      return text(`Got ${Object.keys(given).length} answers`);
    },
  },
};

async function callTask(tool, args, ctx) {
  if (declared(ctx)) return start((task) => tool.run(task, args));
  if (tool.required) throw missing();
  // A client that does not know tasks waits for the result.
  return tool.run({ sleep: (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000)), ask: async () => ({}) }, args);
}

/** `tools/call` of the tools that become tasks: `{ name: { inputSchema, call(arguments, context) } }`. */
export const TASK_CALLS = Object.fromEntries(
  Object.entries(TASK_TOOLS).map(([name, tool]) => [name, { inputSchema: tool.inputSchema, call: (args, ctx) => callTask(tool, args, ctx) }]),
);
TASK_CALLS.test_tool_with_task = {
  inputSchema: object(),
  call: (_, ctx) => {
    if (!declared(ctx)) throw missing();
    const name = accepted(ctx, 'user_name', 'name');
    return name ? start(async () => text(`Hello, ${name}!`)) : question('user_name', 'What is your name?', 'name');
  },
};

function found(taskId, ctx) {
  if (!declared(ctx)) throw missing();
  const task = tasks.get(taskId);
  if (!task) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown task: ${taskId}`);
  return task;
}

const METHODS = {
  'tasks/get': (task) => ({
    ...envelope(task),
    ...(task.status === 'input_required' && { inputRequests: task.pending }),
    ...(task.result && { result: task.result }),
    ...(task.error && { error: task.error }),
  }),
  'tasks/cancel': (task) => {
    settle(task, { status: 'cancelled' });
    return {};
  },
  'tasks/update': (task, { inputResponses }) => {
    for (const [key, value] of Object.entries(inputResponses ?? {})) {
      if (!Object.hasOwn(task.pending, key)) continue;
      task.given[key] = value;
      delete task.pending[key];
    }
    if (Object.keys(task.pending).length === 0) task.answered?.();
    return {};
  },
};

/** Serves the methods of the extension on a low-level server. */
export function addTaskMethods(server) {
  const params = z.looseObject({ taskId: z.string() });
  for (const [method, run] of Object.entries(METHODS)) {
    server.setRequestHandler(method, { params }, async (given, ctx) => run(found(given.taskId, ctx), { ...given, inputResponses: given.inputResponses ?? ctx.mcpReq.inputResponses }));
  }
}
