// The HTTP around the reference servers: reading bodies, protection against DNS rebinding, listening.
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { localhostAllowedHostnames, localhostAllowedOrigins, validateHostHeader, validateOriginHeader } from '@modelcontextprotocol/server';

/** Most bytes of a request body that are read. */
const MAX_BODY = 4 * 1024 * 1024;

export function answer(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

export const refusal = (id, code, message) => ({ jsonrpc: '2.0', id, error: { code, message } });

/** The body as JSON, or undefined after the request has been answered because it is none. */
async function json(request, response) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY) {
      answer(response, 413, refusal(null, -32600, 'Body too large'));
      return undefined;
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    answer(response, 400, refusal(null, -32700, 'Parse error'));
    return undefined;
  }
}

function isLocal(request) {
  // By host name only: behind a gateway, the port in `Host` is the gateway's.
  return (
    validateHostHeader(request.headers.host, localhostAllowedHostnames()).ok && validateOriginHeader(request.headers.origin, localhostAllowedOrigins()).ok
  );
}

/**
 * Serves `/mcp` at the port of `--port` (0: any) of 127.0.0.1 with `serve(request, response, message)`; `message` is
 * the parsed body of a POST. Says that it listens with one line, {"ready":true,"port":…,"url":"…"}.
 */
export function listen(serve) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
  const http = createServer((request, response) => {
    const served = async () => {
      if (request.url.split('?')[0] !== '/mcp') return answer(response, 404, { error: 'not found' });
      if (!isLocal(request)) return answer(response, 403, refusal(null, -32600, 'Host or Origin is not of this machine'));
      if (request.method !== 'POST') return serve(request, response, undefined);
      const message = await json(request, response);
      return message === undefined ? undefined : serve(request, response, message);
    };
    served().catch((error) => {
      console.error(error);
      if (!response.headersSent) answer(response, 500, refusal(null, -32603, 'Internal error'));
      else response.destroy();
    });
  });
  // A client may hold a stream for as long as it likes.
  http.requestTimeout = 0;
  http.listen(Number(values.port), '127.0.0.1', () => {
    const { port } = http.address();
    console.log(JSON.stringify({ ready: true, port, url: `http://127.0.0.1:${port}/mcp` }));
  });
  process.once('SIGTERM', () => process.exit(0));
}
