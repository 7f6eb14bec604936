import { expect, test } from 'vitest';
import type { SessionAnswer, SessionRequest } from '../workflows/contract.ts';
import { createBatches } from './batches.ts';

const request = (id: string, text = ''): SessionRequest => ({
  id,
  op: { op: 'events', events: [{ event: { type: 'user.message', content: [{ type: 'text', text }] } }] },
});

test('requests that come while an update is out travel together in the next', async () => {
  const sent: string[][] = [];
  const batches = createBatches(async (_session, requests) => {
    sent.push(requests.map(({ id }) => id));
    await new Promise((resolve) => setTimeout(resolve, 10));
    return requests.map(({ id }): SessionAnswer => ({ ok: true, events: [{ id, seq: 0, processed_at: null }] }));
  });
  const answers = await Promise.all(['a', 'b', 'c'].map((id) => batches.post('s', request(id))));
  expect(sent).toEqual([['a'], ['b', 'c']]);
  expect(answers.map((answer) => answer.ok && answer.events[0]?.id)).toEqual(['a', 'b', 'c']);
});

test('a batch stays under the size of an update, and a large request still goes, alone', async () => {
  const sizes: number[] = [];
  const batches = createBatches(async (_session, requests) => {
    sizes.push(requests.length);
    return requests.map((): SessionAnswer => ({ ok: true, events: [] }));
  });
  const big = 'x'.repeat(200_000);
  await Promise.all(['a', 'b', 'c'].map((id) => batches.post('s', request(id, big))));
  expect(sizes).toEqual([1, 1, 1]);
});

test('a failed update fails its own requests and not the ones after it', async () => {
  let calls = 0;
  const batches = createBatches(async (_session, requests) => {
    calls += 1;
    if (calls === 1) throw new Error('away');
    return requests.map((): SessionAnswer => ({ ok: true, events: [] }));
  });
  const results = await Promise.allSettled(['a', 'b'].map((id) => batches.post('s', request(id))));
  expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled']);
});
