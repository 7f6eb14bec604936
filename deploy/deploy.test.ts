/** What people deploy says the same as the code. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { CLOSED_HTTP_API, LATENCY_SETTINGS } from '../workers/temporal-tuning.ts';

test('the dynamic configuration for servers is what the dev server is started with', async () => {
  const text = await readFile(new URL('./temporal/dynamic-config.yaml', import.meta.url), 'utf8');
  const values = Object.entries(parse(text) as Record<string, { value: unknown }[]>).map(([key, [one]]) => [
    key,
    one?.value,
  ]);
  expect(Object.fromEntries(values)).toEqual({ ...LATENCY_SETTINGS, ...CLOSED_HTTP_API });
});
