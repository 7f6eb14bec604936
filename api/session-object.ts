/** The session object as clients see it, from its row and its agent snapshot. */
import { z } from '@hono/zod-openapi';
import type { Session, SessionAgent } from '../events/wire.ts';
import type { ResourceRow } from '../store/session-resources.ts';
import type { SessionRow } from '../store/sessions.ts';
import { metadataObject, sessionAgentObject, time } from './agent-object.ts';
import { id } from './common.ts';
import { resourceObject, toResource } from './resource-object.ts';

const count = z.int().min(0);
const seconds = z.number().min(0);
export const usageObject = z
  .object({
    input_tokens: count,
    output_tokens: count,
    cache_read_input_tokens: count,
    cache_creation: z.object({ ephemeral_5m_input_tokens: count, ephemeral_1h_input_tokens: count }),
    active_seconds: seconds,
  })
  .openapi('SessionUsage');
/** A list of what sessions cannot have yet. */
const nothing = z.tuple([]).openapi({ type: 'array', maxItems: 0 });
const outcomeEvaluation = z
  .object({
    type: z.literal('outcome_evaluation'),
    outcome_id: id,
    description: z.string(),
    iteration: count,
    result: z.string(),
    explanation: z.string().nullable(),
    completed_at: time.nullable(),
  })
  .openapi('OutcomeEvaluation');
export const statusName = z.enum(['idle', 'running', 'rescheduling', 'terminated']);

/** Members that are always empty are those whose features sessions refuse. */
export const sessionObject = z
  .object({
    id,
    type: z.literal('session'),
    status: statusName,
    title: z.string().nullable(),
    agent: sessionAgentObject,
    environment_id: id,
    deployment_id: id.nullable(),
    resources: z.array(resourceObject),
    vault_ids: nothing,
    budget: z.null(),
    outcome_evaluations: z.array(outcomeEvaluation),
    metadata: metadataObject,
    usage: usageObject,
    stats: z.object({ active_seconds: seconds, duration_seconds: seconds }),
    created_at: time,
    updated_at: time,
    archived_at: time.nullable(),
  })
  .openapi('Session') satisfies z.ZodType<Session>;

/** Times that go on while the session runs are computed at the moment of reading. @param now - ms */
export function toSession(
  row: SessionRow,
  agent: SessionAgent,
  resources: ResourceRow[],
  outcomes: Session['outcome_evaluations'],
  now: number,
): Session {
  const times = activeTimes(row, now);
  return {
    id: row.id,
    type: 'session',
    status: row.status,
    title: row.title,
    agent,
    environment_id: row.environmentId,
    deployment_id: row.deploymentId,
    resources: resources.map(toResource),
    vault_ids: [],
    budget: null,
    outcome_evaluations: outcomes,
    metadata: row.metadata,
    usage: { ...row.usage, active_seconds: times.usage },
    stats: { active_seconds: times.stats, duration_seconds: times.duration },
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    archived_at: row.archivedAt?.toISOString() ?? null,
  };
}

/** Seconds, in ms precision. */
export function activeTimes(row: SessionRow, now: number): { usage: number; stats: number; duration: number } {
  const open = row.runningSince ? Math.max(0, now - row.runningSince.getTime()) / 1000 : 0;
  const end = row.status === 'terminated' ? row.updatedAt.getTime() : Math.max(now, row.createdAt.getTime());
  const duration = row.status === 'terminated' ? row.stats.duration_seconds : undefined;
  return {
    usage: rounded((row.usage.active_seconds ?? 0) + open),
    stats: rounded((row.stats.active_seconds ?? 0) + open),
    duration: rounded(duration ?? (end - row.createdAt.getTime()) / 1000),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
