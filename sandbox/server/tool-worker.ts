/**
 * The process that runs the file tools, under the agent's uid: the SDK's toolset, and `read` for images and PDFs.
 * It talks to the tool server over Node's IPC channel. The agent can kill it or ptrace it; it cannot harm the server.
 */
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { ToolError } from '@anthropic-ai/sdk/lib/tools/ToolError';
import {
  betaEditTool,
  betaGlobTool,
  betaGrepTool,
  betaReadTool,
  betaWriteTool,
} from '@anthropic-ai/sdk/tools/agent-toolset/node';
import type { ResultBlock } from '../../events/wire.ts';
import type { FileStat, OutputListing } from '../hands.ts';
import { createOutputs } from './outputs.ts';
import { WORKSPACE } from './protocol.ts';
import { readMedia } from './read-media.ts';

export type WorkerRequest =
  | { ref: number; op: 'tool'; name: string; input: Record<string, unknown> }
  | { ref: number; op: 'list'; path: string }
  | { ref: number; op: 'locate'; path: string }
  | { ref: number; op: 'outputs'; limits: { fileBytes: number; files: number } }
  | { ref: number; op: 'abort'; target: number };

export type WorkerReply =
  | { ref: number; content: ResultBlock[]; isError: boolean }
  | { ref: number; files: FileStat[] }
  | { ref: number; file: FileStat }
  | { ref: number; outputs: OutputListing }
  | { ref: number; failure: string };

/** Serves requests until the tool server goes away. */
export function runToolWorker(): void {
  // Everything but the process itself: the sandbox and the uid are the border, not the folder.
  const context = { workdir: WORKSPACE, allowedRoots: ['/'] };
  const tools = [betaReadTool, betaWriteTool, betaEditTool, betaGlobTool, betaGrepTool].map((make) => make(context));
  const running = new Map<number, AbortController>();
  const outputs = createOutputs();

  const answer = async (request: WorkerRequest): Promise<WorkerReply | undefined> => {
    if (request.op === 'abort') {
      running.get(request.target)?.abort();
      return undefined;
    }
    const { ref } = request;
    if (request.op === 'list') return { ref, files: await list(request.path) };
    if (request.op === 'outputs') return { ref, outputs: await outputs(request.limits) };
    if (request.op === 'locate') return { ref, file: await locate(request.path) };
    const tool = tools.find((one) => 'name' in one && one.name === request.name);
    if (!tool) return { ref, content: [{ type: 'text', text: `There is no tool "${request.name}".` }], isError: true };
    const abort = new AbortController();
    running.set(ref, abort);
    try {
      const media = request.name === 'read' ? await readMedia(request.input) : undefined;
      if (media) return { ref, content: media, isError: false };
      const input = tool.parse(request.input) as never;
      const result = await tool.run(input, { signal: abort.signal } as never);
      return { ref, content: asBlocks(result), isError: false };
    } catch (error) {
      const content = error instanceof ToolError ? error.content : `${request.name}: ${(error as Error).message}`;
      return { ref, content: asBlocks(content), isError: true };
    } finally {
      running.delete(ref);
    }
  };

  process.on('message', (message) => {
    const request = message as WorkerRequest;
    answer(request)
      .catch((error: NodeJS.ErrnoException): WorkerReply => ({ ref: request.ref, failure: describe(error) }))
      .then((reply) => {
        if (reply) process.send?.(reply);
      })
      .catch(() => process.exit(1));
  });
  process.on('disconnect', () => process.exit(0));
}

function asBlocks(content: unknown): ResultBlock[] {
  if (Array.isArray(content)) return content as ResultBlock[];
  return [{ type: 'text', text: String(content) }];
}

function describe(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'no such file or directory';
  if (error.code === 'EACCES') return 'permission denied';
  if (error.code === 'ENOTDIR') return 'not a directory';
  return error.message;
}

async function list(path: string): Promise<FileStat[]> {
  const folder = absolute(path);
  const first = await stat(folder);
  if (first.type !== 'directory') return [first];
  const names = (await readdir(folder)).sort();
  const files: FileStat[] = [];
  for (const name of names) {
    // Removed meanwhile: it is not in the folder any more.
    const file = await stat(join(folder, name)).catch(() => undefined);
    if (file) files.push(file);
  }
  return files;
}

/** The regular file behind a path, links followed. Opens it, so that "permission denied" is said here. */
async function locate(path: string): Promise<FileStat> {
  const file = await stat(await realpath(absolute(path)));
  if (file.type !== 'file') throw new Error(`${path} is not a regular file`);
  await (await open(file.path, 'r')).close();
  return file;
}

function absolute(path: string): string {
  if (!isAbsolute(path)) return resolve(WORKSPACE, path);
  return resolve(path);
}

async function stat(path: string): Promise<FileStat> {
  const found = await lstat(path);
  const type = found.isFile()
    ? 'file'
    : found.isDirectory()
      ? 'directory'
      : found.isSymbolicLink()
        ? 'symlink'
        : 'other';
  return { path, type, bytes: found.size, modifiedAt: found.mtime.toISOString() };
}
