/** `longhand doctor [api|brain|hands] [--json]` on a terminal. */
import { parseArgs } from 'node:util';
import { examine, type Finding } from './doctor.ts';
import type { ProcessName } from './settings.ts';

const USAGE = `Usage: longhand doctor [api|brain|hands] [--json]
  Looks at what \`longhand dev\` needs here, or at what one part alone needs. Changes nothing.
  Exit code: 0 when nothing that is needed is missing, 1 when something is, 2 when called wrongly.`;

const PARTS: readonly string[] = ['api', 'brain', 'hands'] satisfies ProcessName[];

export async function doctorCommand(args: string[]): Promise<number> {
  const called = parse(args);
  if (!called) {
    console.error(USAGE);
    return 2;
  }
  const findings = await examine(process.env, called.part);
  const ok = findings.every(({ status }) => status !== 'missing');
  console.log(called.json ? JSON.stringify({ ok, findings }, null, 2) : page(findings, ok));
  return ok ? 0 : 1;
}

function parse(args: string[]): { part: ProcessName | undefined; json: boolean } | undefined {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false } },
    });
    const [part, ...rest] = positionals;
    if (rest.length > 0 || (part !== undefined && !PARTS.includes(part))) return undefined;
    return { part: part as ProcessName | undefined, json: values.json };
  } catch {
    return undefined;
  }
}

function page(findings: Finding[], ok: boolean): string {
  const width = Math.max(...findings.map(({ check }) => check.length)) + 2;
  const lines = findings.flatMap(({ check, status, found, fix }) => {
    const first = `${status.padEnd(9)}${check.padEnd(width)}${found}`;
    return fix ? [first, `${' '.repeat(9 + width)}Fix: ${fix}.`] : [first];
  });
  return [...lines, '', ok ? 'Nothing that is needed is missing.' : 'Something that is needed is missing.'].join('\n');
}
