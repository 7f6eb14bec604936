#!/usr/bin/env node
/**
 * The `longhand` command. Plain JavaScript that old versions of Node can read: it looks at the machine before anything of
 * Longhand is imported, so that a machine on which it cannot run gets a line that says what to do, never a stack trace.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR = 24;
const EXIT_UNSUPPORTED = 2;

/** What is wrong with this machine, or undefined. Each answer is whole lines for a person. */
function unsupported() {
  if (process.platform === 'darwin') {
    return (
      'Longhand runs on Linux: its sandboxes need the Linux kernel.\n' +
      'On macOS use a Linux virtual machine: "limactl start" (Lima) or "orb create ubuntu" (OrbStack), then clone and run it in there.'
    );
  }
  if (process.platform === 'win32') {
    return (
      'Longhand runs on Linux: its sandboxes need the Linux kernel.\n' +
      'On Windows use WSL2 ("wsl --install"), with the checkout inside it (for example in ~/longhand, not under /mnt/c).'
    );
  }
  if (process.platform !== 'linux') {
    return `Longhand runs on Linux, and this is ${process.platform}. Use a Linux virtual machine.`;
  }
  if (process.arch !== 'x64' && process.arch !== 'arm64') {
    return `Longhand runs on x64 and arm64, and this Node is for ${process.arch}. Use a 64-bit Linux and a 64-bit Node.`;
  }
  if (!hasGlibc()) {
    return (
      'Longhand needs glibc, and this system has musl (Alpine?): PostgreSQL and Temporal’s worker are built for glibc.\n' +
      'Use Debian, Ubuntu, Fedora or another system with glibc; as a container for example "node:24-bookworm".'
    );
  }
  return undefined;
}

function hasGlibc() {
  if (!process.report) return true;
  // Without this the report looks up names of network peers, which takes seconds on some machines.
  process.report.excludeNetwork = true;
  return Boolean(process.report.getReport().header.glibcVersionRuntime);
}

function fail(lines) {
  console.error(lines);
  process.exit(EXIT_UNSUPPORTED);
}

/** Node 24 from the optional npm package of this machine. */
function packagedNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-linux-${process.arch}/package.json`);
    const node = join(dirname(manifest), 'bin/node');
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}

/** Runs this same command with another Node, and ends as it ends. */
function runWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    // The channel tells the other Node when this process is gone, however it went.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, LONGHAND_REEXECUTED: '1' },
  });
  // The child decides when it has finished. (Ctrl-C reaches both processes anyway; a second one does no harm.)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`${node} cannot be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code === null ? 1 : code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

async function run() {
  let main;
  try {
    // A checkout may hold a `dist` of its last `npm pack` too: the sources are what counts there.
    ({ main } = await import(isCheckout() ? '../workers/cli.ts' : '../dist/workers/cli.js'));
  } catch (error) {
    if (error && error.code === 'ERR_MODULE_NOT_FOUND' && isCheckout() && !existsSync(join(root(), 'node_modules'))) {
      fail(`The npm packages are not installed. Run "npm ci" in ${root()} first.`);
    }
    fail(`Longhand cannot start: ${error instanceof Error ? error.message : error}`);
  }
  process.exit(await main(process.argv.slice(2)));
}

/** The installed package holds JavaScript only. */
function isCheckout() {
  return existsSync(join(root(), 'workers/cli.ts'));
}

function root() {
  return fileURLToPath(new URL('..', import.meta.url));
}

/** The command that brings Node 24 along. */
function installation() {
  return isCheckout() ? `"npm ci" in ${root()}` : '"npm install longhand"';
}

const problem = unsupported();
const major = Number(process.versions.node.split('.')[0]);
if (problem) {
  fail(problem);
} else if (major >= NODE_MAJOR) {
  run().catch((error) => fail(`Longhand ended with an error: ${error instanceof Error ? error.message : error}`));
} else {
  const node = process.env.LONGHAND_REEXECUTED ? undefined : packagedNode();
  if (node) {
    runWith(node);
  } else {
    fail(
      `Longhand needs Node ${NODE_MAJOR}, and this is ${process.version}.\n` +
        `Run ${installation()} (without --omit=optional), which brings Node ${NODE_MAJOR} along, or install Node ${NODE_MAJOR}.`,
    );
  }
}
