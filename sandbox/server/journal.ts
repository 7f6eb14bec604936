/**
 * The journal: what the tool server promised and did, call by call, in an append-only file of JSON lines. A line is on
 * disk (fsync) before the act that it announces, so a call never runs twice: not after a crash of this process either.
 */
import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ResultBlock } from '../../events/wire.ts';

export interface CallResult {
  content: ResultBlock[];
  isError: boolean;
}

type Line =
  | { id: string; entry: 'accepted'; thread: string; fingerprint: string }
  | { id: string; entry: 'started'; at: string; pid?: number }
  | ({ id: string; entry: 'finished'; startedAt: string; finishedAt: string } & CallResult)
  | { id: string; entry: 'unknown'; message: string }
  | { id: ''; entry: 'restored' };

/** What the journal knows of a call. Results stay on disk. */
export type JournalState =
  | { state: 'accepted'; thread: string; fingerprint: string }
  | { state: 'started'; thread: string; fingerprint: string; startedAt: string; pid?: number }
  | { state: 'finished'; fingerprint: string; offset: number; length: number }
  | { state: 'unknown'; fingerprint: string; message: string };

export interface Journal {
  get(id: string): JournalState | undefined;
  /** Calls that were accepted or started and have no end, in order of acceptance. */
  open(): { id: string; state: JournalState }[];
  /** Throws when the disk is full: nothing may start then. */
  accept(id: string, thread: string, fingerprint: string): void;
  start(id: string, pid?: number): string;
  finish(id: string, result: CallResult, startedAt?: string): void;
  declareUnknown(id: string, message: string): void;
  /** The recorded result of a finished call. */
  result(id: string): CallResult & { startedAt: string; finishedAt: string };
  restored(): boolean;
  /** Whether nothing stood in it when it was opened: the server's first start. */
  isNew(): boolean;
  markRestored(): void;
  close(): void;
}

/** Opens or makes the journal in `dir` and replays it. A torn last line (a crash while writing) is cut off. */
export function openJournal(dir: string): Journal {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const fd = openSync(join(dir, 'journal.jsonl'), 'a+', 0o600);
  const calls = new Map<string, JournalState>();
  let restored = false;
  let end = 0;

  const apply = (line: Line, offset: number, length: number) => {
    if (line.entry === 'restored') {
      restored = true;
      return;
    }
    const before = calls.get(line.id);
    const fingerprint = before?.fingerprint ?? '';
    const thread = before && 'thread' in before ? before.thread : '';
    if (line.entry === 'accepted') {
      calls.set(line.id, { state: 'accepted', thread: line.thread, fingerprint: line.fingerprint });
    } else if (line.entry === 'started') {
      calls.set(line.id, { state: 'started', thread, fingerprint, startedAt: line.at, pid: line.pid });
    } else if (line.entry === 'finished') {
      calls.set(line.id, { state: 'finished', fingerprint, offset, length });
    } else {
      calls.set(line.id, { state: 'unknown', fingerprint, message: line.message });
    }
  };

  const append = (line: Line) => {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    } catch (error) {
      // A half-written line must not swallow the next one.
      ftruncateSync(fd, end);
      throw error;
    }
    apply(line, end, bytes.length);
    end += bytes.length;
  };

  const bytes = readFileSync(fd);
  for (let at = 0; ; ) {
    const newline = bytes.indexOf(10, at);
    if (newline < 0) break;
    apply(JSON.parse(bytes.toString('utf8', at, newline)) as Line, at, newline + 1 - at);
    at = newline + 1;
    end = at;
  }
  if (end < bytes.length) ftruncateSync(fd, end);
  const isNew = bytes.length === 0;

  return {
    get: (id) => calls.get(id),
    open: () =>
      [...calls]
        .filter(([, { state }]) => state === 'accepted' || state === 'started')
        .map(([id, state]) => ({ id, state })),
    accept: (id, thread, fingerprint) => append({ id, entry: 'accepted', thread, fingerprint }),
    start(id, pid) {
      const at = new Date().toISOString();
      append({ id, entry: 'started', at, pid });
      return at;
    },
    finish(id, result, startedAt) {
      const finishedAt = new Date().toISOString();
      append({ id, entry: 'finished', startedAt: startedAt ?? finishedAt, finishedAt, ...result });
    },
    declareUnknown: (id, message) => append({ id, entry: 'unknown', message }),
    result(id) {
      const state = calls.get(id);
      if (state?.state !== 'finished') throw new Error(`Call ${id} has no recorded result.`);
      const line = Buffer.alloc(state.length);
      readSync(fd, line, 0, state.length, state.offset);
      const { content, isError, startedAt, finishedAt } = JSON.parse(line.toString('utf8')) as Extract<
        Line,
        { entry: 'finished' }
      >;
      return { content, isError, startedAt, finishedAt };
    },
    restored: () => restored,
    isNew: () => isNew,
    markRestored: () => append({ id: '', entry: 'restored' }),
    close: () => closeSync(fd),
  };
}
