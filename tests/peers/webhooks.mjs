// Receives webhooks and verifies each with the reference implementation of Standard Webhooks.
//
//   node webhooks.mjs --secret whsec_… [--port 0] [--answers 500,500]
//
// When it listens it prints one line, {"ready":true,"port":…}; then one line for each message, {"verified":…,"id":…,
// "answered":…,"body":…}. It answers with the statuses of --answers in order, and then with 204.
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { Webhook } from 'standardwebhooks';

const { values: options } = parseArgs({
  options: {
    secret: { type: 'string' },
    port: { type: 'string', default: '0' },
    answers: { type: 'string', default: '' },
  },
});

const webhook = new Webhook(options.secret);
const answers = options.answers.split(',').filter(Boolean).map(Number);
const say = (line) => console.log(JSON.stringify(line));

const server = createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const text = Buffer.concat(pieces).toString('utf8');
    let verified = false;
    let body = null;
    try {
      body = webhook.verify(text, request.headers);
      verified = true;
    } catch (error) {
      body = String(error);
    }
    const answered = verified ? (answers.shift() ?? 204) : 401;
    say({ verified, id: request.headers['webhook-id'], answered, body });
    response.writeHead(answered).end();
  });
});

server.listen(Number(options.port), '127.0.0.1', () => say({ ready: true, port: server.address().port }));
