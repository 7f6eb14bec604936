/** A session client that a test can watch, and break at the moments at which Temporal really breaks. */
import type { SessionClient } from '../client/session.ts';
import type { SessionInput, SessionOp } from '../workflows/contract.ts';

export interface Faults {
  client: SessionClient;
  starts: SessionInput[];
  /** Every post, also repeated ones. */
  posts: { session: string; id: string; op: SessionOp }[];
  /** `before`: Temporal is away. `after`: it does what it is asked, and its answer is lost. */
  broken: { start?: 'before' | 'after'; post?: 'before' | 'after' };
  /** How long an answer of a post takes longer, ms. */
  delayMs: number;
}

export function createFaults(real: SessionClient): Faults {
  async function through<T>(what: 'start' | 'post', act: () => Promise<T>): Promise<T> {
    if (faults.broken[what] === 'before') throw new Error('Temporal is away');
    const result = await act();
    if (faults.broken[what] === 'after') throw new Error('Temporal went away');
    return result;
  }
  const faults: Faults = {
    starts: [],
    posts: [],
    broken: {},
    delayMs: 0,
    client: {
      ...real,
      async start(input) {
        await through('start', () => real.start(input));
        faults.starts.push(input);
      },
      async post(session, id, op) {
        faults.posts.push({ session, id, op });
        const answer = await through('post', () => real.post(session, id, op));
        if (faults.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, faults.delayMs));
        return answer;
      },
    },
  };
  return faults;
}

/** For tests that must not reach Temporal at all. */
export function noTemporal(): SessionClient {
  const away = () => Promise.reject(new Error('This test has no Temporal.'));
  return { start: away, startAgain: away, post: away, lookUp: away, erase: away, isOpen: away };
}
