/**
 * A stand-in for Longhand, for tests of the demo alone: just enough of the API to play one session, with tools that run
 * in a folder instead of a sandbox. It can also do what a healthy Longhand never does, so that the demo is seen to notice.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import Anthropic from '@anthropic-ai/sdk';
import type { MessageParam, ToolResultBlockParam } from '@anthropic-ai/sdk/resources/messages';

export interface StandInOptions {
  /** Base URL of the rehearsal. */
  model: string;
  /** Stands for the sandbox's file system. */
  folder: string;
  /** What goes wrong with the long command. */
  fault?: 'runs twice' | 'fails' | 'loses its result' | 'resumes late';
}

export interface StandIn {
  url: string;
  getFile(session: string, path: string): Promise<Uint8Array>;
  close(): void;
}

type Wire = Record<string, unknown> & { type: string };
type Call = { id: string; use: string; name: string; input: Record<string, string> };

const SESSION = 'sesn_standin';

export async function startStandIn(options: StandInOptions): Promise<StandIn> {
  const log: Wire[] = [];
  const readers = new Set<ServerResponse>();
  const waiting = new Map<string, (event: Wire) => void>();
  const inside = (text: string) =>
    text
      .replaceAll('/workspace', join(options.folder, 'workspace'))
      .replaceAll('/mnt/session', join(options.folder, 'session'));

  const emit = (event: Wire): string => {
    const id = `sevt_${log.length}`;
    log.push({ id, processed_at: new Date().toISOString(), ...event });
    for (const reader of readers) reader.write(`event: ${event.type}\ndata: ${JSON.stringify(log.at(-1))}\n\n`);
    return id;
  };

  const execute = async ({ name, input }: Call): Promise<ToolResultBlockParam> => {
    const path = inside(input.file_path ?? '');
    try {
      if (name === 'write') {
        mkdirSync(dirname(path), { recursive: true });
        // The batches wait a second each; a test has less time.
        writeFileSync(path, inside(input.content ?? '').replace('pause(1000)', 'pause(120)'));
      } else if (name === 'edit')
        writeFileSync(path, readFileSync(path, 'utf8').replace(input.old_string ?? '', input.new_string ?? ''));
      else {
        const run = () => promisify(execFile)('bash', ['-c', inside(input.command ?? '')]);
        const { stdout } = await run();
        if (!isLong(input)) return { type: 'tool_result', tool_use_id: '', content: stdout || 'done' };
        if (options.fault === 'fails') throw new Error('unknown outcome');
        if (options.fault === 'runs twice') await run();
        if (options.fault === 'resumes late') await sleep(400);
        return { type: 'tool_result', tool_use_id: '', content: stdout };
      }
      return { type: 'tool_result', tool_use_id: '', content: 'done' };
    } catch (error) {
      return { type: 'tool_result', tool_use_id: '', is_error: true, content: String(error) };
    }
  };

  const runCall = async (call: Call): Promise<ToolResultBlockParam> => {
    const result = await execute(call);
    if (!(options.fault === 'loses its result' && isLong(call.input)))
      emit({
        type: 'agent.tool_result',
        tool_use_id: call.id,
        content: [{ type: 'text', text: result.content }],
        is_error: result.is_error === true,
      });
    return { ...result, tool_use_id: call.use };
  };

  const turn = async (content: MessageParam['content']) => {
    const client = new Anthropic({ baseURL: options.model, apiKey: 'any', authToken: null });
    const messages: MessageParam[] = [{ role: 'user', content }];
    emit({ type: 'session.status_running' });
    for (;;) {
      emit({ type: 'span.model_request_start' });
      const reply = await client.messages.create({ model: 'claude-opus-5-5', max_tokens: 8_000, messages });
      messages.push({ role: 'assistant', content: reply.content });
      const calls: Call[] = [];
      for (const block of reply.content) {
        if (block.type === 'thinking') emit({ type: 'agent.thinking' });
        if (block.type === 'text') emit({ type: 'agent.message', content: [{ type: 'text', text: block.text }] });
        if (block.type !== 'tool_use') continue;
        const asks = block.name === 'edit';
        const input = block.input as Record<string, string>;
        const id = emit({
          type: 'agent.tool_use',
          name: block.name,
          input,
          evaluated_permission: asks ? 'ask' : 'allow',
        });
        calls.push({ id, use: block.id, name: block.name, input });
      }
      emit({ type: 'span.model_request_end', is_error: false });
      if (calls.length === 0) break;
      const denied = await confirmation(calls);
      const results = denied ?? (await Promise.all(calls.map(runCall)));
      messages.push({ role: 'user', content: results });
    }
    emit({ type: 'session.status_idle', stop_reason: { type: 'end_turn' }, stop_details: null });
  };

  /** Waits for the answer to an `edit`; the results when it is no. */
  const confirmation = async (calls: Call[]): Promise<ToolResultBlockParam[] | undefined> => {
    const asked = calls.find((call) => call.name === 'edit');
    if (!asked) return undefined;
    const answer = new Promise<Wire>((resolve) => waiting.set(asked.id, resolve));
    emit({
      type: 'session.status_idle',
      stop_reason: { type: 'requires_action', event_ids: [asked.id] },
      stop_details: null,
    });
    const { result, deny_message: why } = await answer;
    if (result === 'allow') return undefined;
    emit({
      type: 'agent.tool_result',
      tool_use_id: asked.id,
      content: [{ type: 'text', text: String(why) }],
      is_error: true,
    });
    return [{ type: 'tool_result', tool_use_id: asked.use, content: String(why), is_error: true }];
  };

  const post = (event: Wire) => {
    emit(event);
    if (event.type === 'user.message') void turn(event.content as MessageParam['content']);
    else waiting.get(String(event.tool_use_id))?.(event);
  };

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const path = new URL(request.url ?? '/', 'http://stand-in').pathname;
    if (path.endsWith('/stream')) {
      readers.add(response);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': open\n\n');
      return;
    }
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const sent = request.method === 'POST' ? (JSON.parse(body) as { name?: string; events?: Wire[] }) : {};
    for (const event of sent.events ?? []) post(event);
    const id = path === '/v1/sessions' ? SESSION : 'agent_standin';
    const answer = path.endsWith('/events')
      ? { data: sent.events ?? log, next_page: null }
      : { id, version: 1, name: sent.name };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  };

  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    getFile: async (_, path) => readFileSync(inside(path)),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function isLong(input: Record<string, string>): boolean {
  return /clean\.mjs$/.test(input.command ?? '');
}
