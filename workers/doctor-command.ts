/** `longhand doctor`: what is there, what is missing, and what to do about it. Changes nothing. */
import { parseArgs } from 'node:util';
import { type Finding, findings } from './doctor.ts';

const SIGNS: Record<Finding['state'], string> = { ok: 'ok     ', note: 'note   ', missing: 'MISSING' };

/** @returns 0 when everything that is needed is there, 1 when something is missing, 2 when it was called wrongly. */
export async function doctorCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { json: { type: 'boolean', default: false } } });
  const found = await findings(process.env);
  if (values.json) {
    console.log(JSON.stringify(found, null, 2));
  } else {
    const width = Math.max(...found.map(({ part }) => part.length));
    for (const { part, state, what, fix } of found) {
      console.log(`${SIGNS[state]}  ${part.padEnd(width)}  ${what}`);
      if (fix !== undefined) console.log(`${' '.repeat(width + 11)}→ ${fix}`);
    }
  }
  return found.some(({ state }) => state === 'missing') ? 1 : 0;
}
