/** A checkpoint store for tests of providers. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
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
