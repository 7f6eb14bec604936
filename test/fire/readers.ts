/** Many readers of one session, who lose their connections now and then, and what none of them may ever see. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionEvent } from '../../events/wire.ts';

export interface ReaderOptions {
  /** Base URLs of the apis; asked each time anew, since a restarted one has another port. */
  urls(): string[];
  key: string;
  session: string;
  streams: number;
  pollers: number;
}

export interface Readers {
  /**
   * Waits until every stream has seen the end of the log, and says everything that was wrong: gaps, repeats, events
   * that the final log does not hold, pages that are no beginning of it. Empty: all is well.
   */
  finish(final: SessionEvent[]): Promise<string[]>;
}

interface Seen {
  seq: number;
  event: SessionEvent;
}

/** How long the streams may take to catch up with a log that has ended. ms */
const CATCH_UP_MS = 30_000;

export function startReaders(options: ReaderOptions): Readers {
  const over = new AbortController();
  const wrong: string[] = [];
  const pages: string[][] = [];
  const logs = Array.from({ length: options.streams }, (): Seen[] => []);
  const work = [
    ...logs.map((seen, index) => follow(seen, index)),
    ...Array.from({ length: options.pollers }, (_, index) => poll(index)),
  ];

  /** One client of the stream. Every third cuts its own connection every other second. */
  async function follow(seen: Seen[], index: number): Promise<void> {
    while (!over.signal.aborted) {
      const cut = index % 3 === 0 ? AbortSignal.timeout(1_000 + 150 * index) : undefined;
      const signal = AbortSignal.any([over.signal, ...(cut ? [cut] : [])]);
      const last = seen.at(-1)?.seq;
      const path = `/v1/sessions/${options.session}/events/stream${last === undefined ? '?from=0' : ''}`;
      const more: Record<string, string> = last === undefined ? {} : { 'last-event-id': String(last) };
      try {
        const response = await ask(path, index, signal, more);
        if (response.status !== 200) throw new Error(`status ${response.status}`);
        await read(response, seen, index);
      } catch {
        // Its api died, or it cut the connection: it comes back.
      }
      await sleep(100);
    }
  }

  async function read(response: Response, seen: Seen[], index: number): Promise<void> {
    let text = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        take(text.slice(0, end), seen, index);
        text = text.slice(end + 2);
      }
    }
  }

  function take(frame: string, seen: Seen[], index: number): void {
    const seq = /^id: (\d+)$/m.exec(frame)?.[1];
    const body = /^data: (.*)$/m.exec(frame)?.[1];
    if (seq === undefined || body === undefined) return;
    const expected = (seen.at(-1)?.seq ?? -1) + 1;
    if (Number(seq) !== expected) wrong.push(`stream ${index} got seq ${seq} where ${expected} comes next`);
    seen.push({ seq: Number(seq), event: JSON.parse(body) as SessionEvent });
  }

  async function poll(index: number): Promise<void> {
    while (!over.signal.aborted) {
      try {
        const ids: string[] = [];
        for (let page: string | null = ''; page !== null; ) {
          const path = `/v1/sessions/${options.session}/events?order=asc&limit=${7 + index}${page ? `&page=${page}` : ''}`;
          const response = await ask(path, index, over.signal);
          if (response.status !== 200) throw new Error(`status ${response.status}`);
          const body = (await response.json()) as { data: SessionEvent[]; next_page: string | null };
          ids.push(...body.data.map(({ id }) => id));
          page = body.next_page;
        }
        pages.push(ids);
      } catch {
        // As above.
      }
      await sleep(300 + 20 * index);
    }
  }

  function ask(path: string, index: number, signal: AbortSignal, more: Record<string, string> = {}): Promise<Response> {
    const urls = options.urls();
    const base = urls[(index + Math.floor(Math.random() * urls.length)) % urls.length] ?? '';
    return fetch(`${base}${path}`, {
      signal,
      headers: {
        'x-api-key': options.key,
        'anthropic-version': '2023-06-01',
        'anthropic-beta': 'managed-agents-2026-04-01',
        ...more,
      },
    });
  }

  return {
    async finish(final) {
      const lastId = final.at(-1)?.id;
      const behind = () => logs.filter((seen) => !seen.some(({ event }) => event.id === lastId)).length;
      for (const deadline = Date.now() + CATCH_UP_MS; behind() > 0 && Date.now() < deadline; ) await sleep(100);
      over.abort();
      await Promise.all(work);
      const problems = [...wrong];
      if (behind() > 0) problems.push(`${behind()} of ${logs.length} streams never saw the last event ${lastId}`);
      const byId = new Map(final.map((event) => [event.id, JSON.stringify({ ...event, processed_at: null })]));
      logs.forEach((seen, index) => {
        for (const { event, seq } of seen) {
          if (byId.get(event.id) !== JSON.stringify({ ...event, processed_at: null })) {
            problems.push(`stream ${index} saw at ${seq} what the log does not hold: ${JSON.stringify(event)}`);
          }
        }
      });
      const order = final.map(({ id }) => id);
      for (const ids of pages) {
        if (ids.some((id, at) => id !== order[at]))
          problems.push(`a page is no beginning of the log: ${ids.join(' ')}`);
      }
      if (pages.length === 0 && options.pollers > 0) problems.push('no poller ever got an answer');
      return problems;
    },
  };
}
