/** Starting a sandbox: its folders, its spec, and one `runsc run --detach`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkpointLimits } from '../checkpoints.ts';
import type { SandboxLimits } from '../hands.ts';
import { type ServerConfig, SKILLS } from '../server/protocol.ts';
import { DOOR, JOURNAL, NODE, ociSpec, RUN, TOOL_SERVER } from './oci.ts';
import type { Places } from './places.ts';
import { makeRootTree, type RootFiles } from './root-files.ts';

/** runsc takes 0.3 s on an idle machine. */
const START_TIMEOUT_MS = 60_000;

export interface Programs {
  runsc: string;
  node: string;
  toolServer: string;
}

export interface LaunchPlan {
  id: string;
  uid?: number;
  limits: SandboxLimits;
  inodes: number;
  programs: Programs;
  files: RootFiles;
  server: Pick<ServerConfig, 'sessionId' | 'generation' | 'shellNote' | 'awaitRestore' | 'skills'>;
}

export interface Launched {
  pid: number;
  goferPid: number;
}

/** Folder of a sandbox's files on the host. */
export function sandboxFolder(places: Places, id: string): string {
  return join(places.sandboxes, id);
}

/** Path of the socket that a sandbox dials. */
export function socketPath(places: Places, id: string): string {
  return join(places.doors, id, 'hands.sock');
}

/** Makes the folders; the socket must listen before {@link launch}. */
export async function makeFolders(places: Places, { id, uid, limits, inodes, programs, files, server }: LaunchPlan) {
  const folder = sandboxFolder(places, id);
  const door = join(places.doors, id);
  const readOnly = [
    ...files.mounts,
    { source: programs.node, destination: NODE },
    { source: programs.toolServer, destination: TOOL_SERVER },
  ];
  for (const path of [folder, ...['journal', 'skills', 'disk', 'runsc'].map((name) => join(folder, name)), door]) {
    await mkdir(path, { recursive: true, mode: 0o700 });
    if (uid !== undefined) chownSync(path, uid, uid);
  }
  makeRootTree(
    join(folder, 'root'),
    { ...files, mounts: readOnly },
    server.skills ? [JOURNAL, SKILLS] : [JOURNAL],
    uid,
  );
  const config: ServerConfig = {
    ...server,
    serve: { dial: `${DOOR}/hands.sock` },
    journalDir: JOURNAL,
    runDir: RUN,
    outputBytes: limits.outputBytes,
    memoryBytes: limits.memoryBytes,
    pids: limits.pids,
    inodes,
    checkpoint: checkpointLimits(limits),
  };
  await writeFile(join(door, 'server.json'), JSON.stringify(config), { mode: 0o600 });
  if (uid !== undefined) chownSync(join(door, 'server.json'), uid, uid);
  const paths = { root: join(folder, 'root'), journal: join(folder, 'journal'), door };
  const skills = server.skills ? { skills: join(folder, 'skills') } : {};
  const spec = ociSpec({ ...paths, ...skills, readOnly, limits });
  await writeFile(join(folder, 'config.json'), JSON.stringify(spec), { mode: 0o644 });
}

/**
 * Starts it and returns once its kernel runs (the tool server dials a little later).
 * `beforeExec` gets the pid that runsc will have, e.g. to put it into cgroups.
 * @throws Error with runsc's own words.
 */
export async function launch(
  places: Places,
  { id, uid, limits, programs }: LaunchPlan,
  prefix: string[],
  beforeExec: (pid: number) => Promise<void>,
): Promise<Launched> {
  const folder = sandboxFolder(places, id);
  const pidFile = join(folder, 'runsc', 'pid');
  const flags = [
    `--root=${join(folder, 'runsc')}`,
    // Always: as root we are an unprivileged id by then.
    '--rootless',
    '--ignore-cgroups',
    '--network=none',
    '--host-uds=open',
    '--file-access-mounts=shared',
    `--panic-log=${join(folder, 'panic.log')}`,
    `--overlay2=all:dir=${join(folder, 'disk')},size=${limits.diskBytes}`,
  ];
  const run = [...flags, 'run', '--detach', `--pid-file=${pidFile}`, `--bundle=${folder}`, id];
  // The sandbox keeps it: what its first process says on a crash stands there.
  const log = await open(join(folder, 'runsc.log'), 'a', 0o600);
  // The shell waits for a line, so that the process is where it belongs before runsc begins.
  const child = spawn(
    '/bin/sh',
    ['-c', 'read -r go && exec "$@" </dev/null', 'sh', ...prefix, programs.runsc, ...run],
    {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      stdio: ['pipe', log.fd, log.fd],
      detached: true,
      ...(uid === undefined ? {} : { uid, gid: uid }),
    },
  );
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  // A failed spawn rejects both; only the first is waited for.
  ended.catch(() => undefined);
  await once(child, 'spawn');
  await beforeExec(child.pid ?? 0);
  child.stdin?.on('error', () => undefined).end('go\n');
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  const [code, signal] = await ended;
  clearTimeout(timer);
  await log.close();
  if (code !== 0) {
    const words = (await readFile(join(folder, 'runsc.log'), 'utf8')).slice(-2_000).trim();
    throw new Error(`runsc could not start a sandbox (${signal ?? `exit ${code}`}): ${words}`);
  }
  const pid = Number(await readFile(pidFile, 'utf8'));
  return { pid, goferPid: await goferPidOf(join(folder, 'runsc')) };
}

/** What gVisor and the tool server said on the way down, for the log; mostly nothing. */
export async function lastWords(places: Places, id: string): Promise<string> {
  const files = ['panic.log', 'runsc.log'].map((name) => join(sandboxFolder(places, id), name));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  const text = texts.join('\n').trim().slice(0, 3_000);
  return text && `. Its last words: ${text}`;
}

/** Removes a dead sandbox's files. */
export async function removeFolders(places: Places, id: string): Promise<void> {
  await rm(sandboxFolder(places, id), { recursive: true, force: true });
  await rm(join(places.doors, id), { recursive: true, force: true });
}

async function goferPidOf(runscRoot: string): Promise<number> {
  const state = (await readdir(runscRoot)).find((name) => name.endsWith('.state'));
  if (!state) return 0;
  const { goferPid } = JSON.parse(await readFile(join(runscRoot, state), 'utf8')) as { goferPid?: number };
  return goferPid ?? 0;
}
