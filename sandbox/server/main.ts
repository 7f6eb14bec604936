/**
 * The tool server: runs inside every sandbox, starts the agent's commands and file tools under the agent's uid, and
 * remembers what came of them. It holds no secret and knows no model, no database and no Temporal.
 *
 * `node server.mjs <config.json>` serves; `node server.mjs --tools` is the process of the file tools.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { killAllAgentProcesses } from './agent-processes.ts';
import { createBash } from './bash.ts';
import { createCalls, settleLeftOpen } from './calls.ts';
import { serveByDialling } from './dial.ts';
import { prepareFolders } from './folders.ts';
import { startGuard } from './guard.ts';
import { createInputs } from './inputs.ts';
import { openJournal } from './journal.ts';
import type { ServerConfig } from './protocol.ts';
import { createHandler } from './routes.ts';
import { createToolProcess } from './tool-process.ts';
import { runToolWorker } from './tool-worker.ts';

/** The file tools' process starts when the first command had a moment of its own. */
const WARM_AFTER_MS = 400;

// A slip in one request must not make the outcome of every running call unknown.
process.on('unhandledRejection', (error) => process.stderr.write(`tool server: ${String(error)}\n`));

async function serve(configFile: string): Promise<never> {
  const config = JSON.parse(readFileSync(configFile, 'utf8')) as ServerConfig;
  prepareFolders(config.skills === true);
  const journal = openJournal(config.journalDir);
  if (journal.open().length > 0) {
    await killAllAgentProcesses();
    settleLeftOpen(journal);
  }
  const spoolDir = join(config.journalDir, 'spool');
  rmSync(spoolDir, { recursive: true, force: true });
  mkdirSync(spoolDir, { mode: 0o700 });
  const tools = createToolProcess(fileURLToPath(import.meta.url));
  const bash = createBash(config, spoolDir);
  const guard = startGuard(config, () => calls.atWork());
  const calls = createCalls({ journal, bash, tools, guard });
  const inputs = createInputs(config.journalDir);
  setTimeout(() => tools.warm(), WARM_AFTER_MS);
  return await serveByDialling(config.dial, createHandler({ config, journal, calls, tools, inputs, spoolDir }));
}

const argument = process.argv[2];
if (argument === '--tools') runToolWorker();
else if (argument) await serve(argument);
else process.exit(2);
