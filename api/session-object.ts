/** The session object as clients see it, from its row and its agent snapshot. */
import type { Session, SessionAgent } from '../events/wire.ts';
import type { ResourceRow } from '../store/session-resources.ts';
import type { SessionRow } from '../store/sessions.ts';
import { toResource } from './resource-object.ts';

/** Times that go on while the session runs are computed at the moment of reading. @param now - ms */
export function toSession(row: SessionRow, agent: SessionAgent, resources: ResourceRow[], now: number): Session {
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
    outcome_evaluations: [],
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
    usage: seconds((row.usage.active_seconds ?? 0) + open),
    stats: seconds((row.stats.active_seconds ?? 0) + open),
    duration: seconds(duration ?? (end - row.createdAt.getTime()) / 1000),
  };
}

function seconds(value: number): number {
  return Math.round(value * 1000) / 1000;
}
