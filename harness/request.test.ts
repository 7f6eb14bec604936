import { expect, test } from 'vitest';
import type { SessionAgent } from '../events/wire.ts';
import type { Compact } from '../workflows/contract.ts';
import { emptyConversation, take } from './conversation.ts';
import type { ModelSpec } from './model-spec.ts';
import { buildRequest } from './request.ts';
import { toolPolicies } from './tool-policy.ts';

const MODEL: ModelSpec = {
  id: 'm',
  upstream: 'provider-m',
  window: 1_000,
  maxOutput: 100,
  efforts: ['high', 'low'],
  thinking: 'adaptive',
  fast: true,
  systemMessages: false,
};
const AGENT = {
  name: 'a',
  system: 'Be brief.',
  model: { id: 'm', effort: { type: 'low' }, speed: 'fast' },
  tools: [
    {
      type: 'agent_toolset_20260401',
      default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
      configs: [{ name: 'grep', type: 'grep', enabled: false, permission_policy: { type: 'always_allow' } }],
    },
    { type: 'custom', name: 'deploy', description: 'Deploys.', input_schema: { type: 'object' } },
  ],
} as unknown as SessionAgent;

function request(compact: Compact | undefined, texts: string[]) {
  const conversation = emptyConversation();
  texts.forEach((text, seq) => {
    const type = seq % 2 === 0 ? ('user.message' as const) : ('agent.message' as const);
    take(conversation, {
      thread: 't',
      seq,
      event: { id: `${seq}`, type, processed_at: 'x', content: [{ type: 'text', text }] },
    });
  });
  return buildRequest({
    agent: AGENT,
    policies: toolPolicies(AGENT),
    model: MODEL,
    conversation,
    ...(compact ? { compact } : {}),
  });
}

test('a request names the provider’s model, the effort, the speed and only the enabled tools', () => {
  const body = request(undefined, ['hello']);
  expect(body).toMatchObject({
    model: 'provider-m',
    max_tokens: 100,
    output_config: { effort: 'low' },
    speed: 'fast',
    thinking: { type: 'adaptive' },
  });
  expect(body.tools?.map((tool) => ('name' in tool ? tool.name : ''))).toEqual([
    'bash',
    'read',
    'write',
    'edit',
    'glob',
    'deploy',
  ]);
});

test('a request has four cache breakpoints: tools, system, and the last two user turns', () => {
  const body = request(undefined, ['a', 'b', 'c', 'd', 'e']);
  const marked = (value: unknown) => JSON.stringify(value).split('"cache_control"').length - 1;
  expect([marked(body.tools), marked(body.system), marked(body.messages)]).toEqual([1, 1, 2]);
  expect(marked(body.messages.slice(2))).toBe(2);
});

test('a request for a summary shortens long old texts until it fits the window', () => {
  const body = request({ halvings: 0 }, ['x'.repeat(50_000), 'ok', 'what now?']);
  expect(JSON.stringify(body.messages).length).toBeLessThan(6_000);
  expect(JSON.stringify(body.messages.at(-1))).toContain('summary');
  expect(body.tool_choice).toEqual({ type: 'none' });
});

test('a request for a summary that did not fit is made again at half the size', () => {
  const texts = Array.from({ length: 41 }, (_, i) => `${i} ${'x'.repeat(200)}`);
  const size = (halvings: number) => JSON.stringify(request({ halvings }, texts).messages).length;
  expect(size(1)).toBeLessThan(size(0) * 0.7);
});
