/** `longhand demo`: everything in a temporary folder on free ports, the rehearsal in the model's place, and a kill. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { sessionWorkflowId } from '../events/ids.ts';
import { runDemo } from '../examples/demo/demo.ts';
import { startRehearsal } from '../rehearsal/rehearsal.ts';
import { type Dev, startDev } from './dev.ts';
import { openSessionFiles } from './open-session-files.ts';
import { readSettings, type Settings } from './settings.ts';

const SCRIPT = fileURLToPath(new URL('../examples/demo/rehearsal.yaml', import.meta.url));
const OUTPUT = 'longhand-demo';
/** Settings that name places which outlive the demo. */
const OTHER_PLACES = new Set(['DATABASE_URL', 'BLOB_URL', 'LONGHAND_SANDBOX']);

/** @returns 0 when all went as promised, 1 with what did not, 2 when it was called wrongly. */
export async function demoCommand(args: string[]): Promise<number> {
  const live = args.includes('--live');
  const unknown = args.filter((arg) => arg !== '--live');
  if (unknown.length > 0) {
    console.error(`longhand demo knows only --live (got ${unknown.join(' ')}).`);
    return 2;
  }
  if (live && !process.env.MODEL_API_KEY) {
    console.error('longhand demo --live asks a real model: set MODEL_API_KEY (and MODEL_BASE_URL for a gateway).');
    return 2;
  }
  const home = await mkdtemp(join(tmpdir(), 'longhand-demo-'));
  const rehearsal = live ? undefined : await startRehearsal({ file: SCRIPT });
  try {
    const dev = await startDev({
      settings: demoSettings(home, rehearsal?.url),
      env: withoutServers(process.env),
      onLine: (line) => console.error(line),
    });
    const stop = () => void dev.stop().finally(() => process.exit(130));
    process.once('SIGINT', stop).once('SIGTERM', stop);
    try {
      return await play(dev, live);
    } finally {
      await dev.stop();
      process.off('SIGINT', stop).off('SIGTERM', stop);
    }
  } finally {
    await rehearsal?.close();
    await rm(home, { recursive: true, force: true });
  }
}

/** A new, private Longhand: nothing of the person's own settings but those of the model, when it is live. */
function demoSettings(home: string, rehearsalUrl: string | undefined): Settings {
  return readSettings({
    ...withoutServers(process.env),
    LONGHAND_API_KEY: '',
    LONGHAND_HOME: home,
    LONGHAND_HOST: '127.0.0.1',
    LONGHAND_PORT: '0',
    ...(rehearsalUrl
      ? {
          MODEL_BASE_URL: rehearsalUrl,
          MODEL_API_KEY: 'rehearsal',
          MODEL_AUTH: 'x-api-key',
          MODEL_HEADERS: '',
          LONGHAND_MODELS: '',
        }
      : {}),
  });
}

/** The person's environment without the servers that Longhand would use instead of its own. */
function withoutServers(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !OTHER_PLACES.has(name) && !name.startsWith('TEMPORAL_')),
  );
}

async function play(dev: Dev, live: boolean): Promise<number> {
  const files = await openSessionFiles(dev.temporal, pathToFileURL(dev.layout.blobs).href);
  try {
    const { exitCode } = await runDemo({
      baseURL: dev.apiUrl,
      apiKey: dev.apiKey,
      live,
      outputFolder: resolve(OUTPUT),
      killBrain() {
        const pid = dev.pid('brain');
        if (pid === undefined) throw new Error('The brain is not running.');
        process.kill(pid, 'SIGKILL');
        return pid;
      },
      getFile: async (sessionId, path) => Buffer.concat(await (await files.get(sessionId, path)).toArray()),
      sessionUrl: (sessionId) =>
        `${dev.temporal.uiUrl}/namespaces/${dev.temporal.namespace}/workflows/${encodeURIComponent(sessionWorkflowId(sessionId))}`,
    });
    return exitCode;
  } finally {
    await files.close();
  }
}
