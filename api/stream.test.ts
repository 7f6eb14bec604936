import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { primaryThreadId } from '../events/ids.ts';
import type { PreviewEvent } from '../events/wire.ts';
import { externalize } from '../store/blobs/parts.ts';
import { removeSession, setPhase } from '../store/sessions.ts';
import { BETA, KEY, message, type TestApi, useApi } from './testing.ts';
import { makeStored, type StoredSession } from './testing-log.ts';

const api = useApi({ settings: { streams: { lookMs: 150, commentMs: 100, slowMs: 500 } } });

interface Frame {
  id?: string;
  event?: string;
  // biome-ignore lint/suspicious/noExplicitAny: frames of every type
  data?: any;
  comment?: string;
}

/** A stream, read frame by frame. */
async function open(path: string, headers: Record<string, string> = {}) {
  const abort = new AbortController();
  const response = await fetch(new URL(path, api().url), {
    headers: { authorization: `Bearer ${KEY}`, 'anthropic-version': '2026-10-21', 'anthropic-beta': BETA, ...headers },
    signal: abort.signal,
  });
  const frames = parse(response);
  const events = async (count: number): Promise<Frame[]> => {
    const seen: Frame[] = [];
    while (seen.length < count) {
      const { value, done } = await frames.next();
      if (done) break;
      if (value.event) seen.push(value);
    }
    return seen;
  };
  /** What comes until the server ends the stream. */
  const rest = () => events(Number.POSITIVE_INFINITY);
  return { response, frames, events, rest, close: () => abort.abort() };
}

async function* parse(response: Response): AsyncGenerator<Frame> {
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const frame: Frame = {};
      for (const line of text.slice(0, end).split('\n')) {
        if (line.startsWith(':')) frame.comment = line.slice(1).trim();
        else if (line.startsWith('id: ')) frame.id = line.slice(4);
        else if (line.startsWith('event: ')) frame.event = line.slice(7);
        else if (line.startsWith('data: ')) frame.data = JSON.parse(line.slice(6));
      }
      text = text.slice(end + 2);
      yield frame;
    }
  }
}

const said = (text: string) => ({ type: 'agent.message' as const, content: [{ type: 'text', text }] });
const say = (session: StoredSession, text: string) => session.append(said(text));
const ids = (frames: Frame[]) => frames.map((frame) => frame.id);
const texts = (frames: Frame[]) => frames.map((frame) => frame.data.content?.[0].text);

async function preview(of: TestApi, session: string, events: PreviewEvent[], request = 1): Promise<void> {
  await of.deps.bus.publish({
    kind: 'preview',
    session,
    thread: primaryThreadId(session),
    request,
    attempt: 0,
    events,
  });
}
const start = (id: string, type: 'agent.message' | 'agent.thinking' = 'agent.message'): PreviewEvent => ({
  type: 'event_start',
  event: { type, id },
});
const delta = (event_id: string, text: string): PreviewEvent => ({
  type: 'event_delta',
  event_id,
  delta: { type: 'content_delta', index: 0, content: { type: 'text', text } },
});

describe('from where', () => {
  test('headers and a comment come at once, then only what is new', async () => {
    const session = await makeStored(api());
    const { id } = session;
    await say(session, 'before');
    const stream = await open(`/v1/sessions/${id}/events/stream`);
    expect(stream.response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect((await stream.frames.next()).value).toEqual({ comment: 'listening' });
    await say(session, 'after');
    const [frame] = await stream.events(1);
    expect(frame).toMatchObject({
      id: '1',
      event: 'agent.message',
      data: { type: 'agent.message', content: [{ text: 'after' }] },
    });
    stream.close();
  });

  test('nothing that is sent after the stream has opened is missed', async () => {
    const session = await makeStored(api());
    const { id } = session;
    const stream = await open(`/v1/sessions/${id}/events/stream`);
    await Promise.all(Array.from({ length: 20 }, (_, i) => say(session, `${i}`)));
    expect(ids(await stream.events(20))).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    stream.close();
  });

  test('Last-Event-ID goes on without a gap, and ?from replays', async () => {
    const session = await makeStored(api());
    const { id } = session;
    for (const text of ['a', 'b', 'c']) await say(session, text);
    const resumed = await open(`/v1/sessions/${id}/events/stream`, { 'last-event-id': '0' });
    expect(texts(await resumed.events(2))).toEqual(['b', 'c']);
    const replayed = await open(`/v1/sessions/${id}/events/stream?from=0`);
    expect(texts(await replayed.events(3))).toEqual(['a', 'b', 'c']);
    await say(session, 'd');
    expect(texts([...(await resumed.events(1)), ...(await replayed.events(1))])).toEqual(['d', 'd']);
    resumed.close();
    replayed.close();
  });

  test.each(['events/stream', 'stream', 'threads/THREAD/stream'])('the same on %s', async (path) => {
    const session = await makeStored(api());
    const { id } = session;
    const stream = await open(`/v1/sessions/${id}/${path.replace('THREAD', primaryThreadId(id))}`);
    await say(session, 'x');
    expect(texts(await stream.events(1))).toEqual(['x']);
    stream.close();
  });
});

test('an inbound event comes again when it has been processed', async () => {
  const session = await makeStored(api());
  const { id } = session;
  const stream = await open(`/v1/sessions/${id}/events/stream`);
  const event = { ...message('x'.repeat(40_000)), type: 'user.message' as const, processed_at: null };
  const moved = await externalize(id, { event }, api().deps.blobs);
  await session.append(moved.event, { blobs: moved.blobs });
  await session.process(0);
  const [first, second] = await stream.events(2);
  expect(first?.data.processed_at).toBeNull();
  expect(second?.data).toEqual({ ...first?.data, processed_at: expect.any(String) });
  expect([first?.id, second?.id]).toEqual(['0', '1']);
  stream.close();
});

test('a lost nudge delays an event by a look at most', async () => {
  const session = await makeStored(api());
  const { id } = session;
  await say(session, 'first');
  const stream = await open(`/v1/sessions/${id}/events/stream`);
  await api().database.pool.query(
    `insert into log_entries (session_id, thread, seq, run_id, hash, body, type, event_id)
       select session_id, thread, 1, run_id, hash, replace(body, '"seq":0', '"seq":1'), type, event_id from log_entries where session_id = $1`,
    [id],
  );
  await api().database.pool.query('update log_heads set head = 1 where session_id = $1', [id]);
  expect(ids(await stream.events(1))).toEqual(['1']);
  stream.close();
});

test('comments keep a silent stream alive', async () => {
  const stream = await open(`/v1/sessions/${(await makeStored(api())).id}/events/stream`);
  for (const comment of ['listening', 'still here', 'still here']) {
    expect((await stream.frames.next()).value).toEqual({ comment });
  }
  stream.close();
});

describe('previews', () => {
  const last = (session: StoredSession) => say(session, 'END');

  test('only of the types that were asked for, without ids, up to their event', async () => {
    const session = await makeStored(api());
    const { id } = session;
    const both = await open(
      `/v1/sessions/${id}/events/stream?event_deltas[]=agent.message&event_deltas[]=agent.thinking`,
    );
    const thinking = await open(`/v1/sessions/${id}/events/stream?event_deltas[]=agent.thinking`);
    const none = await open(`/v1/sessions/${id}/events/stream`);
    await preview(api(), id, [start('sevt_t', 'agent.thinking'), start('sevt_m'), delta('sevt_m', 'Hel')]);
    await preview(api(), id, [delta('sevt_m', 'lo')]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await session.append({ ...said('Hello'), id: 'sevt_m' });
    await preview(api(), id, [delta('sevt_m', '!'), start('sevt_m')]);
    await last(session);
    const shown = (frames: Frame[]) =>
      frames.map((frame) => frame.data.type + (frame.data.delta?.content.text ?? frame.data.content?.[0].text ?? ''));
    const seen = await both.events(6);
    expect(shown(seen)).toEqual([
      'event_start',
      'event_start',
      'event_deltaHel',
      'event_deltalo',
      'agent.messageHello',
      'agent.messageEND',
    ]);
    expect(seen.slice(0, 4).map((frame) => frame.id)).toEqual([undefined, undefined, undefined, undefined]);
    expect(shown(await thinking.events(3))).toEqual(['event_start', 'agent.messageHello', 'agent.messageEND']);
    expect(shown(await none.events(2))).toEqual(['agent.messageHello', 'agent.messageEND']);
    for (const stream of [both, thinking, none]) stream.close();
  });

  test('whoever comes in the middle of a request sees nothing of it', async () => {
    const session = await makeStored(api());
    const { id } = session;
    const early = await open(`/v1/sessions/${id}/events/stream?event_deltas[]=agent.message`);
    await preview(api(), id, [start('sevt_m')]);
    expect((await early.events(1))[0]?.event).toBe('event_start');
    early.close();
    const stream = await open(`/v1/sessions/${id}/events/stream?event_deltas[]=agent.message`);
    await preview(api(), id, [delta('sevt_m', 'lo')]);
    await last(session);
    expect(texts(await stream.events(1))).toEqual(['END']);
    stream.close();
  });

  test('a request that ended without its event shows no more', async () => {
    const session = await makeStored(api());
    const { id } = session;
    const stream = await open(`/v1/sessions/${id}/events/stream?event_deltas[]=agent.message`);
    await preview(api(), id, [start('sevt_m'), delta('sevt_m', 'a')]);
    await stream.events(2);
    await session.append({ type: 'span.model_request_end' });
    await stream.events(1);
    await preview(api(), id, [delta('sevt_m', 'b'), start('sevt_n')]);
    await preview(api(), id, [start('sevt_o'), delta('sevt_o', 'c')], 2);
    expect((await stream.events(2)).map((frame) => frame.data.type)).toEqual(['event_start', 'event_delta']);
    stream.close();
  });
});

test('an entry whose blob is gone ends the stream with an error, which an SDK raises', async () => {
  const session = await makeStored(api());
  const stream = await api().client().beta.sessions.events.stream(session.id);
  const event = { type: 'user.message' as const, content: null };
  await session.append(event, { blobs: [{ at: '/event/content', sha256: 'f'.repeat(64), bytes: 1, json: true }] });
  const read = async () => {
    for await (const one of stream) expect(one).toBeUndefined();
  };
  await expect(read()).rejects.toThrow(/missing from the blob store/);
});

test('a HEAD of a stream opens none', async () => {
  const { id } = await makeStored(api());
  const headers = { authorization: `Bearer ${KEY}`, 'anthropic-version': '2026-10-21', 'anthropic-beta': BETA };
  const response = await fetch(new URL(`/v1/sessions/${id}/events/stream`, api().url), { method: 'HEAD', headers });
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    expect.stringContaining('event-stream'),
  ]);
});

describe('the end', () => {
  const terminate = (session: StoredSession) => {
    session.status = 'terminated';
    return session.append({ type: 'session.status_terminated' });
  };
  const deleting = (id: string) => setPhase(api().database.orm, id, 'live', 'deleting');

  test('of an archived session', async () => {
    const session = await makeStored(api());
    const stream = await open(`/v1/sessions/${session.id}/events/stream`);
    await terminate(session);
    expect((await stream.rest()).map((frame) => frame.event)).toEqual(['session.status_terminated']);
    const late = await open(`/v1/sessions/${session.id}/events/stream`);
    expect(await late.rest()).toEqual([]);
    const replay = await open(`/v1/sessions/${session.id}/events/stream?from=0`);
    expect((await replay.rest()).map((frame) => frame.event)).toEqual(['session.status_terminated']);
  });

  test('of a deleted session: it terminates first, and the stream waits for the rest', async () => {
    const session = await makeStored(api());
    const stream = await open(`/v1/sessions/${session.id}/events/stream`);
    await deleting(session.id);
    await terminate(session);
    expect((await stream.events(1))[0]?.event).toBe('session.status_terminated');
    await removeSession(api().database.orm, session.id);
    const note = {
      kind: 'deleted' as const,
      session: session.id,
      event_id: '',
      processed_at: '2026-01-01T00:00:00.000Z',
    };
    await api().deps.bus.publish(note);
    const [frame, ...more] = await stream.rest();
    expect(frame?.data).toEqual({
      type: 'session.deleted',
      id: expect.stringMatching(/^sevt_/),
      processed_at: expect.any(String),
    });
    expect(more).toEqual([]);
  });

  test('of a deleted session, when nobody says so', async () => {
    const session = await makeStored(api());
    await say(session, 'x');
    const stream = await open(`/v1/sessions/${session.id}/events/stream`);
    await removeSession(api().database.orm, session.id);
    expect((await stream.rest()).map((frame) => frame.event)).toEqual(['session.deleted']);
  });

  test('of the process: streams end, and nothing is left listening', async () => {
    const stream = await open(`/v1/sessions/${(await makeStored(api())).id}/events/stream`);
    await api().restart();
    expect(await stream.rest()).toEqual([]);
  });
});

test('a client that does not read is cut off, and others notice nothing', async () => {
  const session = await makeStored(api());
  const { id } = session;
  const { port, host } = new URL(api().url);
  const socket = connect(Number(port), '127.0.0.1');
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined);
  socket.write(
    `GET /v1/sessions/${id}/events/stream HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${KEY}\r\nanthropic-version: 2023-06-01\r\nanthropic-beta: ${BETA}\r\n\r\n`,
  );
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  const reader = await open(`/v1/sessions/${id}/events/stream`);
  const read = reader.events(60);
  for (let i = 0; i < 60; i++) await say(session, 'x'.repeat(200_000));
  expect(await read).toHaveLength(60);
  const gone = setInterval(() => socket.destroyed || socket.resume(), 2000);
  await closed;
  clearInterval(gone);
  reader.close();
}, 20_000);
