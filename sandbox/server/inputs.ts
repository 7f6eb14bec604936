/**
 * Files that are put into the sandbox from outside: readable for the agent, and not its to change. They lie in folders
 * that belong to the server's uid, so no path below them is the agent's, and the server may open what is there.
 */
import { createHash } from 'node:crypto';
import { createWriteStream, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { InputFile } from '../hands.ts';
import { SKILLS, UPLOADS } from './protocol.ts';

/** A file cannot be where it should: its path is not allowed, or is in the way of another. */
export class InputRefusedError extends Error {
  override name = 'InputRefusedError';
}

export interface Inputs {
  /** What is in place. */
  list(): InputFile[];
  /** Puts one file in place, whole or not at all. Throws when the bytes are not those that were announced. */
  place(file: InputFile, body: Readable): Promise<void>;
  /** Takes one away, with the folders that are empty then. Safe to repeat. */
  remove(path: string): Promise<void>;
}

/** @param dir - of the journal: which files are in place is remembered there. */
export function createInputs(dir: string): Inputs {
  const stateFile = join(dir, 'inputs.json');
  const files = new Map<string, InputFile>(readState(stateFile).map((file) => [file.path, file]));
  let drafts = 0;

  /** At once: several files may be on their way, and their lists must not overtake one another. */
  function save(): void {
    const draft = `${stateFile}.draft`;
    writeFileSync(draft, JSON.stringify([...files.values()]), { mode: 0o600 });
    renameSync(draft, stateFile);
  }

  return {
    list: () => [...files.values()],

    async place(file, body) {
      const root = rootOf(file.path);
      const folder = dirname(file.path);
      const draft = join(root, `.incoming-${process.pid}-${++drafts}`);
      try {
        await mkdir(folder, { recursive: true, mode: 0o755 });
        await pipeline(body, checked(file), createWriteStream(draft, { flags: 'wx', mode: 0o600 }));
        await chmod(draft, file.executable ? 0o555 : 0o444);
        await rename(draft, file.path);
      } catch (error) {
        await rm(draft, { force: true });
        throw asRefusal(file, error as NodeJS.ErrnoException);
      }
      files.set(file.path, file);
      save();
    },

    async remove(path) {
      const root = rootOf(path);
      await rm(path, { force: true });
      for (let folder = dirname(path); folder !== root; folder = dirname(folder)) {
        // Not empty, or gone: either is where this ends.
        if (
          !(await rmdir(folder).then(
            () => true,
            () => false,
          ))
        )
          break;
      }
      files.delete(path);
      save();
    },
  };
}

/** The folder that a path lies in. The hands are trusted; a slip of theirs must not reach the rest of the sandbox. */
function rootOf(path: string): string {
  const root = [UPLOADS, SKILLS].find((folder) => path.startsWith(`${folder}/`));
  if (!root || posix.normalize(path) !== path || path.includes('\0')) {
    throw new InputRefusedError(`${JSON.stringify(path)} is not a path under ${UPLOADS} or ${SKILLS}.`);
  }
  return root;
}

function asRefusal(file: InputFile, error: NodeJS.ErrnoException): Error {
  switch (error.code) {
    case 'ENOSPC':
      return new InputRefusedError(`${file.path} (${file.bytes} bytes) does not fit: the sandbox's disk is full.`);
    case 'EEXIST':
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ENOTEMPTY':
      return new InputRefusedError(`${file.path} is in the way of another file, or another of it.`);
    default:
      return error;
  }
}

function checked(file: InputFile): Transform {
  const hash = createHash('sha256');
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      const found = hash.digest('hex');
      done(found === file.sha256 ? null : new Error(`${file.path} came with hash ${found} instead of ${file.sha256}.`));
    },
  });
}

function readState(file: string): InputFile[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as InputFile[];
  } catch {
    // None yet: what lies there without being listed is put in place again.
    return [];
  }
}
