/** Names and types of the upkeep of sandboxes (`sandbox-upkeep.ts`). */

export const KEEP_SANDBOXES = 'keepSandboxes';
/** Signal with a {@link Stock}: what the newest worker wants to be kept ready. */
export const STOCK = 'stock';

/** Sandboxes that are to be ready ahead of need. */
export interface Stock {
  /** Of all kinds. */
  size: number;
  /** How many of which kinds, hashed. A worker that keeps others leaves these alone, so that old and new do not fight. */
  template: string;
}

export interface UpkeepInput {
  stock: Stock;
  /** Task queue of the hands. */
  queue: string;
}

/** Activities on the hands queue. */
export interface UpkeepActivities {
  /** Keeps the stock whole for half a minute. */
  keepStock(stock: Stock): Promise<void>;
  /** Ends sandboxes that belong to no live session. @returns how many. */
  reapSandboxes(): Promise<number>;
}
