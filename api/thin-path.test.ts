import { expect, test } from 'vitest';
import { useApi } from './testing.ts';

const api = useApi();

test('a program of the official SDK makes an agent, an environment and a session, sends, lists and streams', async () => {
  const client = api().client();
  const agent = await client.beta.agents.create({
    name: 'a',
    model: 'claude-opus-5-5',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  expect(agent).toMatchObject({ type: 'agent', version: 1, model: { effort: { type: 'high' }, speed: 'standard' } });
  const environment = await client.beta.environments.create({ name: 'e' });
  expect(environment.config).toMatchObject({ type: 'cloud', networking: { type: 'unrestricted' } });
  const session = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  expect(session).toMatchObject({
    type: 'session',
    status: 'idle',
    agent: { id: agent.id, version: 1 },
    vault_ids: [],
  });

  const stream = await client.beta.sessions.events.stream(session.id);
  const sent = await client.beta.sessions.events.send(session.id, {
    events: [{ type: 'user.message', content: [{ type: 'text', text: 'hello' }] }],
  });
  expect(sent.data?.[0]).toMatchObject({ type: 'user.message', processed_at: null });
  const list = await client.beta.sessions.events.list(session.id);
  expect(list.data.map((event) => event.id)).toEqual(sent.data?.map((event) => event.id));
  const seq = await api().sessions.append(session.id, { type: 'session.status_running' });
  await api().sessions.process(session.id, seq - 1);
  const seen: { type: string; processed_at?: string | null }[] = [];
  for await (const event of stream) {
    seen.push(event as never);
    if (seen.length === 3) break;
  }
  expect(seen.map((event) => event.type)).toEqual(['user.message', 'session.status_running', 'user.message']);
  expect(seen[0]?.processed_at).toBeNull();
  expect(seen[2]?.processed_at).toEqual(expect.any(String));
});
