/** Watch streams of the fake API server: JSON lines, with bookmarks, and whatever else a test wants to be in them. */
import type { ServerResponse } from 'node:http';
import { isSelected, type Store } from './fake-api-store.ts';

/** One that is open. */
export interface FakeWatch {
  /** Nothing more is said in it, not even a bookmark; the connection stays. */
  mute(): void;
  /** Writes as it is; a line ends with `\n`. */
  write(text: string): void;
  /** An event of the test's own making. */
  say(type: string, object: unknown): void;
  /** As a server that has had enough, or a proxy. */
  end(): void;
  /** As a network that breaks. */
  destroy(): void;
}

interface Wanted {
  response: ServerResponse;
  /** From which version on. */
  version: number;
  labelSelector?: string;
  bookmarkMs: number;
}

/** Calls back when the client, the server or a test has ended it. */
export function openWatch(store: Store, wanted: Wanted, ended: (watch: FakeWatch) => void): FakeWatch {
  const { response } = wanted;
  let silent = false;
  const say = (type: string, object: unknown) => {
    if (!silent) response.write(`${JSON.stringify({ type, object })}\n`);
  };
  const mute = () => {
    silent = true;
  };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  const unfollow = store.follow(wanted.version, ({ type, object }) => {
    if (isSelected(object, wanted.labelSelector)) say(type, object);
  });
  const timer = setInterval(
    () => say('BOOKMARK', { kind: 'Pod', apiVersion: 'v1', metadata: { resourceVersion: String(store.version()) } }),
    wanted.bookmarkMs,
  );
  const watch: FakeWatch = {
    say,
    mute,
    write: (text) => void response.write(text),
    end: () => {
      mute();
      response.end();
    },
    destroy: () => {
      mute();
      response.destroy();
    },
  };
  response.once('close', () => {
    unfollow();
    clearInterval(timer);
    ended(watch);
  });
  return watch;
}
