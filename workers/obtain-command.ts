/** `longhand obtain`: the programs that are not npm packages, now rather than at the first start. Tests begin with it. */
import { assertSandboxPossible } from '../sandbox/gvisor/preflight.ts';
import { postgresBinaries } from '../store/postgres/binaries.ts';
import { findRunsc, findTemporal } from './programs/find-program.ts';
import { readSettings } from './settings.ts';
import { temporalTarget } from './temporal-connection.ts';

export async function obtainCommand(): Promise<number> {
  const settings = readSettings(process.env);
  await assertSandboxPossible(settings.LONGHAND_HOME);
  const find = { onProgress: (line: string) => console.error(line) };
  if (!temporalTarget(process.env)) console.log(`temporal  ${await findTemporal(find)}`);
  console.log(`runsc     ${await findRunsc(find)}`);
  console.log(`postgres  ${(await postgresBinaries()).postgres}`);
  return 0;
}
