/** Checkpoints on their way between a sandbox and the store, for every provider whose sandboxes run the tool server. */
import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import {
  type Checkpoint,
  type CheckpointStore,
  CheckpointTooLargeError,
  type SandboxLimits,
  type SandboxRef,
} from './hands.ts';
import type { CheckpointLimits } from './server/protocol.ts';
import { type ToolClient, ToolServerError } from './tool-client.ts';

const CONTENT_TOO_LARGE = 413;

/** Packed, it lies beside the journal while it is made, in half of the disk's size. */
export function checkpointLimits({ diskBytes }: Pick<SandboxLimits, 'diskBytes'>): CheckpointLimits {
  return { packed: Math.floor((diskBytes * 3) / 8), whole: diskBytes };
}

/** Stores the files; undefined when they are those of `since`. @throws CheckpointTooLargeError */
export async function storeCheckpoint(
  client: Pick<ToolClient, 'pack'>,
  checkpoints: CheckpointStore,
  ref: SandboxRef,
  since?: string,
): Promise<Checkpoint | undefined> {
  const archive = await client.pack(since).catch((error: unknown) => {
    const tooLarge = error instanceof ToolServerError && error.status === CONTENT_TOO_LARGE;
    throw tooLarge ? new CheckpointTooLargeError(error.message) : error;
  });
  if (!archive) return undefined;
  const { key, sha256, bytes } = await checkpoints.put(ref.sessionId, archive.body);
  if (sha256 !== archive.sha256) {
    throw new Error(`The checkpoint of ${ref.id} was stored as ${sha256}, but the sandbox sent ${archive.sha256}.`);
  }
  return { key, sha256, bytes, takenAt: archive.takenAt };
}

/** Puts a stored checkpoint into a new sandbox. Throws when its bytes are not those that were stored. */
export async function restoreCheckpoint(
  client: Pick<ToolClient, 'unpack'>,
  checkpoints: CheckpointStore,
  sessionId: string,
  from: Checkpoint,
): Promise<void> {
  const body = await checkpoints.get(sessionId, from.key);
  const checked = checkHash(from);
  body.once('error', (error) => checked.destroy(error));
  await client.unpack(body.pipe(checked));
}

/** Passes a checkpoint on, and fails at its end when it is not the one that was stored. */
function checkHash({ sha256, key }: Checkpoint): Transform {
  const hash = createHash('sha256');
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      const found = hash.digest('hex');
      done(found === sha256 ? null : new Error(`Checkpoint ${key} should have hash ${sha256} but has ${found}.`));
    },
  });
}
