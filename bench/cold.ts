/** From a session's first tool call to its result: a sandbox is made. Beside it a bare Node server under the same runsc. */
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCgroupParent, makeCgroup, removeCgroup } from '../sandbox/gvisor/cgroup.ts';
import { type LaunchPlan, launch, makeFolders, removeFolders, socketPath } from '../sandbox/gvisor/launch.ts';
import { DEFAULT_LIMITS } from '../sandbox/gvisor/options.ts';
import { hostUid, type Places, preparePlaces, reachable, sandboxId } from '../sandbox/gvisor/places.ts';
import { rootFiles } from '../sandbox/gvisor/root-files.ts';
import { cacheFolder } from '../workers/programs/cache.ts';
import { type Figure, figure, timed } from './figures.ts';
import type { Bench } from './subject.ts';

const TIMES = 8;
const START_MS = 30_000;

export async function cold(bench: Bench): Promise<Figure[]> {
  const world = await bench.world();
  await world.turn(await world.newSession(true), 'one round');
  const first: number[] = [];
  const bare = await openBare(world.stack.env.hands.LONGHAND_RUNSC ?? '');
  const alone: number[] = [];
  try {
    // In turns, so that both meet the same machine.
    for (let i = 0; i < TIMES; i++) {
      const { events } = await world.turn(await world.newSession(true), 'one round');
      const at = (type: string) => events.find((event) => event.type === type)?.at ?? Number.NaN;
      first.push(at('agent.tool_result') - at('agent.tool_use'));
      alone.push(...(await timed(1, () => bare.start(i))));
    }
  } finally {
    await bare.close();
  }
  const yard = figure('yardstick: a bare Node server under runsc, start to first answer', alone);
  return [
    yard,
    figure('first tool call of a session → its result (sandbox made, `true` run)', first, [
      { of: 'p50', atMost: 1.5 * yard.p50 },
      { of: 'p50', atMost: 1_200 },
    ]),
  ];
}

/** Sandboxes like Longhand's in every respect but the program. */
async function openBare(runsc: string): Promise<{ start(i: number): Promise<void>; close(): Promise<void> }> {
  const home = await mkdtemp(join(tmpdir(), 'longhand-bare-'));
  const places = await preparePlaces({ stateDir: home, cacheDir: cacheFolder() });
  const programs = {
    runsc: await reachable(runsc, places),
    node: await reachable(process.execPath, places),
    toolServer: await reachable(fileURLToPath(new URL('./bare-server.mjs', import.meta.url)), places),
  };
  const files = await rootFiles(places);
  // Without one of its own it would share its processor time with this process and all others.
  const cgroups = await findCgroupParent();
  return {
    async start(i) {
      const id = sandboxId(`bare ${i}`, 1);
      const server = { sessionId: id, generation: 1, awaitRestore: false };
      const uid = hostUid(places.asRoot, id);
      const plan: LaunchPlan = { id, uid, limits: DEFAULT_LIMITS, inodes: 10_000, programs, files, server };
      await makeFolders(places, plan);
      const { answer, close } = await listen(places, plan);
      const group = cgroups && (await makeCgroup(cgroups, id, DEFAULT_LIMITS));
      const { pid, goferPid } = await launch(places, plan, [], async (runsc) => {
        await group?.join(runsc);
      });
      await answer;
      close();
      for (const one of [pid, goferPid]) if (one) process.kill(one, 'SIGKILL');
      setTimeout(() => {
        if (cgroups) void removeCgroup(cgroups, id).catch(() => undefined);
        void removeFolders(places, id).catch(() => undefined);
      }, 500);
    },
    async close() {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      for (const folder of [home, places.sandboxes, places.doors]) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves `answer` when the sandbox has dialled and answered a request. */
async function listen(places: Places, { id, uid }: LaunchPlan) {
  const dialled = Promise.withResolvers<Socket>();
  const late = () => dialled.reject(new Error(`The bare server of ${id} did not dial within ${START_MS / 1_000} s.`));
  const timer = setTimeout(late, START_MS);
  const server = createServer((socket) => {
    clearTimeout(timer);
    dialled.resolve(socket);
  });
  const path = socketPath(places, id);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  if (uid !== undefined) await chown(path, uid, uid);
  const answer = dialled.promise.then(
    (socket) =>
      new Promise<void>((resolve, reject) => {
        const asked = request({ createConnection: () => socket, path: '/' }, (response) => {
          response.resume().once('end', resolve);
        });
        asked.once('error', reject).end();
      }),
  );
  return { answer, close: () => server.close() };
}
