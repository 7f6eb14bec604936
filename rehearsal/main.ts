/** `node rehearsal/main.ts FILE…`: plays rehearsals until it is stopped. */
import { parseArgs } from 'node:util';
import { ScriptError } from './errors.ts';
import { loadFile } from './load.ts';
import { startRehearsal } from './rehearsal.ts';

const USAGE = `Usage: node rehearsal/main.ts FILE… [options]
Speaks the Messages API and plays the rehearsals in FILE… in a model's place.

  --port N             default 8788 (0: any free port)
  --host NAME          default 127.0.0.1
  --first-token-ms N   time until an answer begins, instead of the file's
  --chunk-ms N         time between chunks, instead of the file's
  --check              only check the files`;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        port: { type: 'string', default: '8788' },
        host: { type: 'string', default: '127.0.0.1' },
        'first-token-ms': { type: 'string' },
        'chunk-ms': { type: 'string' },
        check: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help || positionals.length === 0) {
      console.error(USAGE);
      return values.help ? 0 : 2;
    }
    const titles = positionals.map((file) => `“${loadFile(file).title}” (${file})`).join(', ');
    if (values.check) {
      console.log(`Ready to be played: ${titles}`);
      return 0;
    }
    const rehearsal = await startRehearsal({
      file: positionals,
      host: values.host,
      port: number('port', values.port) ?? 8788,
      firstTokenMs: number('first-token-ms', values['first-token-ms']),
      chunkMs: number('chunk-ms', values['chunk-ms']),
    });
    console.log(`REHEARSAL, not a model: ${titles} at ${rehearsal.url} (any API key)`);
    await new Promise((resolve) => {
      process.once('SIGINT', resolve);
      process.once('SIGTERM', resolve);
    });
    await rehearsal.close();
    return 0;
  } catch (error) {
    console.error(explain(error));
    return 2;
  }
}

function number(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const parsed = Number(value);
  if (!Number.isInteger(parsed) || parsed < 0)
    throw new TypeError(`--${name} needs a whole number, not "${value}"\n${USAGE}`);
  return parsed;
}

/** What went wrong in a line or two; the stack only where it is our own fault. */
function explain(error: unknown): string {
  if (error instanceof ScriptError || error instanceof TypeError) return error.message;
  const { code, message = String(error) } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return `${message}: another program has this port; choose one with --port`;
  return code ? message : error instanceof Error ? (error.stack ?? message) : message;
}
