/** Reading a blob as a stream without trusting what lies on the disk. */
import { createHash } from 'node:crypto';
import { type Readable, Transform } from 'node:stream';
import { BlobCorruptError } from './blobs.ts';

/**
 * Passes bytes on, the last chunk only once the hash of all is known to be right: who reads to a length that was
 * announced notices a damaged blob as an answer that was cut off.
 */
export function checkedStream(source: Readable, area: string, sha256: string): Readable {
  const hash = createHash('sha256');
  let held: Buffer | undefined;
  const check = new Transform({
    highWaterMark: 256 * 1024,
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      const passed = held;
      held = chunk;
      done(null, passed);
    },
    flush(done) {
      if (hash.digest('hex') !== sha256) return done(new BlobCorruptError(area, sha256));
      done(null, held);
    },
  });
  source.on('error', (error) => check.destroy(error));
  check.on('close', () => source.destroy());
  return source.pipe(check);
}
