/** Checkpoint stores for tests of providers. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CheckpointStore } from './hands.ts';

export function memoryCheckpoints(): CheckpointStore {
  const stored = new Map<string, Buffer>();
  return {
    async put(_sessionId, body) {
      const chunks: Buffer[] = [];
      for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      stored.set(sha256, bytes);
      return { key: sha256, sha256, bytes: bytes.length };
    },
    async get(_sessionId, key) {
      const bytes = stored.get(key);
      if (!bytes) throw new Error(`There is no checkpoint ${key}.`);
      return Readable.from([bytes]);
    },
  };
}

/** For checkpoints that do not fit into memory. */
export function folderCheckpoints(folder: string): CheckpointStore {
  return {
    async put(_sessionId, body) {
      const draft = join(folder, randomUUID());
      const hash = createHash('sha256');
      let bytes = 0;
      const measure = async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          bytes += chunk.length;
          yield chunk;
        }
      };
      await pipeline(body, measure, createWriteStream(draft));
      const sha256 = hash.digest('hex');
      await rename(draft, join(folder, sha256));
      return { key: sha256, sha256, bytes };
    },
    get: async (_sessionId, key) => createReadStream(join(folder, key)),
  };
}
