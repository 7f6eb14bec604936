/**
 * Makes `dist/`, which is what `npm pack` packs: Node refuses TypeScript inside node_modules, so the package holds
 * JavaScript and declarations. The folder has the repository's layout, so that every path between files holds in both.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What is read at run time and is not code. */
const ASSETS = [
  'deploy/temporal/dynamic-config.yaml',
  'examples/demo/orders.csv',
  'examples/demo/rehearsal.yaml',
  'store/migrations',
  'tools/go/runsc',
  'tools/go/temporal',
];
/** For drizzle-kit alone. */
const LEFT_OUT = /migrations\/meta\/\d+_snapshot\.json$/;

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
execFileSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' });
for (const path of ASSETS) {
  cpSync(join(root, path), join(dist, path), { recursive: true, filter: (source) => !LEFT_OUT.test(source) });
}
for (const path of entries(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports)) {
  if (!existsSync(join(root, path))) throw new Error(`package.json exports ${path}, which the build did not make.`);
}

function entries(exported: unknown): string[] {
  if (typeof exported === 'string') return [exported];
  return typeof exported === 'object' && exported !== null ? Object.values(exported).flatMap(entries) : [];
}
