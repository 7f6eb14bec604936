/** The agent's files as a tar, and back, with the `tar` of the sandbox. Only ever run inside one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { coalesce } from './coalesce.ts';
import { AGENT_UID, HOME, OUTPUTS, PATH, SKILLS, WORKSPACE } from './protocol.ts';

const FOLDERS = [WORKSPACE, HOME, OUTPUTS].map((path) => path.slice(1));
/** Whatever can be fetched or computed again. */
const LEFT_OUT = [`${HOME}/.cache`, `${HOME}/.npm/_cacache`, `${HOME}/.npm/_logs`];
const ENV = { PATH, LC_ALL: 'C.UTF-8' };
/** Blocks of 512 bytes that are written and read at once. */
const RECORD = '--blocking-factor=512';
const CREATE = [RECORD, '--create', '--file=-', '--directory=/', '--format=gnu', '--numeric-owner', '--sparse'];
/** Names come by stdin: as many as there are, in any bytes. */
const NAMED = ['--null', '--files-from=-'];

/**
 * What is in the agent's folders, not the folders themselves: where those are volumes, they are not the agent's.
 * As root everything can be read. As the agent itself, what its owner may not read is opened for the moment and follows
 * at the end of the stream with its own mode (folders come back open for their owner).
 */
export async function tarFiles(skills: boolean): Promise<Readable> {
  const folders = FOLDERS.filter((name) => existsSync(`/${name}`));
  const closed = process.getuid?.() === 0 ? [] : await openUnreadable(folders, skills);
  const names = await run('find', [...folders, '-mindepth', '1', '-maxdepth', '1', '-print0']);
  const exclude = [...LEFT_OUT, ...(skills ? [SKILLS] : [])].map((path) => `--exclude=${path.slice(1)}`);
  const output = new PassThrough();
  const send = async () => {
    try {
      await create([...CREATE, '--sort=name', ...exclude, ...NAMED], namesOf(names).sort(), output);
      for (const { mode, path, folder } of closed) {
        if (!folder) await create([...CREATE, `--mode=${mode}`, ...NAMED], [path], output);
      }
    } finally {
      // The inner ones first: their folders may become unreachable.
      for (const { mode, path } of closed.toReversed()) await run('xargs', ['-0', 'chmod', mode, '--'], [path]);
    }
    output.end();
  };
  send().catch((error: Error) => output.destroy(error));
  return output;
}

/** Unpacks a tar as the agent. */
export async function untarFiles(body: Readable): Promise<void> {
  const options = ['--extract', RECORD, '--file=-', '--directory=/', '--numeric-owner', '--preserve-permissions'];
  // Node's pipes are sockets, which tar does not read to their end: it would leave the padding, and break the pipe.
  const toTheEnd = '--ignore-zeros';
  const tar = spawn('tar', [...options, toTheEnd, '--no-overwrite-dir', '--delay-directory-restore'], {
    ...{ uid: AGENT_UID, gid: AGENT_UID, cwd: '/', env: ENV },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const { ended, words } = followed(tar);
  try {
    await pipeline(body, coalesce(), tar.stdin);
  } catch (error) {
    tar.kill('SIGKILL');
    throw error;
  }
  const code = await ended;
  if (code !== 0) throw new Error(`tar could not restore the files, exit code ${code}: ${words()}`);
}

/** Runs one `tar --create` into `output`, which stays open. */
async function create(args: string[], names: string[], output: PassThrough): Promise<void> {
  const tar = spawn('tar', ['--warning=no-file-changed', ...args], { cwd: '/', env: ENV, stdio: 'pipe' });
  const { ended, words } = followed(tar);
  tar.stdin.on('error', () => undefined).end(asInput(names));
  try {
    await pipeline(tar.stdout, output, { end: false });
  } catch (error) {
    tar.kill('SIGKILL');
    throw error;
  }
  const code = await ended;
  // 1: a file changed while it was read; the agent's processes go on meanwhile.
  if (code !== 0 && code !== 1) throw new Error(`tar ended with ${code}: ${words()}`);
}

interface Closed {
  /** Octal, as it was. */
  mode: string;
  /** Relative to /, a character per byte. */
  path: string;
  folder: boolean;
}

/** Makes what its owner may not read readable, folders first, so that `find` sees what is in them. */
async function openUnreadable(folders: string[], skills: boolean): Promise<Closed[]> {
  const unreadable = ['(', '-type', 'f', '!', '-perm', '-u=r', '-o', '-type', 'd', '!', '-perm', '-u=rx', ')'];
  const prune = skills ? ['-path', SKILLS.slice(1), '-prune', '-o'] : [];
  const act = ['-printf', '%m %y %p\\0', '-exec', 'chmod', 'u+rX', '--', '{}', ';'];
  return namesOf(await run('find', [...folders, ...prune, ...unreadable, ...act])).map((line) => {
    const [, mode = '', type, path = ''] = /^(\d+) (.) ([\s\S]*)$/.exec(line) ?? [];
    return { mode, path, folder: type === 'd' };
  });
}

/** Output of a program in a character per byte; what it could not do is left as it is. */
async function run(program: string, args: string[], names: string[] = []): Promise<string> {
  const child = spawn(program, args, { cwd: '/', env: ENV, stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.on('error', () => undefined).end(asInput(names));
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(child, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

function namesOf(output: string): string[] {
  return output.split('\0').filter(Boolean);
}

function asInput(names: string[]): Buffer {
  return Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1');
}

function followed(tar: ChildProcess & { stderr: Readable }): { ended: Promise<number | null>; words: () => string } {
  let text = '';
  tar.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-2_000);
  });
  const ended = once(tar, 'exit').then(([code]) => code as number | null);
  // When it could not be started, its pipe says so too.
  ended.catch(() => undefined);
  return { ended, words: () => text.trim() };
}
