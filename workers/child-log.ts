/** Logs of the children in the data folder: those of this run and of the one before it. */
import { createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** A log that is full is closed: its beginning says more than its end, and a disk is not filled by a loop of errors. */
const MOST_BYTES = 50 * 1024 * 1024;

export interface ChildLog {
  write(line: string): void;
  close(): Promise<void>;
}

export async function openChildLog(folder: string, name: string): Promise<ChildLog> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${name}.log`);
  await rename(path, `${path}.1`).catch(() => undefined);
  const stream = createWriteStream(path, { mode: 0o600 });
  // A full disk must not end what the log is about.
  stream.on('error', () => undefined);
  return {
    write(line) {
      if (stream.bytesWritten < MOST_BYTES) stream.write(`${line}\n`);
    },
    close: () => new Promise((resolve) => stream.end(() => resolve())),
  };
}
