/** Stores entries that no model request carries, and at the end of a run seals them. */
import { ApplicationFailure } from '@temporalio/common';
import type { Bus } from '../events/bus.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { LogConflict, type LogStore } from '../store/log.ts';
import type { Segments } from '../store/segments.ts';
import type { PublishInput } from '../workflows/contract.ts';
import { beating, FIRST_BEAT_MS } from './beat.ts';
import type { Rounds } from './rounds.ts';

export interface PublishDeps {
  log: LogStore;
  blobs: Blobs;
  bus: Bus;
  segments: Segments;
  rounds: Rounds;
}

export function createPublish(deps: PublishDeps): (input: PublishInput) => Promise<void> {
  return async function publish(input) {
    return await beating(() => store(input), undefined, FIRST_BEAT_MS);
  };

  async function store({ carry, abort, seal, withRound }: PublishInput): Promise<void> {
    try {
      if (carry.entries.length > 0) await deps.log.append(carry);
    } catch (error) {
      if (error instanceof LogConflict) throw ApplicationFailure.nonRetryable(error.message, 'LogConflict');
      throw error;
    }
    if (abort !== undefined) {
      await deps.bus.publish({ kind: 'abort', session: carry.session, thread: carry.thread, request: abort });
    }
    if (seal) await deps.segments.seal(carry, seal.from, seal.to);
    if (withRound) await deps.rounds.end(carry.thread);
  }
}
