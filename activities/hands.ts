/** What workflows ask of the hands. These run where sandboxes are: no model key, no database, only the blob store. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ResultBlock } from '../events/wire.ts';
import {
  CheckpointTooLargeError,
  type Hands,
  type InputFile,
  SandboxFullError,
  SandboxGoneError,
} from '../sandbox/hands.ts';
import { TargetRefusedError } from '../sandbox/targets.ts';
import { BlobCorruptError, BlobMissingError, type Blobs } from '../store/blobs/blobs.ts';
import { externalize, internalize } from '../store/blobs/parts.ts';
import { type ExecuteInput, type ExecuteResult, type HandsActivities, SANDBOX_GONE } from '../workflows/contract.ts';
import { beating } from './beat.ts';
import { collectOutputs } from './collect-outputs.ts';
import { readOutputs } from './outputs.ts';

/** A sandbox that has ended does not come back by asking again. */
function asTerminal(error: unknown): never {
  if (error instanceof SandboxGoneError) throw ApplicationFailure.nonRetryable(error.message, SANDBOX_GONE);
  const forGood = [SandboxFullError, CheckpointTooLargeError, BlobMissingError, BlobCorruptError].some(
    (kind) => error instanceof kind,
  );
  if (forGood && error instanceof Error) throw ApplicationFailure.nonRetryable(error.message, error.name);
  throw error;
}

/** Nor does a target that the operator does not offer. Other faults of making one may pass. */
function asRefused(error: unknown): never {
  if (error instanceof TargetRefusedError) throw ApplicationFailure.nonRetryable(error.message, error.name);
  throw error;
}

/** Largest file that is brought out of a sandbox, bytes. */
const MAX_EXPORT_BYTES = 2 * 1024 ** 3;

const TAKEN = { taken: true };

/** @param queue - of this machine's workers, where only those reach the sandboxes that they make. */
export function createHandsActivities(hands: Hands, blobs: Blobs, queue?: string): HandsActivities {
  async function execute({ ref, call, inputBlobs }: ExecuteInput): Promise<ExecuteResult> {
    const whole = await internalize(ref.sessionId, { event: { input: call.input }, blobs: inputBlobs }, blobs);
    const { attempt } = Context.current().info;
    // The details tell the workflow that a worker had it, should none take it up again.
    const outcome = await beating(
      () => hands.execute(ref, { ...call, input: whole.event.input, attempt }, Context.current().cancellationSignal),
      TAKEN,
    );
    if (outcome.kind !== 'finished') return outcome;
    const { event, blobs: parts } = await externalize(ref.sessionId, { event: { content: outcome.content } }, blobs);
    return { ...outcome, content: event.content as ResultBlock[], ...(parts ? { blobs: parts } : {}) };
  }

  return {
    async provision(spec) {
      const ref = await beating(() => hands.provision(spec, Context.current().cancellationSignal)).catch(asRefused);
      return {
        ref: queue === undefined ? ref : { ...ref, queue },
        ...(spec.restore ? { restored: spec.restore } : {}),
      };
    },
    execute,
    async bringIn({ ref, list }) {
      const files = list === null ? [] : (JSON.parse((await blobs.get(ref.sessionId, list)).toString()) as InputFile[]);
      const open = (file: InputFile) => blobs.getStream(`${ref.sessionId}/inputs`, file.sha256);
      await beating(() => hands.placeInputs(ref, files, open)).catch(asTerminal);
    },
    collectOutputs: (input) => beating(() => collectOutputs(hands, blobs, input)).catch(asTerminal),
    stopCalls: ({ ref, thread, ids }) => hands.stopCalls(ref, thread, ids),
    async checkpoint({ ref, since }) {
      return (await beating(() => hands.checkpoint(ref, since)).catch(asTerminal)) ?? null;
    },
    readOutputs: ({ ref }) => beating(() => readOutputs(hands, blobs, ref)).catch(asTerminal),
    release: ({ ref }) => beating(() => hands.release(ref)),
    listFiles: ({ ref, path }) => hands.listFiles(ref, path).catch(asTerminal),
    exportFile: ({ ref, path }) =>
      beating(async () => blobs.putStream(ref.sessionId, await hands.readFile(ref, path), MAX_EXPORT_BYTES)),
  };
}
