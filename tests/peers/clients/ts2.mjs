// A stock client on the TypeScript SDK 2.x (`@modelcontextprotocol/client`), which speaks both eras.
// --era legacy forces `initialize`, modern pins 2026-07-28, auto negotiates. See steps.mjs for the rest.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { commandLine, operations, run } from './steps.mjs';

const { url, headers, era } = commandLine();
const mode = era === 'modern' ? { pin: '2026-07-28' } : era;
const client = new Client({ name: 'gatehold-ts2', version: '1.0.0' }, { capabilities: {}, versionNegotiation: { mode } });
const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } });

await run({
  ...operations(client, { callTool: (params, options) => client.callTool(params, options) }),
  connect: async () => {
    await client.connect(transport);
    return {
      era: client.getProtocolEra(),
      version: client.getNegotiatedProtocolVersion(),
      server: client.getServerVersion() ?? null,
      capabilities: client.getServerCapabilities(),
      instructions: client.getInstructions() ?? null,
    };
  },
  discover: () => client.discover(),
  // Opens a subscription stream (2026-07-28) and says what the server agreed to.
  listen: async (step) => {
    const subscription = await client.listen(step.filter);
    await subscription.close();
    return { honored: subscription.honoredFilter ?? null };
  },
  close: async () => {
    if (client.getProtocolEra() === 'legacy') await transport.terminateSession();
    await client.close();
  },
});
