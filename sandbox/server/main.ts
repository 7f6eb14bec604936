/**
 * The tool server: runs inside every sandbox, starts the agent's commands and file tools under the agent's uid, and
 * remembers what came of them. It holds no secret and knows no model, no database and no Temporal.
 *
 * `node server.mjs <config.json>` serves (`-`: the config stands in LONGHAND_SERVER); `node server.mjs --tools` is the
 * process of the file tools; `node server.mjs --shell <port>` is the agent's side in a container of its own.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { killAllAgentProcesses } from './agent-processes.ts';
import type { AgentSide } from './agent-side.ts';
import { createCalls, settleLeftOpen } from './calls.ts';
import { readClaim } from './claims.ts';
import { serveByDialling } from './dial.ts';
import { prepareFolders } from './folders.ts';
import { createInputs } from './inputs.ts';
import { type Journal, openJournal } from './journal.ts';
import { serveByListening } from './listen.ts';
import { createLocalSide } from './local-side.ts';
import { createPeerSide } from './peer-side.ts';
import type { ServerConfig } from './protocol.ts';
import { createHandler } from './routes.ts';
import { runShellAgent } from './shell-agent.ts';
import { runToolWorker } from './tool-worker.ts';

// A slip in one request must not make the outcome of every running call unknown.
process.on('unhandledRejection', (error) => process.stderr.write(`tool server: ${String(error)}\n`));

const bundle = fileURLToPath(import.meta.url);

async function serve(config: ServerConfig): Promise<never> {
  const journal = openJournal(config.journalDir);
  readClaim(config);
  const spoolDir = join(config.journalDir, 'spool');
  rmSync(spoolDir, { recursive: true, force: true });
  mkdirSync(spoolDir, { mode: 0o700 });
  const side =
    config.shellPort === undefined
      ? await ownSide(config, journal, spoolDir)
      : peerSide(config.shellPort, config, journal);
  const calls = createCalls({ journal, side });
  const inputs = createInputs(config.journalDir);
  const handler = createHandler({ config, journal, calls, side, inputs, spoolDir });
  if ('dial' in config.serve) return await serveByDialling(config.serve.dial, handler);
  return await serveByListening(config.serve, handler);
}

/** The agent in this container, under another uid. */
async function ownSide(config: ServerConfig, journal: Journal, spoolDir: string): Promise<AgentSide> {
  prepareFolders(config.skills === true);
  if (journal.open().length > 0) {
    await killAllAgentProcesses();
    settleLeftOpen(journal);
  }
  return createLocalSide(config, bundle, spoolDir);
}

/** The agent in another container, which ended what ran there when the connection to our predecessor ended. */
function peerSide(port: number, config: ServerConfig, journal: Journal): AgentSide {
  settleLeftOpen(journal);
  return createPeerSide(port, config, journal.isNew());
}

const [argument, port] = process.argv.slice(2);
if (argument === '--tools') runToolWorker();
else if (argument === '--shell' && port) await runShellAgent(Number(port), bundle);
else if (argument)
  await serve(JSON.parse(argument === '-' ? (process.env.LONGHAND_SERVER ?? '') : readFileSync(argument, 'utf8')));
else process.exit(2);
