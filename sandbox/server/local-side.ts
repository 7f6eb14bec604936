/** The agent's side in the tool server's own container: processes of the agent's uid, started and watched from here. */
import { spawn } from 'node:child_process';
import type { AgentSide } from './agent-side.ts';
import { createBash } from './bash.ts';
import { startGuard } from './guard.ts';
import { AGENT_UID, PATH, type ServerConfig } from './protocol.ts';
import { tarFiles, untarFiles } from './tar.ts';
import { createToolProcess, type ToolProcess } from './tool-process.ts';

export type LocalConfig = Pick<
  ServerConfig,
  'runDir' | 'outputBytes' | 'memoryBytes' | 'pids' | 'inodes' | 'countIn' | 'shellNote'
>;

/** @param bundle - this program's own file. @param spoolDir - where outputs are collected. */
export function createLocalSide(config: LocalConfig, bundle: string, spoolDir: string): AgentSide {
  const work = countWork();
  const tools = createToolProcess(bundle);
  const bash = createBash(config, spoolDir);
  const isOurs = (pid: number) => pid === tools.pid || bash.pids.has(pid);
  const guard = startGuard(config, { since: work.since, isOurs });
  const wake = () => {
    guard.wake();
    tools.warm();
  };
  wake();

  return {
    tools: {
      ...tools,
      run(name, input, signal) {
        wake();
        return work.counted(tools.run(name, input, signal));
      },
    },
    bash: {
      restart: bash.restart,
      async start(call) {
        wake();
        const began = Date.now();
        const run = await work.counted(bash.start(call));
        return { ...run, end: work.counted(run.end).then((end) => ({ ...end, limits: guard.since(began) })) };
      },
    },
    files: { tar: tarFiles, untar: untarFiles, read: (path) => readFile(tools, path) },
    ready: async () => undefined,
    async tell(shellNote) {
      config.shellNote = shellNote;
    },
  };
}

/** `since` says whether something was under way since it was asked last. */
function countWork(): { counted<T>(work: Promise<T>): Promise<T>; since(): boolean } {
  let running = 0;
  let made = false;
  return {
    async counted(work) {
      made = true;
      running++;
      try {
        return await work;
      } finally {
        running--;
      }
    },
    since() {
      const was = made || running > 0;
      made = false;
      return was;
    },
  };
}

/** As the agent, with a program of the sandbox: this process opens nothing that an agent named. */
async function readFile(tools: ToolProcess, path: string) {
  const file = await tools.locate(path);
  const head = spawn('head', ['--bytes', String(file.bytes), '--', file.path], {
    uid: AGENT_UID,
    gid: AGENT_UID,
    cwd: '/',
    env: { PATH },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  head.on('error', (error) => head.stdout.destroy(error));
  head.stdout.once('close', () => head.kill('SIGKILL'));
  return { body: head.stdout, modifiedAt: file.modifiedAt };
}
