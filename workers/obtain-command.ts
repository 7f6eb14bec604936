/** `longhand obtain`: the programs that are not npm packages, now rather than at the first start. Tests begin with it. */
import { assertSandboxPossible } from '../sandbox/gvisor/preflight.ts';
import { postgresBinaries } from '../store/postgres/binaries.ts';
import { findProgram, findRunsc, findTemporal } from './programs/find-program.ts';
import {
  COMPOSE_SPEC,
  HELM,
  KUBERNETES_STRICT,
  S3_SERVER,
  TEMPORAL_SERVER,
  TEMPORAL_SQL_TOOL,
} from './programs/program.ts';
import { readSettings } from './settings.ts';
import { temporalTarget } from './temporal-connection.ts';

/** Adds what only Longhand's own tests need. */
const FOR_TESTS = '--for-tests';

export async function obtainCommand(args: string[]): Promise<number> {
  if (args.some((arg) => arg !== FOR_TESTS)) {
    console.error(`longhand obtain knows only ${FOR_TESTS} (got ${args.join(' ')}).`);
    return 2;
  }
  const settings = readSettings(process.env);
  await assertSandboxPossible(settings.LONGHAND_HOME);
  const find = { onProgress: (line: string) => console.error(line) };
  if (!temporalTarget(process.env)) console.log(`temporal  ${await findTemporal(find)}`);
  console.log(`runsc     ${await findRunsc(find)}`);
  console.log(`postgres  ${(await postgresBinaries()).postgres}`);
  if (args.length === 0) return 0;
  // The server's tool first: it makes most of what Go keeps for the server.
  for (const program of [TEMPORAL_SQL_TOOL, TEMPORAL_SERVER, COMPOSE_SPEC, S3_SERVER, HELM, KUBERNETES_STRICT]) {
    console.log(`${program.name}  ${await findProgram(program, find)}`);
  }
  return 0;
}
