/** The tool server as one file, made by esbuild and kept by content in a cache folder. */
import { createHash } from 'node:crypto';
import { access, chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, stop } from 'esbuild';

/** Bundles `server/main.ts` (about 0.1 s) and returns the file's path, readable by every uid. */
export async function bundleToolServer(cacheDir: string): Promise<string> {
  const code = await buildOnce({
    // `.ts` in a checkout, `.js` in the installed package.
    entryPoints: [fileURLToPath(new URL(`./server/main${extname(import.meta.url)}`, import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    minify: true,
    keepNames: true,
    logLevel: 'silent',
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
  });
  const name = `tool-server-${createHash('sha256').update(code).digest('hex').slice(0, 16)}.mjs`;
  const path = join(cacheDir, name);
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (there) return path;
  await mkdir(cacheDir, { recursive: true, mode: 0o755 });
  const draft = join(cacheDir, `.${name}.${process.pid}`);
  await writeFile(draft, code, { mode: 0o644 });
  await chmod(draft, 0o644);
  await rename(draft, path);
  return path;
}

let builds = 0;

/** Without the process that esbuild leaves for the next build: 50 MB, and there is none. */
async function buildOnce(options: BuildOptions): Promise<Uint8Array> {
  builds++;
  try {
    const { outputFiles } = await build({ ...options, write: false });
    const code = outputFiles[0]?.contents;
    if (!code) throw new Error('esbuild made no tool server; this is a bug.');
    return code;
  } finally {
    // Not under another's feet.
    if (--builds === 0) await stop();
  }
}
