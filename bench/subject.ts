/** What every subject is given. */
import type { Figure } from './figures.ts';
import type { World } from './world.ts';
import type { Yardstick } from './yardstick.ts';

export interface Bench {
  /** The same for all subjects, started by the first that asks. */
  world(): Promise<World>;
  /** Measured once, by the first that asks. */
  yardstick(): Promise<Yardstick>;
}

/** Measures one thing. */
export type Subject = (bench: Bench) => Promise<Figure[]>;
