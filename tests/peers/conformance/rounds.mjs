// Tools and a prompt of protocol 2026-07-28 that need input from the client: each answers with what it asks for, and is
// called again with the answers.
import { acceptedContent, createRequestStateCodec, inputRequired, inputResponse } from '@modelcontextprotocol/server';
import { randomBytes } from 'node:crypto';
import { STRING, object, text } from './content.mjs';

/** Seals what a tool wants to remember between two rounds. */
export const sealed = createRequestStateCodec({ key: randomBytes(32) });

const ask = (message, property, schema = STRING) => inputRequired.elicit({ message, requestedSchema: object({ [property]: schema }) });
const sample = (words) => inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text: words } }], maxTokens: 100 });
const capabilities = (ctx) => ctx.mcpReq.envelope?.['io.modelcontextprotocol/clientCapabilities'] ?? {};

/** The accepted answer's `property`, if it is a string. */
export function accepted(ctx, key, property) {
  const value = acceptedContent(ctx.mcpReq.inputResponses, key)?.[property];
  return typeof value === 'string' ? value : undefined;
}

/** One question whose answer is a string. */
export const question = (key, message, property) => inputRequired({ inputRequests: { [key]: ask(message, property) } });

async function confirmed(ctx, done) {
  const state = ctx.mcpReq.requestState();
  if (state?.asked && acceptedContent(ctx.mcpReq.inputResponses, 'confirm')) return text(done);
  return inputRequired({ inputRequests: { confirm: ask('Please confirm', 'ok', { type: 'boolean' }) }, requestState: await sealed.mint({ asked: true }) });
}

async function threeRounds(ctx) {
  const state = ctx.mcpReq.requestState() ?? { step: 0 };
  const name = state.name ?? accepted(ctx, 'step1', 'name');
  if (state.step === 2 && accepted(ctx, 'step2', 'color')) return text(`${state.name} likes ${accepted(ctx, 'step2', 'color')}`);
  if (state.step >= 1 && name) {
    return inputRequired({ inputRequests: { step2: ask('Step 2: What is your favorite color?', 'color') }, requestState: await sealed.mint({ step: 2, name }) });
  }
  return inputRequired({ inputRequests: { step1: ask('Step 1: What is your name?', 'name') }, requestState: await sealed.mint({ step: 1 }) });
}

async function threeAtOnce(ctx) {
  const answers = ctx.mcpReq.inputResponses;
  const [greeting, roots] = [inputResponse(answers, 'greeting'), inputResponse(answers, 'client_roots')];
  const name = accepted(ctx, 'user_name', 'name');
  if (ctx.mcpReq.requestState() && name && greeting.kind === 'sampling' && roots.kind === 'roots') return text(`${name}: ${roots.roots.length} roots`);
  return inputRequired({
    inputRequests: { user_name: ask('What is your name?', 'name'), greeting: sample('Generate a greeting'), client_roots: inputRequired.listRoots() },
    requestState: await sealed.mint({ asked: true }),
  });
}

/** Asks only what the client says that it can answer. */
function whatItCan(ctx) {
  if (ctx.mcpReq.inputResponses) return text('Answered');
  const { sampling, elicitation } = capabilities(ctx);
  const inputRequests = { ...(sampling && { sampled: sample('Say hello') }), ...(elicitation && { asked: ask('What is your name?', 'name') }) };
  return Object.keys(inputRequests).length > 0 ? inputRequired({ inputRequests }) : text('Nothing can be asked');
}

/** By name: `run(context)`. None of them takes arguments. */
export const ROUND_TOOLS = {
  test_input_required_result_elicitation: (ctx) => {
    const name = accepted(ctx, 'user_name', 'name');
    return name ? text(`Hello, ${name}!`) : question('user_name', 'What is your name?', 'name');
  },
  test_input_required_result_sampling: (ctx) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, 'capital_question');
    if (answer.kind === 'sampling') return text(answer.result.content.text ?? '');
    return inputRequired({ inputRequests: { capital_question: sample('What is the capital of France?') } });
  },
  test_input_required_result_list_roots: (ctx) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, 'client_roots');
    if (answer.kind === 'roots') return text(`Roots: ${answer.roots.map(({ uri }) => uri).join(', ')}`);
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  },
  test_input_required_result_request_state: (ctx) => confirmed(ctx, 'state-ok'),
  test_input_required_result_tampered_state: (ctx) => confirmed(ctx, 'The state is as it was'),
  test_input_required_result_multiple_inputs: threeAtOnce,
  test_input_required_result_multi_round: threeRounds,
  test_input_required_result_capabilities: whatItCan,
  test_streaming_elicitation: (ctx) => {
    const name = accepted(ctx, 'user_name', 'name');
    return name ? text(`Hello, ${name}!`) : question('user_name', 'What is your name?', 'name');
  },
};

export function roundPrompt(ctx) {
  const context = accepted(ctx, 'user_context', 'context');
  if (!context) return question('user_context', 'What context should the prompt use?', 'context');
  return { messages: [{ role: 'user', content: { type: 'text', text: `Use this context: ${context}` } }] };
}
