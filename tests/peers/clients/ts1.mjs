// A stock client on the TypeScript SDK 1.x (`@modelcontextprotocol/sdk`), which speaks the earlier protocols only.
// See steps.mjs for what it reads and prints.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { commandLine, operations, run } from './steps.mjs';

const { url, headers, era } = commandLine();
if (era === 'modern') {
  console.error('client: the TypeScript SDK 1.x has no modern era');
  process.exit(2);
}
const client = new Client({ name: 'gatehold-ts1', version: '1.0.0' }, { capabilities: {} });
const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } });

await run({
  ...operations(client, { callTool: (params, options) => client.callTool(params, undefined, options) }),
  connect: async () => {
    await client.connect(transport);
    return { era: 'legacy', version: transport.protocolVersion, server: client.getServerVersion(), capabilities: client.getServerCapabilities(), instructions: client.getInstructions() ?? null };
  },
  close: async () => {
    await transport.terminateSession();
    await client.close();
  },
});
