/** `multiagent` of an agent: stored and resolved as any other field; sessions refuse it for now. */
import { z } from '@hono/zod-openapi';
import { type Agent, findAgents, findAgentVersion } from '../store/agents.ts';
import type { Queries } from '../store/database.ts';
import { id } from './common.ts';
import { invalid } from './errors.ts';

type Multiagent = NonNullable<Agent['multiagent']>;
type Current = Extract<Multiagent, { type: 'multiagent_20261001' }>;
type Reference = { type: 'agent'; id: string; version: number };

const MAX_ROSTER = 20;
const reference = z.strictObject({ type: z.literal('agent'), id, version: z.int().min(1).optional() });
const self = z.strictObject({ type: z.literal('self') });
const advisor = z.strictObject({ type: z.literal('advisor'), model: z.string().min(1).max(256) });
const disabled = z.strictObject({ type: z.literal('disabled') });
const inline = z
  .discriminatedUnion('type', [z.strictObject({ type: z.literal('enabled') }), disabled])
  .nullable()
  .optional();
const predefined = z
  .array(z.union([id, z.discriminatedUnion('type', [reference, self])]))
  .max(MAX_ROSTER)
  .nullable()
  .optional();
const spawning = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('enabled'), inline_agents: inline, predefined_agents: predefined }),
    disabled,
  ])
  .nullable()
  .optional();

export const multiagentParams = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('coordinator'),
    agents: z
      .array(z.union([id, z.discriminatedUnion('type', [reference, self, advisor])]))
      .min(1)
      .max(MAX_ROSTER),
  }),
  z.strictObject({
    type: z.literal('multiagent_20261001'),
    advisor: z
      .discriminatedUnion('type', [
        z.strictObject({ type: z.literal('enabled'), model: z.string().min(1).max(256) }),
        disabled,
      ])
      .nullable()
      .optional(),
    subagents: spawning,
    workflows: spawning,
  }),
]);
export type MultiagentParams = z.output<typeof multiagentParams>;

/** What a roster may refer to, and the agent that it belongs to. */
export interface Roster {
  db: Queries;
  workspaceId: string;
  self: Reference;
}

/** @param stored - a config of type `multiagent_20261001` is merged into, level by level. */
export async function resolveMultiagent(
  roster: Roster,
  params: MultiagentParams,
  stored: Multiagent | null,
): Promise<Multiagent> {
  if (params.type === 'coordinator') {
    const entries = await resolveRoster(roster, params.agents, 'multiagent.agents');
    return { type: 'coordinator', agents: entries };
  }
  const before = stored?.type === 'multiagent_20261001' ? stored : undefined;
  return {
    type: 'multiagent_20261001',
    advisor:
      params.advisor === undefined
        ? (before?.advisor ?? { type: 'disabled' })
        : (params.advisor ?? { type: 'disabled' }),
    subagents: await resolveSpawning(roster, params.subagents, before?.subagents, 'multiagent.subagents'),
    workflows: await resolveSpawning(roster, params.workflows, before?.workflows, 'multiagent.workflows'),
  };
}

type SpawningParams = z.output<typeof spawning>;

async function resolveSpawning(
  roster: Roster,
  params: SpawningParams,
  stored: Current['subagents'] | undefined,
  at: string,
): Promise<Current['subagents']> {
  if (params === undefined && stored) return stored;
  if (params?.type === 'disabled') return { type: 'disabled' };
  const before = params !== null && stored?.type === 'enabled' ? stored : undefined;
  const { inline_agents, predefined_agents } = params ?? {};
  const entries =
    predefined_agents === undefined
      ? (before?.predefined_agents ?? [])
      : await resolveRoster(roster, predefined_agents ?? [], `${at}.predefined_agents`);
  const inlineAgents = inline_agents === undefined ? before?.inline_agents : inline_agents;
  const resolved = inlineAgents ?? { type: 'enabled' as const };
  if (resolved.type === 'disabled' && entries.length === 0) {
    throw invalid(`${at}.predefined_agents`, 'At least one agent is needed when inline_agents is disabled');
  }
  return { type: 'enabled', inline_agents: resolved, predefined_agents: entries as Reference[] };
}

type Entry = Exclude<z.output<typeof multiagentParams>, { type: 'multiagent_20261001' }>['agents'][number];

async function resolveRoster(
  roster: Roster,
  entries: Entry[],
  at: string,
): Promise<(Reference | { type: 'advisor'; model: string })[]> {
  const ids = entries.flatMap((entry) =>
    typeof entry === 'string' ? [entry] : entry.type === 'agent' ? [entry.id] : [],
  );
  const known = await findAgents(roster.db, roster.workspaceId, ids);
  const seen = new Set<string>();
  const once = (name: string, index: number) => {
    if (seen.has(name)) throw invalid(`${at}.${index}`, 'Entries must be distinct');
    seen.add(name);
  };
  const resolved: (Reference | { type: 'advisor'; model: string })[] = [];
  for (const [index, entry] of entries.entries()) {
    if (typeof entry !== 'string' && entry.type === 'advisor') {
      once('advisor', index);
      resolved.push(entry);
      continue;
    }
    const wanted = typeof entry === 'string' ? { id: entry } : entry.type === 'self' ? roster.self : entry;
    once(wanted.id, index);
    if (wanted.id === roster.self.id) {
      resolved.push(roster.self);
      continue;
    }
    const agent = known.get(wanted.id);
    if (!agent) throw invalid(`${at}.${index}`, `Agent ${wanted.id} was not found`);
    if (agent.archived_at !== null) throw invalid(`${at}.${index}`, `Agent ${wanted.id} is archived`);
    const version = 'version' in wanted ? wanted.version : undefined;
    const pinned =
      version === undefined ? agent : await findAgentVersion(roster.db, roster.workspaceId, agent.id, version);
    if (!pinned) throw invalid(`${at}.${index}.version`, `Agent ${agent.id} has no version ${version}`);
    if (pinned.multiagent !== null) throw invalid(`${at}.${index}`, `Agent ${agent.id} has multiagent set itself`);
    resolved.push({ type: 'agent', id: agent.id, version: pinned.version });
  }
  return resolved;
}
