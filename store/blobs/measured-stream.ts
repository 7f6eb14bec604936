/** Counting and hashing bytes on their way to the store, whose name for them is not known before the last one. */
import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import { type BlobName, BlobTooLargeError } from './blobs.ts';

export interface MeasuredStream {
  stream: Transform;
  /** Of all that has passed; call it once, when the stream has ended. */
  name(): BlobName;
}

/** Fails with {@link BlobTooLargeError} past `maxBytes`. */
export function measuredStream(maxBytes = Number.POSITIVE_INFINITY): MeasuredStream {
  const hash = createHash('sha256');
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) return done(new BlobTooLargeError(maxBytes));
      hash.update(chunk);
      done(null, chunk);
    },
  });
  return { stream, name: () => ({ sha256: hash.digest('hex'), bytes }) };
}
