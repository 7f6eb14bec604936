/**
 * Carries entries out of the workflow. They stay in the window until a brain activity that carried them has returned;
 * so a failed insert loses nothing, and no reader can see what history does not hold.
 */
import type { LogEntry } from '../events/entry.ts';
import { publish } from './activities.ts';
import type { Carry } from './contract.ts';
import { carryPrefix } from './sizes.ts';

export interface Outbox {
  add(entries: LogEntry[]): void;
  /** Entries that no returned activity has carried yet. */
  readonly pending: number;
  /** True while a publish is out. */
  readonly busy: boolean;
  /** What a model request takes with it; undefined when it is too much for one carry and must be published first. */
  takeForSample(): { carry: Carry; settle(delivered: boolean): void } | undefined;
  /**
   * Publishes what no model request carries. One publish at a time; resolves when there is no more to do.
   * @param withRound - what comes next is a model request, see `PublishInput`.
   */
  flush(withRound?: boolean): Promise<void>;
  /** Tells the worker of this request to stop. */
  abort(request: number): Promise<void>;
  /** Stores all entries of this run as one sealed segment; everything must have been published. */
  seal(from: number, to: number): Promise<void>;
}

/** @param carryOf - wraps entries with the session's ids and its row as of now. */
export function createOutbox(carryOf: (entries: LogEntry[]) => Carry): Outbox {
  let window: LogEntry[] = [];
  /** Last seq that the model request in flight carries. */
  let sampled = -1;
  let publishing: Promise<void> | undefined;

  const acknowledge = (seq: number) => {
    window = window.filter((entry) => entry.seq > seq);
  };
  const uncarried = () => window.filter((entry) => entry.seq > sampled);

  async function publishAll(withRound: boolean): Promise<void> {
    let last = withRound;
    try {
      for (let rest = uncarried(); rest.length > 0; rest = uncarried()) {
        const entries = carryPrefix(rest);
        const mark = last && entries.length === rest.length ? { withRound: true as const } : {};
        last = false;
        await publish({ carry: carryOf(entries), ...mark });
        acknowledgeOnly(entries);
      }
    } finally {
      // In the same step as the last look at the window: an entry that is added a microtask later must find it free.
      publishing = undefined;
    }
  }

  /** A publish may run beside a model request that carries earlier entries: take out just its own. */
  function acknowledgeOnly(entries: LogEntry[]): void {
    const done = new Set(entries.map((entry) => entry.seq));
    window = window.filter((entry) => !done.has(entry.seq));
  }

  function flush(withRound = false): Promise<void> {
    if (publishing) return publishing;
    if (uncarried().length === 0) return Promise.resolve();
    publishing = publishAll(withRound);
    return publishing;
  }

  return {
    add(entries) {
      window.push(...entries);
    },
    get pending() {
      return window.length;
    },
    get busy() {
      return publishing !== undefined;
    },
    takeForSample() {
      if (carryPrefix(window).length < window.length) return undefined;
      const last = window.at(-1)?.seq ?? -1;
      const carry = carryOf([...window]);
      sampled = last;
      return {
        carry,
        settle(delivered) {
          sampled = -1;
          if (delivered) acknowledge(last);
        },
      };
    },
    flush,
    async abort(request) {
      await publish({ carry: carryOf([]), abort: request });
    },
    async seal(from, to) {
      await publish({ carry: carryOf([]), seal: { from, to } });
    },
  };
}
