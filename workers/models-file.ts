/**
 * The models that agents may name: a built-in list of Claude models, and the operator's file (`LONGHAND_MODELS`) over
 * it. Limits as published by Anthropic in November 2026.
 */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import type { ModelSpec } from '../harness/model-spec.ts';

/** A model as the catalogue knows it: what the harness needs, and what `GET /v1/models` shows. */
export interface ModelEntry extends ModelSpec {
  displayName: string;
  /** Model line, e.g. `opus`; null for models that are in none. */
  line: 'haiku' | 'sonnet' | 'opus' | 'fable' | 'mythos' | null;
  /** RFC 3339; the epoch when the release date is not known here. */
  createdAt: string;
}

export interface ModelCatalogue {
  /** Newest first, as `GET /v1/models` lists them. */
  known(): ModelEntry[];
  /** The entry of this id; an id that is not listed gets {@link unknownModel}. */
  find(id: string): ModelEntry;
}

const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const;
const EPOCH = '1970-01-01T00:00:00Z';

/** Efforts with the default first. */
const FULL = ['high', 'low', 'medium', 'xhigh', 'max'];
const FULL_MEDIUM = ['medium', 'low', 'high', 'xhigh', 'max'];
const WITHOUT_XHIGH = ['high', 'low', 'medium', 'max'];
const UP_TO_HIGH = ['high', 'low', 'medium'];

interface Row {
  id: string;
  name: string;
  line: ModelEntry['line'];
  released?: string;
  window: number;
  maxOutput: number;
  efforts: readonly string[];
  thinking: ModelSpec['thinking'];
  fast?: true;
  systemMessages?: true;
}

const MILLION = 1_000_000;
const BIG = { window: MILLION, maxOutput: 128_000, efforts: FULL, thinking: 'adaptive' } as const;

const CLAUDE: Row[] = [
  { id: 'claude-fable-5-2', name: 'Claude Fable 5.2', line: 'fable', ...BIG, fast: true, systemMessages: true },
  { id: 'claude-mythos-5-2', name: 'Claude Mythos 5.2', line: 'mythos', ...BIG, systemMessages: true },
  {
    id: 'claude-haiku-5-5',
    name: 'Claude Haiku 5.5',
    line: 'haiku',
    released: '2026-10-07',
    ...BIG,
    efforts: FULL_MEDIUM,
  },
  { id: 'claude-sonnet-5-5', name: 'Claude Sonnet 5.5', line: 'sonnet', ...BIG },
  { id: 'claude-fable-5-1', name: 'Claude Fable 5.1', line: 'fable', ...BIG, systemMessages: true },
  {
    id: 'claude-opus-5-5',
    name: 'Claude Opus 5.5',
    line: 'opus',
    ...BIG,
    efforts: FULL_MEDIUM,
    fast: true,
    systemMessages: true,
  },
  { id: 'claude-mythos-5-1', name: 'Claude Mythos 5.1', line: 'mythos', ...BIG, systemMessages: true },
  { id: 'claude-sonnet-5', name: 'Claude Sonnet 5', line: 'sonnet', ...BIG },
  { id: 'claude-fable-5', name: 'Claude Fable 5', line: 'fable', released: '2026-06-09', ...BIG, systemMessages: true },
  { id: 'claude-mythos-5', name: 'Claude Mythos 5', line: 'mythos', ...BIG, systemMessages: true },
  {
    id: 'claude-opus-5',
    name: 'Claude Opus 5',
    line: 'opus',
    released: '2026-07-24',
    ...BIG,
    fast: true,
    systemMessages: true,
  },
  {
    id: 'claude-opus-4-8',
    name: 'Claude Opus 4.8',
    line: 'opus',
    released: '2026-05-28',
    ...BIG,
    fast: true,
    systemMessages: true,
  },
  { id: 'claude-opus-4-7', name: 'Claude Opus 4.7', line: 'opus', ...BIG },
  { id: 'claude-opus-4-6', name: 'Claude Opus 4.6', line: 'opus', ...BIG, efforts: WITHOUT_XHIGH },
  {
    id: 'claude-sonnet-4-6',
    name: 'Claude Sonnet 4.6',
    line: 'sonnet',
    ...BIG,
    maxOutput: 64_000,
    efforts: WITHOUT_XHIGH,
  },
  ...dated('claude-haiku-4-5', '20251001', { name: 'Claude Haiku 4.5', line: 'haiku', efforts: [] }),
  ...dated('claude-opus-4-5', '20251101', { name: 'Claude Opus 4.5', line: 'opus', efforts: UP_TO_HIGH }),
  ...dated('claude-sonnet-4-5', '20250929', { name: 'Claude Sonnet 4.5', line: 'sonnet', efforts: [] }),
];

/** The models of 2025 have an alias and a dated id, and think only when they are given a budget, which we do not do. */
function dated(alias: string, date: string, row: Pick<Row, 'name' | 'line' | 'efforts'>): Row[] {
  const limits = { window: 200_000, maxOutput: 64_000, thinking: 'none' } as const;
  const released = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}`;
  return [alias, `${alias}-${date}`].map((id) => ({ id, released, ...row, ...limits }));
}

/** What an id that nobody described gets: careful limits that every current model keeps, and nothing special. */
export function unknownModel(id: string): ModelEntry {
  return {
    id,
    upstream: id,
    displayName: id,
    line: null,
    createdAt: EPOCH,
    window: 200_000,
    maxOutput: 32_000,
    efforts: [],
    thinking: 'none',
    fast: false,
    systemMessages: false,
  };
}

/** The built-in list. */
export function builtInModels(): ModelEntry[] {
  return CLAUDE.map((row) => ({
    id: row.id,
    upstream: row.id,
    displayName: row.name,
    line: row.line,
    createdAt: row.released ? `${row.released}T00:00:00Z` : EPOCH,
    window: row.window,
    maxOutput: row.maxOutput,
    efforts: row.efforts,
    thinking: row.thinking,
    fast: row.fast ?? false,
    systemMessages: row.systemMessages ?? false,
  }));
}

const entrySchema = z.strictObject({
  upstream: z.string().min(1).optional(),
  window: z.int().min(1_000).optional(),
  max_output: z.int().min(1).optional(),
  efforts: z.array(z.enum(EFFORTS)).optional(),
  thinking: z.enum(['adaptive', 'none']).optional(),
  fast: z.boolean().optional(),
  system_messages: z.boolean().optional(),
  display_name: z.string().min(1).optional(),
});
const fileSchema = z.record(z.string().min(1), z.union([z.string().min(1), entrySchema]));

/**
 * The catalogue of the built-in list with the file's entries over it; the file's new ids come first.
 * @param path - of a YAML or JSON file: model id → upstream id, or an object with any of `upstream`, `window`,
 *   `max_output`, `efforts` (default first), `thinking`, `fast`, `system_messages`, `display_name`. Absent members keep
 *   the built-in value, or that of {@link unknownModel}.
 * @throws Error naming LONGHAND_MODELS, the file, the member and the fix.
 */
export async function loadModels(path?: string): Promise<ModelCatalogue> {
  const entries = builtInModels();
  if (path !== undefined) {
    const written = await readModelsFile(path);
    for (const [id, value] of Object.entries(written).reverse()) {
      const place = entries.findIndex((entry) => entry.id === id);
      const entry = merge(entries[place] ?? unknownModel(id), value);
      if (place === -1) entries.unshift(entry);
      else entries[place] = entry;
    }
  }
  return catalogueOf(entries);
}

export function catalogueOf(entries: readonly ModelEntry[]): ModelCatalogue {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  return { known: () => [...entries], find: (id) => byId.get(id) ?? unknownModel(id) };
}

type Written = z.infer<typeof fileSchema>;

async function readModelsFile(path: string): Promise<Written> {
  let content: unknown;
  try {
    content = parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(
      `LONGHAND_MODELS is "${path}", which cannot be read as YAML or JSON: ${(error as Error).message}. ` +
        'See docs/settings.md for an example.',
    );
  }
  const parsed = fileSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new Error(
    `LONGHAND_MODELS is "${path}", and does not have the shape of docs/settings.md:\n${z.prettifyError(parsed.error)}`,
  );
}

function merge(entry: ModelEntry, written: Written[string]): ModelEntry {
  if (typeof written === 'string') return { ...entry, upstream: written };
  return {
    ...entry,
    upstream: written.upstream ?? entry.upstream,
    window: written.window ?? entry.window,
    maxOutput: written.max_output ?? entry.maxOutput,
    efforts: written.efforts ?? entry.efforts,
    thinking: written.thinking ?? entry.thinking,
    fast: written.fast ?? entry.fast,
    systemMessages: written.system_messages ?? entry.systemMessages,
    displayName: written.display_name ?? entry.displayName,
  };
}
