/** Agents and their versions. `body` is the whole wire object; every version keeps its own. */
import type { BetaManagedAgentsAgent } from '@anthropic-ai/sdk/resources/beta/agents';
import { and, desc, eq, inArray, isNull, lt } from 'drizzle-orm';
import type { Queries } from './database.ts';
import { after, type Position, type TimeRange, within } from './pages.ts';
import { agents, agentVersions } from './schema.ts';

export type Agent = BetaManagedAgentsAgent;

/** Stores a new agent with its first version. A second insert of the same id changes nothing. */
export async function insertAgent(db: Queries, workspaceId: string, agent: Agent): Promise<void> {
  const { id, version, created_at } = agent;
  await db
    .insert(agents)
    .values({ id, workspaceId, version, body: agent, createdAt: new Date(created_at) })
    .onConflictDoNothing();
  await db.insert(agentVersions).values({ agentId: id, version, workspaceId, body: agent }).onConflictDoNothing();
}

/** @param lock - keeps others from changing the row until the transaction ends. */
export async function findAgent(
  db: Queries,
  workspaceId: string,
  id: string,
  lock?: 'update',
): Promise<Agent | undefined> {
  const query = db
    .select({ body: agents.body })
    .from(agents)
    .where(and(eq(agents.id, id), eq(agents.workspaceId, workspaceId)));
  const [row] = await (lock ? query.for(lock) : query);
  return row?.body as Agent | undefined;
}

export async function findAgents(db: Queries, workspaceId: string, ids: string[]): Promise<Map<string, Agent>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .select({ id: agents.id, body: agents.body })
    .from(agents)
    .where(and(inArray(agents.id, ids), eq(agents.workspaceId, workspaceId)));
  return new Map(rows.map((row) => [row.id, row.body as Agent]));
}

export async function findAgentVersion(
  db: Queries,
  workspaceId: string,
  id: string,
  version: number,
): Promise<Agent | undefined> {
  const [row] = await db
    .select({ body: agentVersions.body })
    .from(agentVersions)
    .where(
      and(
        eq(agentVersions.agentId, id),
        eq(agentVersions.version, version),
        eq(agentVersions.workspaceId, workspaceId),
      ),
    );
  return row?.body as Agent | undefined;
}

/** Replaces the newest body; when its version is new, that version is kept too. */
export async function saveAgent(db: Queries, workspaceId: string, agent: Agent): Promise<void> {
  const { id, version, archived_at } = agent;
  await db
    .update(agents)
    .set({ version, body: agent, archivedAt: archived_at === null ? null : new Date(archived_at) })
    .where(and(eq(agents.id, id), eq(agents.workspaceId, workspaceId)));
  await db
    .insert(agentVersions)
    .values({ agentId: id, version, workspaceId, body: agent })
    .onConflictDoUpdate({ target: [agentVersions.agentId, agentVersions.version], set: { body: agent } });
}

export interface AgentFilter {
  includeArchived: boolean;
  createdAt: TimeRange;
}

/** Newest first. */
export async function listAgents(
  db: Queries,
  workspaceId: string,
  filter: AgentFilter,
  limit: number,
  position?: Position,
): Promise<Agent[]> {
  const rows = await db
    .select({ body: agents.body })
    .from(agents)
    .where(
      and(
        eq(agents.workspaceId, workspaceId),
        filter.includeArchived ? undefined : isNull(agents.archivedAt),
        within(agents.createdAt, filter.createdAt),
        position && after(agents.createdAt, agents.id, position, 'desc'),
      ),
    )
    .orderBy(desc(agents.createdAt), desc(agents.id))
    .limit(limit);
  return rows.map((row) => row.body as Agent);
}

/** Newest first. @param below - only versions under this one. */
export async function listAgentVersions(
  db: Queries,
  workspaceId: string,
  id: string,
  limit: number,
  below?: number,
): Promise<Agent[]> {
  const rows = await db
    .select({ body: agentVersions.body })
    .from(agentVersions)
    .where(
      and(
        eq(agentVersions.agentId, id),
        eq(agentVersions.workspaceId, workspaceId),
        below === undefined ? undefined : lt(agentVersions.version, below),
      ),
    )
    .orderBy(desc(agentVersions.version))
    .limit(limit);
  return rows.map((row) => row.body as Agent);
}
