/**
 * The prompt cache, as far as usage shows it: prefixes that end at a `cache_control` are written, later requests with the
 * same prefix read them. Like the real one it is a memory between requests, and like the real one it only ever changes
 * what a request costs, never what is answered.
 */
import { createHash } from 'node:crypto';
import type { MessageCreateParamsBase, Usage } from '@anthropic-ai/sdk/resources/messages';
import { blockTokens, inputTokens, promptBlocks } from './tokens.ts';

/** Prefixes shorter than this are not cached (tokens), as the API's documentation has it for its larger models. */
const MINIMUM = 1_024;
/** Blocks that are looked back from a breakpoint for an earlier entry. */
const LOOKBACK = 20;
const TTL_MS = { '5m': 5 * 60_000, '1h': 60 * 60_000 };
type Ttl = keyof typeof TTL_MS;

export type InputUsage = Pick<
  Usage,
  'input_tokens' | 'cache_creation_input_tokens' | 'cache_read_input_tokens' | 'cache_creation'
>;

export interface PromptCache {
  /** Counts a request's input and remembers its breakpoints. `now` in ms since the epoch. */
  count(request: MessageCreateParamsBase, now?: number): InputUsage;
}

interface Prefix {
  /** Tokens up to and with its last block. */
  tokens: number;
  hash: string;
  /** Set where the request puts a breakpoint. */
  ttl?: Ttl;
}

/** `limit`: entries that are remembered at most, the latest ones. */
export function createPromptCache(limit = 10_000): PromptCache {
  const entries = new Map<string, number>();
  return {
    count(request, now = Date.now()) {
      const prefixes = hasBreakpoint(request) ? prefixesOf(request) : [];
      const total = prefixes.at(-1)?.tokens ?? inputTokens(request);
      const breakpoints = prefixes.flatMap((prefix, i) => (prefix.ttl && prefix.tokens >= MINIMUM ? [i] : []));
      const alive = (prefix: Prefix) => (entries.get(prefix.hash) ?? 0) > now;
      const read = Math.max(0, ...breakpoints.map((at) => longestHit(prefixes, at, alive)));
      const creation = { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 };
      let written = read;
      for (const at of breakpoints) {
        const { hash, tokens, ttl = '5m' } = prefixes[at] ?? { hash: '', tokens: 0 };
        entries.delete(hash);
        entries.set(hash, now + TTL_MS[ttl]);
        creation[`ephemeral_${ttl}_input_tokens`] += Math.max(0, tokens - written);
        written = Math.max(written, tokens);
      }
      forgetOldest(entries, limit);
      return {
        input_tokens: total - written,
        cache_creation_input_tokens: written - read,
        cache_read_input_tokens: read,
        cache_creation: creation,
      };
    },
  };
}

function longestHit(prefixes: Prefix[], at: number, alive: (prefix: Prefix) => boolean): number {
  const near = prefixes.slice(Math.max(0, at - LOOKBACK), at + 1);
  return near.findLast(alive)?.tokens ?? 0;
}

function forgetOldest(entries: Map<string, number>, limit: number): void {
  for (const hash of entries.keys()) {
    if (entries.size <= limit) return;
    entries.delete(hash);
  }
}

function hasBreakpoint(request: MessageCreateParamsBase): boolean {
  if (request.cache_control) return true;
  for (const { block } of promptBlocks(request)) if (ttlOf(block)) return true;
  return false;
}

function ttlOf(block: object): Ttl | undefined {
  if (!('cache_control' in block) || !block.cache_control) return undefined;
  return (block.cache_control as { ttl?: Ttl }).ttl ?? '5m';
}

/** Every block as the end of a prefix, with the hash of all that goes before it; breakpoints do not count as content. */
function prefixesOf(request: MessageCreateParamsBase): Prefix[] {
  const prefixes: Prefix[] = [];
  const running = createHash('sha256').update(request.model);
  let tokens = 0;
  for (const { kind, block } of promptBlocks(request)) {
    const ttl = ttlOf(block);
    running.update(`${kind} ${JSON.stringify(ttl ? { ...block, cache_control: undefined } : block)}\n`);
    tokens += blockTokens(block);
    prefixes.push({ tokens, hash: running.copy().digest('base64'), ...(ttl && { ttl }) });
  }
  const last = prefixes.at(-1);
  if (last && request.cache_control) last.ttl ??= request.cache_control.ttl ?? '5m';
  return prefixes;
}
