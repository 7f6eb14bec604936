/** Whether this machine can isolate at all: one real sandbox that does nothing, and what its failure means. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostUid, type Places } from './places.ts';
import { obstacles, sandboxFacts } from './preflight.ts';

/** Thrown when sandboxes cannot be isolated here: what failed, and what to do. */
export class NoIsolationError extends Error {
  override name = 'NoIsolationError';
}

/** Runs `true` in a sandbox (0.2 s). Throws {@link NoIsolationError}. */
export async function probeIsolation(places: Places, runsc: string): Promise<void> {
  if (!existsSync(runsc)) {
    throw new NoIsolationError(`There is no runsc at ${runsc}. Set LONGHAND_RUNSC to gVisor's runsc.`);
  }
  const uid = hostUid(places.asRoot, 'probe');
  const folder = await mkdtemp(join(places.sandboxes, 'probe-'));
  try {
    const root = join(folder, 'root');
    for (const path of [root, join(root, 'usr'), join(root, 'proc'), join(folder, 'runsc'), join(folder, 'disk')]) {
      await mkdir(path, { mode: 0o755 });
    }
    for (const name of ['bin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(root, name));
    const spec = {
      ociVersion: '1.0.2',
      root: { path: root },
      process: { user: { uid: 0, gid: 0 }, args: ['/usr/bin/true'], env: [], cwd: '/' },
      mounts: [{ destination: '/usr', source: '/usr', type: 'bind', options: ['rbind', 'ro'] }],
      linux: { namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })) },
    };
    await writeFile(join(folder, 'config.json'), JSON.stringify(spec), { mode: 0o644 });
    if (uid !== undefined) {
      for (const path of [
        folder,
        root,
        join(root, 'usr'),
        join(root, 'proc'),
        join(folder, 'runsc'),
        join(folder, 'disk'),
      ]) {
        await chown(path, uid, uid);
      }
    }
    const flags = [`--root=${folder}/runsc`, '--rootless', '--ignore-cgroups', '--network=none', '--host-uds=open'];
    const overlay = `--overlay2=all:dir=${folder}/disk,size=16m`;
    const child = spawn(runsc, [...flags, overlay, 'run', `--bundle=${folder}`, 'probe'], {
      cwd: '/',
      env: {},
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 30_000,
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words += text;
    });
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new NoIsolationError(await explain(words.trim(), places, uid));
  } catch (error) {
    if (error instanceof NoIsolationError) throw error;
    throw new NoIsolationError(await explain((error as Error).message, places, uid), { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** runsc's own words, after the causes that are known of this machine. */
async function explain(words: string, places: Places, uid: number | undefined): Promise<string> {
  const facts = await sandboxFacts(places.records);
  // As root, too, sandboxes are made by an unprivileged id.
  const known = obstacles({ ...facts, uid: uid ?? facts.uid, ...(uid === undefined ? {} : { sysAdmin: false }) });
  const causes = known.map(({ cause, fix }) => `${cause} What to do: ${fix}`).join(' ');
  const advice = causes || 'Run Longhand on a Linux machine or VM of its own.';
  return `No sandbox can be isolated here, so nothing is started. ${advice} (runsc: ${words.slice(-600) || 'no output'})`;
}
