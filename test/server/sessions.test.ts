/**
 * Sessions against the layout of docker-compose.temporal.yml: what the end-to-end tests show of the dev server holds there.
 * `npm run test:server` runs all of those tests there; these two files of them run with every change.
 */
import { afterAll, beforeAll, describe } from 'vitest';

const before = process.env.LONGHAND_TEST_TEMPORAL;
beforeAll(() => {
  process.env.LONGHAND_TEST_TEMPORAL = 'server';
});
afterAll(() => {
  if (before === undefined) delete process.env.LONGHAND_TEST_TEMPORAL;
  else process.env.LONGHAND_TEST_TEMPORAL = before;
});

describe('through the api', async () => {
  await import('../session/through-api.test.ts');
});
describe('side by side', async () => {
  await import('../processes/side-by-side.test.ts');
});
