/** What the tests of this room share: a client on a rehearsal that ends with the test. */
import Anthropic from '@anthropic-ai/sdk';
import type { Message, MessageParam, ToolResultBlockParam } from '@anthropic-ai/sdk/resources/messages';
import { afterEach } from 'vitest';
import { type Rehearsal, type RehearsalOptions, startRehearsal } from './rehearsal.ts';

let open: Rehearsal[] = [];
afterEach(async () => {
  await Promise.all(open.map((it) => it.close()));
  open = [];
});

export async function play(script: RehearsalOptions['script'], options: RehearsalOptions = {}) {
  const rehearsal = await startRehearsal({ script, firstTokenMs: 0, ...options });
  open.push(rehearsal);
  const client = new Anthropic({ baseURL: rehearsal.url, apiKey: 'any', maxRetries: 0 });
  return { rehearsal, client };
}

export const base = { model: 'claude-opus-5-5', max_tokens: 4_096 };
export const user = (content: MessageParam['content']): MessageParam => ({ role: 'user', content });

/** Answers every call of a reply with what `run` gives, as a client would. */
export function answer(
  reply: Message,
  run: (name: string, input: unknown, i: number) => string | ToolResultBlockParam,
): MessageParam[] {
  const uses = reply.content.filter((block) => block.type === 'tool_use');
  const results = uses.map((use, i) => {
    const result = run(use.name, use.input, i);
    if (typeof result !== 'string') return { ...result, tool_use_id: use.id };
    return { type: 'tool_result' as const, tool_use_id: use.id, content: result };
  });
  return [{ role: 'assistant', content: reply.content }, user(results)];
}

export const words = (reply: Message) =>
  reply.content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n');
