/** What is to be ready ahead of need: how many pods of which make, and keeping it so. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesOptions } from './options.ts';
import { templateOf } from './pod.ts';
import type { Pool } from './pool.ts';

/** Between looks at what was claimed, milliseconds. */
const LOOK_MS = 200;

/** What cannot be made ready now, for example on a node that is not safe, is not made again and again, milliseconds. */
const AFTER_FAILURE_MS = 5_000;

/** Pods of one make. Targets that are made of the same share them. */
interface Shelf {
  /** One of those targets. */
  target: string;
  template: string;
  size: number;
}

export interface KeptStock {
  /** Of all makes. */
  readonly size: number;
  /** Names what is kept: how many, and what they are made of. */
  readonly template: string;
  /** Makes it whole, and again whenever something is taken from it, for `ms` or until the slowest was made. */
  keep(ms: number, signal: AbortSignal): Promise<void>;
}

export function openStock(options: KubernetesOptions, pool: Pool): KeptStock {
  const shelves = shelvesOf(options);
  return {
    size: shelves.reduce((sum, { size }) => sum + size, 0),
    template: createHash('sha256')
      .update(JSON.stringify(shelves.map(({ template, size }) => [template, size])))
      .digest('hex')
      .slice(0, 20),
    async keep(ms, signal) {
      const until = Date.now() + ms;
      // A node that is not there yet must not keep the others from being filled up.
      let slow = shelves.length;
      const keepOne = async ({ target, size }: Shelf) => {
        const fill = async () => {
          const { failed } = await pool.refill(target, size, signal);
          if (failed > 0) await sleep(AFTER_FAILURE_MS, undefined, { signal }).catch(() => undefined);
        };
        try {
          await fill();
        } finally {
          slow--;
        }
        while (!signal.aborted && (Date.now() < until || slow > 0)) {
          if (pool.ready(target) < size) await fill();
          else await sleep(LOOK_MS);
        }
      };
      const kept = await Promise.allSettled(shelves.map(keepOne));
      const failed = kept.find((one) => one.status === 'rejected');
      if (failed) throw failed.reason;
    },
  };
}

function shelvesOf(options: KubernetesOptions): Shelf[] {
  const shelves = new Map<string, Shelf>();
  for (const [target, size] of options.warmPool ?? []) {
    if (size === 0) continue;
    const template = templateOf(options, { target });
    const there = shelves.get(template);
    if (there) there.size += size;
    else shelves.set(template, { target, template, size });
  }
  return [...shelves.values()].sort((a, b) => (a.template < b.template ? -1 : 1));
}
