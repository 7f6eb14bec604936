/**
 * A command's output: streamed to a spool file of the server's, up to a limit, and cut for the model at the end.
 */
import {
  closeSync,
  fchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { AGENT_UID, MAX_TEXT } from './protocol.ts';

/** Where whole outputs lie for the agent: the folder is the server's, so no link can be planted in it. */
export const OUTPUT_DIR = '/var/tool-output';
/** Oldest files go first; the agent can empty them but not remove them. */
const MAX_FILES = 50;
/** biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours are of no use to a model. */
const ANSI = /\x1b\[[0-9;?]*[ -/]*[@-~]/g;

export interface OutputSpool {
  write(chunk: Buffer): void;
  /** All that was kept, as text; `dropped` is how many bytes were not. */
  read(): { text: string; dropped: number };
  /** Closes and removes the file. */
  close(): void;
}

/** Makes the spool file of one call. Bytes past `limit` are counted and dropped. */
export function openSpool(path: string, limit: number): OutputSpool {
  const fd = openSync(path, 'w+', 0o600);
  let kept = 0;
  let dropped = 0;
  return {
    write(chunk) {
      const room = Math.max(0, limit - kept);
      const part = chunk.subarray(0, room);
      dropped += chunk.length - part.length;
      try {
        for (let done = 0; done < part.length; ) done += writeSync(fd, part, done);
        kept += part.length;
      } catch {
        // No space on the server's own mount: the command goes on, its output does not.
        dropped += part.length;
      }
    },
    read() {
      const bytes = Buffer.alloc(kept);
      for (let done = 0; done < kept; ) {
        const count = readSync(fd, bytes, done, kept - done, done);
        if (count === 0) break;
        done += count;
      }
      return { text: new StringDecoder('utf8').write(bytes).replace(ANSI, ''), dropped };
    },
    close() {
      closeSync(fd);
      rmSync(path, { force: true });
    },
  };
}

/**
 * The text for the model: itself when it is short, else head, tail and where the rest is. `existing` names a file that
 * holds the text already.
 */
export function clip(text: string, callId: string, existing?: string): string {
  if (text.length <= MAX_TEXT) return text;
  const path = existing ?? keep(text, callId);
  const where = path ? `the whole output is in ${path}` : 'the whole output could not be kept: the disk is full';
  const note = `\n\n[... ${text.length - MAX_TEXT} characters left out here; ${where} ...]\n\n`;
  const room = MAX_TEXT - note.length;
  const head = cutBefore(text, Math.floor(room / 2));
  const tail = cutAfter(text, text.length - Math.floor(room / 2));
  return head + note + tail;
}

/** Not between the two halves of a character. */
function cutBefore(text: string, at: number): string {
  return text.slice(0, isLow(text, at) ? at - 1 : at);
}

function cutAfter(text: string, at: number): string {
  return text.slice(isLow(text, at) ? at + 1 : at);
}

function isLow(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff;
}

function keep(text: string, callId: string): string | undefined {
  try {
    mkdirSync(OUTPUT_DIR, { recursive: true, mode: 0o755 });
    const files = readdirSync(OUTPUT_DIR).map((name) => join(OUTPUT_DIR, name));
    const oldest = files.sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
    for (const file of oldest.slice(0, Math.max(0, files.length + 1 - MAX_FILES))) rmSync(file, { force: true });
    const path = join(OUTPUT_DIR, `${callId.replace(/[^\w-]/g, '_')}.txt`);
    rmSync(path, { force: true });
    const fd = openSync(path, 'wx', 0o644);
    try {
      const bytes = Buffer.from(text);
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      // The agent may empty it to get the space back, where the server has the right to give it away.
      if (process.getuid?.() === 0) fchownSync(fd, AGENT_UID, AGENT_UID);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
    return path;
  } catch {
    return undefined;
  }
}
