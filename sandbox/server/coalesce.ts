import { Transform } from 'node:stream';

/**
 * What a step costs on the way of a checkpoint (a thread's turn, a system call) is paid once for this many bytes. Pipes and
 * connections bring 8 to 64 KB at a time, and under gVisor that is several times the work.
 */
export const BULK_BYTES = 1024 ** 2;

/** Joins small chunks to large ones. */
export function coalesce(): Transform {
  let parts: Buffer[] = [];
  let bytes = 0;
  const take = () => {
    const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts, bytes);
    parts = [];
    bytes = 0;
    return whole;
  };
  return new Transform({
    readableHighWaterMark: BULK_BYTES,
    writableHighWaterMark: BULK_BYTES,
    transform(chunk: Buffer, _encoding, done) {
      parts.push(chunk);
      bytes += chunk.length;
      if (bytes >= BULK_BYTES) done(null, take());
      else done();
    },
    flush(done) {
      if (bytes > 0) done(null, take());
      else done();
    },
  });
}
