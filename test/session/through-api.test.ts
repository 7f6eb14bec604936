/** The whole without hands: the official SDK against the api, the workflow and the brain. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
let api: TestApi;
beforeAll(async () => {
  stack = await startStack({
    script: { rehearsal: 'Through the api', fallback: { text: 'Hello from the rehearsal.' } },
  });
  api = await startTestApi(stack);
}, 300_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
}, 60_000);

async function newSession() {
  const agent = await api.client.beta.agents.create({ name: 'helper', model: 'claude-opus-4-8' });
  const environment = await api.client.beta.environments.create({ name: 'default' });
  return api.client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
}

test('a program that opens the stream, sends, and waits for idle gets its answer, previews included', async () => {
  const session = await newSession();
  const stream = await api.client.beta.sessions.events.stream(session.id, { event_deltas: ['agent.message'] });
  await api.client.beta.sessions.events.send(session.id, {
    events: [{ type: 'user.message', content: [{ type: 'text', text: 'hello' }] }],
  });
  const types: string[] = [];
  let preview = '';
  for await (const event of stream) {
    types.push(event.type);
    if (event.type === 'event_delta' && event.delta.content.type === 'text') preview += event.delta.content.text;
    if (event.type === 'session.status_idle') break;
  }
  expect('Hello from the rehearsal.'.startsWith(preview)).toBe(true);
  expect(types.filter((type) => !type.startsWith('event_'))).toEqual([
    'user.message',
    'session.status_running',
    'session.thread_status_running',
    'user.message',
    'span.model_request_start',
    'agent.message',
    'span.model_request_end',
    'session.thread_status_idle',
    'session.usage',
    'session.status_idle',
  ]);
  expect(types.indexOf('event_start')).toBeGreaterThan(0);
  const listed = [];
  for await (const event of api.client.beta.sessions.events.list(session.id)) listed.push(event.type);
  expect(listed.filter((type) => type === 'user.message')).toHaveLength(1);
  const after = await api.client.beta.sessions.retrieve(session.id);
  expect(after.status).toBe('idle');
  expect(after.usage.output_tokens).toBeGreaterThan(0);
});
