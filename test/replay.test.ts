/** Sessions of people who upgrade in the middle of them: today's workflow code must replay what older code recorded. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { describe, expect, test } from 'vitest';
import { payloadConverterPath, workflowBundle } from '../workers/workflow-bundle.ts';

const FOLDER = fileURLToPath(new URL('./histories/', import.meta.url));
const ADVICE =
  'A change made a recorded session unreplayable: sessions that are open when people upgrade would stop. Guard the new ' +
  'behaviour with `patched()` in workflows/, or, if old sessions cannot exist, record anew: node test/histories/record.ts';

describe('a recorded session replays on today’s workflow code', () => {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  test('and there is one of every shape', () => {
    expect(names.length).toBeGreaterThanOrEqual(8);
  });
  test.each(names)(
    '%s',
    async (name) => {
      const history = historyFromJSON(JSON.parse(readFileSync(FOLDER + name, 'utf8')));
      const replay = Worker.runReplayHistory(
        { workflowBundle: await workflowBundle(), dataConverter: { payloadConverterPath } },
        history,
        'session/replayed',
      );
      await expect(replay, ADVICE).resolves.toBeUndefined();
    },
    60_000,
  );

  test('and the test sees a difference when there is one', async () => {
    const text = readFileSync(`${FOLDER}talk.json`, 'utf8').replaceAll('"name":"sample"', '"name":"somethingElse"');
    const replay = Worker.runReplayHistory(
      { workflowBundle: await workflowBundle(), dataConverter: { payloadConverterPath } },
      historyFromJSON(JSON.parse(text)),
      'session/replayed',
    );
    await expect(replay).rejects.toThrow();
  }, 60_000);
});
