/** What every worker process has in common: a clean start, a clean stop, and last words that a person can read. */
import type { RunningWorker } from './brain-worker.ts';

/**
 * Starts a worker and runs it until SIGTERM or SIGINT; then it takes no new work, lets activities finish or hand over
 * within 30 s, and exits 0. Exits 1, with one line on stderr, when it cannot start or fails.
 */
export async function runWorkerProcess(
  name: string,
  start: (log: (message: string) => void) => Promise<RunningWorker>,
): Promise<void> {
  const hasParent = process.connected === true;
  forgetAnthropic();
  const log = (message: string) => process.stderr.write(`${name}: ${message}\n`);
  try {
    const worker = await start(log);
    process.stdout.write(`${name} ready\n`);
    // `disconnect`: the parent is gone, whatever it died of; its next start makes a new child.
    for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) {
      process.once(signal, () => void worker.stop().catch((error: unknown) => log(messageOf(error))));
    }
    // A listener for `disconnect` alone would keep this process alive after its work.
    process.channel?.unref();
    // The parent may have died while this started, before anything listened.
    if (hasParent && !process.connected) await worker.stop();
    await worker.done;
  } catch (error) {
    log(messageOf(error));
    process.exitCode = 1;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** People point these at Longhand itself, and the SDK reads them by itself: a brain that obeyed would call its own api. */
function forgetAnthropic(): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('ANTHROPIC_')) delete process.env[name];
  }
}
