import { defineConfig } from 'vitest/config';

/** Real servers and sandboxes: few files at a time, and the long ones first so that they do not end last, alone. */
const SLOW_FIRST = [
  'test/session/hands',
  'test/server/',
  'sandbox/',
  'api/',
  'test/session/',
  'workers/',
  'rehearsal/',
];

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['node_modules/**', 'dist/**'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    // On a machine that others use too, a test may run out of time; `.ci/run` names what passed at the second try.
    retry: process.env.CI ? { count: 1, condition: /timed out|in time/i } : 0,
    sequence: {
      sequencer: class {
        async shard<T>(files: T[]): Promise<T[]> {
          return files;
        }
        async sort<T extends { moduleId: string }>(files: T[]): Promise<T[]> {
          const rank = ({ moduleId }: T) => {
            const at = SLOW_FIRST.findIndex((part) => moduleId.includes(`/${part}`));
            return at === -1 ? SLOW_FIRST.length : at;
          };
          return [...files].sort((a, b) => rank(a) - rank(b));
        }
      },
    },
  },
});
