/**
 * Named pipes for the output of commands. Not anonymous ones: those belong to the tool server's uid, and a command's
 * `> /dev/stderr` would be refused; not sockets (what Node makes), which cannot be opened at all; not plain files,
 * which `> /dev/stdout` would empty.
 */
import { execFile } from 'node:child_process';
import { chownSync, closeSync, constants, existsSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AGENT_UID, PATH } from './protocol.ts';

/** Making them costs a process (10 ms), so they are made this many at a time, ahead of need. */
const BATCH = 64;

export interface OutputPipe {
  /** What commands write comes out here; never ends by itself. */
  readable: Socket;
  /** Names it: `<number>.out` in its folder. No other pipe has it. */
  number: number;
  /** Once the command has opened it, or will not: it can be opened no more, and ends when its writers have ended. */
  seal(): void;
}

/** A stock of named pipes in `dir`, which commands can read and must not be able to write to. */
export function createPipes(dir: string): () => Promise<OutputPipe> {
  const stock: number[] = [];
  const pathOf = (number: number) => join(dir, `${number}.out`);
  let made = 0;
  let filling: Promise<void> | undefined;

  const fill = async () => {
    // Where the server shares the agent's uid, the agent may have removed it.
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    const numbers = Array.from({ length: BATCH }, () => ++made);
    const paths = numbers.map(pathOf);
    await promisify(execFile)('mkfifo', ['-m', '600', '--', ...paths], { env: { PATH } });
    for (const path of paths) chownSync(path, AGENT_UID, AGENT_UID);
    stock.push(...numbers);
  };
  const refill = () => {
    filling ??= fill().finally(() => {
      filling = undefined;
    });
    return filling;
  };
  refill().catch(() => undefined);

  return async () => {
    let number: number | undefined;
    while (number === undefined) {
      while (stock.length === 0) await refill();
      number = stock.shift();
      if (number !== undefined && !existsSync(pathOf(number))) number = undefined;
    }
    const path = pathOf(number);
    if (stock.length < BATCH / 8) refill().catch(() => undefined);
    // Reader first: a writer would wait for one. A writer of our own: without one, the reader finds the end at once.
    const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writeFd = openSync(path, constants.O_WRONLY);
    const seal = () => {
      closeSync(writeFd);
      rmSync(path, { force: true });
    };
    try {
      return { readable: new Socket({ fd: readFd, readable: true, writable: false }), number, seal };
    } catch (error) {
      closeSync(readFd);
      seal();
      throw error;
    }
  };
}
