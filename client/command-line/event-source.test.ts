/** Faults that a healthy server does not show; the rest is in `test/command-line/sessions.test.ts`, against a real one. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Anthropic from '@anthropic-ai/sdk';
import { afterEach, expect, test } from 'vitest';
import { type EventSourceOptions, openEvents } from './event-source.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const servers: (() => void)[] = [];
afterEach(() => {
  for (const close of servers.splice(0)) close();
});

/** Answers each connection with the next of the list, the last one again and again. */
async function serve(...answers: Answer[]): Promise<{ api: Anthropic; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    asked.push(`${query.get('from') ?? '-'} after ${request.headers['last-event-id'] ?? '-'}`);
    answers[Math.min(asked.length, answers.length) - 1]?.(response, request);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { api: new Anthropic({ baseURL, apiKey: 'lh-test', authToken: null }), asked };
}

const open = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' });
const frame = (seq: number, type = 'agent.message') =>
  `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ type, id: `e${seq}` })}\n\n`;
const refuse = (status: number, type: string): Answer => {
  return (response) =>
    response.writeHead(status).end(JSON.stringify({ type: 'error', error: { type, message: type } }));
};

async function read(
  api: Anthropic,
  more: Partial<EventSourceOptions> = {},
): Promise<{ ids: string[]; notes: string[] }> {
  const notes: string[] = [];
  const options = { from: 'start' as const, previews: false, signal: new AbortController().signal, ...more };
  const events = await openEvents(api, 'sesn_1', { ...options, onNote: (line) => notes.push(line) });
  const ids: string[] = [];
  for await (const event of events) if ('id' in event) ids.push(event.id);
  return { ids, notes };
}

test('a connection on which nothing comes any more is given up, and the next one goes on after the last event', async () => {
  const { api, asked } = await serve(
    (response) => void open(response).write(frame(0) + frame(1)),
    (response) => void open(response).end(frame(2) + frame(3, 'session.deleted')),
  );
  expect((await read(api, { silenceMs: 300 })).ids).toEqual(['e0', 'e1', 'e2', 'e3']);
  expect(asked).toEqual(['0 after -', '- after 1']);
});

test('an event that was cut in the middle is read whole from the next connection, once', async () => {
  const { api, asked } = await serve(
    (response) => void open(response).end(frame(0) + frame(1).slice(0, -12)),
    (response) => void open(response).end(frame(1) + frame(2, 'session.deleted')),
  );
  expect((await read(api)).ids).toEqual(['e0', 'e1', 'e2']);
  expect(asked).toEqual(['0 after -', '- after 0']);
});

test('a server that is away is waited for, with one note when it goes and one when it is back', async () => {
  const { api } = await serve(
    (response) => void open(response).end(frame(0)),
    refuse(503, 'api_error'),
    refuse(503, 'api_error'),
    (response) => void open(response).end(frame(1, 'session.deleted')),
  );
  expect(await read(api)).toEqual({
    ids: ['e0', 'e1'],
    notes: ['The connection was lost; trying again.', 'Connected again.'],
  });
});

test('a session that was deleted meanwhile ends it; a key that was revoked is an error', async () => {
  const first: Answer = (response) => void open(response).end(frame(0));
  const gone = await serve(first, refuse(404, 'not_found_error'));
  expect(await read(gone.api)).toEqual({ ids: ['e0'], notes: ['The session was deleted meanwhile.'] });
  const revoked = await serve(first, refuse(401, 'authentication_error'));
  await expect(read(revoked.api)).rejects.toBeInstanceOf(Anthropic.AuthenticationError);
});

test('a damaged log is an error, and not read for ever', async () => {
  const { api, asked } = await serve((response) => {
    const error = { type: 'error', error: { type: 'api_error', message: 'A blob is missing.' } };
    open(response).end(`${frame(0)}event: error\ndata: ${JSON.stringify(error)}\n\n`);
  });
  await expect(read(api)).rejects.toThrow('A blob is missing.');
  expect(asked).toHaveLength(1);
});

test('the signal ends it without an error, also between two connections', async () => {
  const { api } = await serve((response) => void open(response).write(frame(0)));
  expect((await read(api, { signal: AbortSignal.timeout(300) })).ids).toEqual(['e0']);
  const away = await serve((response) => void open(response).end(frame(0)), refuse(503, 'api_error'));
  expect((await read(away.api, { signal: AbortSignal.timeout(700) })).ids).toEqual(['e0']);
});
