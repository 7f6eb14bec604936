/**
 * The rehearsal: a server that speaks the Messages API and plays a script instead of thinking. It is what the demo, the
 * tests and the benchmarks put in a model's place, so it is as strict with requests as the real API, and it knows nothing
 * of Longhand. It must not run tools, keep a conversation, or pass for a model: its ids, headers and fallback say what it is.
 *
 * @example
 * const rehearsal = await startRehearsal({ file: 'examples/demo/rehearsal.yaml', firstTokenMs: 0 });
 * const client = new Anthropic({ baseURL: rehearsal.url, apiKey: 'any' });
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPromptCache } from './cache.ts';
import { createFaultCounter } from './faults.ts';
import type { RehearsalFile } from './file-schema.ts';
import { loadFile, loadScript, loadYaml } from './load.ts';
import { serve } from './server.ts';
import type { RequestRecord, Stage } from './stage.ts';

export type { RehearsalFile } from './file-schema.ts';
export type { RequestRecord } from './stage.ts';

export interface RehearsalOptions {
  /** YAML files; the model id of a request chooses among them (`models:` in the file). */
  file?: string | string[];
  /** The same as YAML text, or as an object. */
  script?: string | RehearsalFile | (string | RehearsalFile)[];
  /** Default 0: any free port. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Milliseconds until the first event of an answer; overrides the script's. */
  firstTokenMs?: number;
  /** Milliseconds between chunks; overrides the script's. 0 when `firstTokenMs` is 0 and this is absent. */
  chunkMs?: number;
  /** How many requests `requests` keeps, the latest ones. Default 1,000. */
  keepRequests?: number;
}

export interface Rehearsal {
  /** Base URL for a client, without `/v1`. */
  url: string;
  port: number;
  /** What was asked, oldest first. */
  requests: RequestRecord[];
  /** Stops at once; streams that are under way are cut. */
  close(): Promise<void>;
}

/** @throws ScriptError naming what is wrong in a file; the system's own error when the port is taken. */
export async function startRehearsal(options: RehearsalOptions): Promise<Rehearsal> {
  const files = [options.file ?? []].flat().map(loadFile);
  const inline = [options.script ?? []].flat().map((it) => (typeof it === 'string' ? loadYaml(it) : loadScript(it)));
  const requests: RequestRecord[] = [];
  const chunkMs = options.chunkMs ?? (options.firstTokenMs === 0 ? 0 : undefined);
  const stage: Stage = {
    scripts: [...files, ...inline],
    pace: {
      ...(options.firstTokenMs !== undefined && { firstTokenMs: options.firstTokenMs }),
      ...(chunkMs !== undefined && { chunkMs }),
    },
    cache: createPromptCache(),
    faults: createFaultCounter(),
    record(request: RequestRecord) {
      requests.push(request);
      if (requests.length > (options.keepRequests ?? 1_000)) requests.shift();
    },
  };
  const server = createServer((request, response) => void serve(stage, request, response));
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
