// What the TypeScript clients have in common: JSON Lines in, JSON Lines out.
//
// Every line on stdin is one step, {"op":"callTool", …}; every step is answered by one line on stdout,
// {"op":…,"ok":true,"result":…} or {"op":…,"ok":false,"error":{"class":…,"code":…,"message":…,"data":…}}.
// A step that fails does not end the session: the next ones are still run. The end of stdin does.
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

/** The command line of every client: --url URL [--token WORD] [--era legacy|modern|auto]. */
export function commandLine() {
  const { values } = parseArgs({
    options: { url: { type: 'string' }, token: { type: 'string' }, era: { type: 'string', default: 'auto' } },
  });
  if (!values.url) {
    console.error('client: --url is missing');
    process.exit(2);
  }
  return { url: new URL(values.url), era: values.era, headers: values.token ? { authorization: `Bearer ${values.token}` } : {} };
}

/** Errors in the same words whichever SDK raised them. */
function described(error) {
  return { class: error?.constructor?.name ?? typeof error, code: error?.code ?? null, message: String(error?.message ?? error), data: error?.data ?? null };
}

/** The operations that the two SDK lines name alike; `connect` and `close` belong to the caller. */
export const operations = (client, extra = {}) => ({
  listTools: (step) => client.listTools(cursor(step)),
  callTool: async (step) => {
    const progress = [];
    const onprogress = step.progress ? (update) => progress.push(update) : undefined;
    const result = await extra.callTool({ name: step.name, arguments: step.arguments ?? {} }, { onprogress, timeout: step.timeoutMs });
    return step.progress ? { ...result, progress } : result;
  },
  listResources: (step) => client.listResources(cursor(step)),
  listResourceTemplates: (step) => client.listResourceTemplates(cursor(step)),
  readResource: (step) => client.readResource({ uri: step.uri }),
  subscribe: (step) => client.subscribeResource({ uri: step.uri }),
  unsubscribe: (step) => client.unsubscribeResource({ uri: step.uri }),
  listPrompts: (step) => client.listPrompts(cursor(step)),
  getPrompt: (step) => client.getPrompt({ name: step.name, arguments: step.arguments ?? {} }),
  complete: (step) => client.complete({ ref: step.ref, argument: step.argument }),
  setLevel: (step) => client.setLoggingLevel(step.level),
  ping: () => client.ping(),
  ...extra.operations,
});

const cursor = (step) => (step.cursor === undefined ? undefined : { cursor: step.cursor });

/** Runs the steps of stdin against `table`, in order, one at a time. */
export async function run(table) {
  for await (const line of createInterface({ input: process.stdin })) {
    if (!line.trim()) continue;
    const step = JSON.parse(line);
    let answer;
    try {
      const operation = table[step.op];
      if (!operation) throw new TypeError(`unknown op \`${step.op}\``);
      answer = { op: step.op, ok: true, result: (await operation(step)) ?? null };
    } catch (error) {
      answer = { op: step.op, ok: false, error: described(error) };
    }
    console.log(JSON.stringify(answer));
    if (step.op === 'close') break;
  }
  // The SDKs keep timers and streams alive; the answers are out.
  process.exit(0);
}
