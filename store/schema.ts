/**
 * The tables. Every one carries a workspace, directly or through its session. Bodies that clients send are `json`, not
 * `jsonb`: jsonb refuses U+0000 and lone surrogates, which a tool's output may well hold.
 */
import {
  bigint,
  boolean,
  customType,
  index,
  integer,
  json,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { Session, SessionAgent } from '../events/wire.ts';

/** One file of a skill's version; `path` is relative to the skill's folder. */
export interface SkillFile {
  path: string;
  sha256: string;
  bytes: number;
  executable?: true;
}

/** A skill as a session has it: what the model is told of it first, and the files that it can read then. */
export interface SessionSkill {
  name: string;
  description: string;
  files: SkillFile[];
}

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
/** Milliseconds, UTC: what an RFC 3339 stamp of the API holds. */
const stamp = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });

export const workspaces = pgTable('workspaces', {
  id: text().primaryKey(),
  name: text().notNull(),
  createdAt: stamp('created_at').notNull(),
});

/** SHA-256 of each 256-bit API key; the key itself is shown once and never stored. */
export const apiKeys = pgTable(
  'api_keys',
  {
    id: text().primaryKey(),
    workspaceId: text('workspace_id').notNull(),
    name: text().notNull(),
    /** First characters of the key, to tell keys apart in a list. */
    hint: text().notNull(),
    hash: bytea().notNull(),
    createdAt: stamp('created_at').notNull(),
    revokedAt: stamp('revoked_at'),
  },
  (t) => [uniqueIndex('api_keys_hash').on(t.hash)],
);

/** The newest version of each agent; `body` is the whole wire object. */
export const agents = pgTable(
  'agents',
  {
    id: text().primaryKey(),
    workspaceId: text('workspace_id').notNull(),
    version: integer().notNull(),
    body: json().notNull(),
    createdAt: stamp('created_at').notNull(),
    archivedAt: stamp('archived_at'),
  },
  (t) => [index('agents_list').on(t.workspaceId, t.createdAt, t.id)],
);

export const agentVersions = pgTable(
  'agent_versions',
  {
    agentId: text('agent_id').notNull(),
    version: integer().notNull(),
    workspaceId: text('workspace_id').notNull(),
    body: json().notNull(),
  },
  (t) => [primaryKey({ columns: [t.agentId, t.version] })],
);

export const environments = pgTable(
  'environments',
  {
    id: text().primaryKey(),
    workspaceId: text('workspace_id').notNull(),
    body: json().notNull(),
    createdAt: stamp('created_at').notNull(),
    archivedAt: stamp('archived_at'),
  },
  (t) => [index('environments_list').on(t.workspaceId, t.createdAt, t.id)],
);

/**
 * One row a session. `phase` is `creating` until Temporal has its workflow, then `live`, and `deleting` while its runs
 * and blobs are being removed; whoever reads a row in the first or last state finishes the job.
 */
export const sessions = pgTable(
  'sessions',
  {
    id: text().primaryKey(),
    workspaceId: text('workspace_id').notNull(),
    thread: text().notNull(),
    phase: text({ enum: ['creating', 'live', 'deleting'] }).notNull(),
    status: text({ enum: ['idle', 'running', 'rescheduling', 'terminated'] }).notNull(),
    /** seq of the entry that `status`, `usage`, `stats` come from; -1 before the first. */
    rowSeq: bigint('row_seq', { mode: 'number' }).notNull(),
    title: text(),
    /** seq of the `session.updated` that the title comes from: entries may be stored in another order than written. */
    titleSeq: bigint('title_seq', { mode: 'number' }).notNull().default(-1),
    metadata: json().$type<Record<string, string>>().notNull(),
    metadataSeq: bigint('metadata_seq', { mode: 'number' }).notNull().default(-1),
    /** How far the log must reach for what any api has answered for: readers wait until it does. */
    acceptedSeq: bigint('accepted_seq', { mode: 'number' }).notNull().default(-1),
    agentId: text('agent_id').notNull(),
    agentVersion: integer('agent_version').notNull(),
    agentRev: integer('agent_rev').notNull(),
    environmentId: text('environment_id').notNull(),
    deploymentId: text('deployment_id'),
    usage: json().$type<Session['usage']>().notNull(),
    stats: json().$type<Session['stats']>().notNull(),
    runningSince: stamp('running_since'),
    /** The workflow's input, kept until the workflow is known to have started. */
    startInput: json('start_input'),
    createdAt: stamp('created_at').notNull(),
    updatedAt: stamp('updated_at').notNull(),
    archivedAt: stamp('archived_at'),
    /** Counts the changes of the session's resources, and how far its workflow has been told of them. */
    inputsRev: integer('inputs_rev').notNull().default(0),
    inputsTold: integer('inputs_told').notNull().default(0),
  },
  (t) => [
    index('sessions_list').on(t.workspaceId, t.createdAt, t.id),
    index('sessions_environment').on(t.environmentId),
    index('sessions_agent').on(t.agentId),
  ],
);

/** What a session's agent was at each revision; only an update of the session adds one. */
export const sessionAgents = pgTable(
  'session_agents',
  {
    sessionId: text('session_id').notNull(),
    rev: integer().notNull(),
    body: json().$type<SessionAgent>().notNull(),
    /** Its skills, as they were when the session was made; null for none. */
    skills: json().$type<SessionSkill[]>(),
  },
  (t) => [primaryKey({ columns: [t.sessionId, t.rev] })],
);

/**
 * Files. `area` and `sha256` name the bytes in the blob store. One with a session belongs to it: a copy of a file that
 * was given to it (`input`), or something that its agent left (`output`).
 */
export const files = pgTable(
  'files',
  {
    id: text().primaryKey(),
    workspaceId: text('workspace_id').notNull(),
    sessionId: text('session_id'),
    origin: text({ enum: ['upload', 'input', 'output'] }).notNull(),
    filename: text().notNull(),
    mimeType: text('mime_type').notNull(),
    bytes: bigint({ mode: 'number' }).notNull(),
    sha256: text().notNull(),
    area: text().notNull(),
    downloadable: boolean().notNull(),
    expiresAt: stamp('expires_at'),
    createdAt: stamp('created_at').notNull(),
    /** Deleted by a client. Only outputs keep their row then, so that the same content is not listed again. */
    removedAt: stamp('removed_at'),
  },
  (t) => [
    index('files_list').on(t.workspaceId, t.createdAt, t.id),
    index('files_session').on(t.sessionId, t.createdAt, t.id),
    index('files_blob').on(t.area, t.sha256),
  ],
);

/** What a session was given; `fileId` is the session's own copy. */
export const sessionResources = pgTable(
  'session_resources',
  {
    id: text().primaryKey(),
    sessionId: text('session_id').notNull(),
    fileId: text('file_id').notNull(),
    mountPath: text('mount_path').notNull(),
    createdAt: stamp('created_at').notNull(),
    updatedAt: stamp('updated_at').notNull(),
  },
  (t) => [
    index('session_resources_list').on(t.sessionId, t.createdAt, t.id),
    uniqueIndex('session_resources_path').on(t.sessionId, t.mountPath),
  ],
);

export const skills = pgTable(
  'skills',
  {
    id: text().primaryKey(),
    workspaceId: text('workspace_id').notNull(),
    /** The slug that every version must have. */
    name: text().notNull(),
    displayName: text('display_name').notNull(),
    createdAt: stamp('created_at').notNull(),
    updatedAt: stamp('updated_at').notNull(),
  },
  (t) => [index('skills_list').on(t.workspaceId, t.createdAt, t.id)],
);

/** A version never changes; its files are blobs of the workspace. */
export const skillVersions = pgTable(
  'skill_versions',
  {
    id: text().primaryKey(),
    skillId: text('skill_id').notNull(),
    workspaceId: text('workspace_id').notNull(),
    name: text().notNull(),
    description: text().notNull(),
    files: json().$type<SkillFile[]>().notNull(),
    createdAt: stamp('created_at').notNull(),
  },
  (t) => [index('skill_versions_list').on(t.skillId, t.createdAt, t.id)],
);

/** Where each outcome of a session stands. Its words are in the log, at these seqs. */
export const sessionOutcomes = pgTable(
  'session_outcomes',
  {
    sessionId: text('session_id').notNull(),
    outcomeId: text('outcome_id').notNull(),
    /** seq of the entry that this comes from: entries may be stored in another order than written. */
    seq: bigint({ mode: 'number' }).notNull(),
    thread: text().notNull(),
    defineSeq: bigint('define_seq', { mode: 'number' }).notNull(),
    result: text().notNull(),
    iteration: integer().notNull(),
    /** seq of the newest `span.outcome_evaluation_end`. */
    explainedSeq: bigint('explained_seq', { mode: 'number' }),
    completedAt: stamp('completed_at'),
  },
  (t) => [primaryKey({ columns: [t.sessionId, t.outcomeId] })],
);

/** How far each thread's log is stored without a gap. */
export const logHeads = pgTable(
  'log_heads',
  {
    sessionId: text('session_id').notNull(),
    thread: text().notNull(),
    head: bigint({ mode: 'number' }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.sessionId, t.thread] })],
);

export const logEntries = pgTable(
  'log_entries',
  {
    sessionId: text('session_id').notNull(),
    thread: text().notNull(),
    seq: bigint({ mode: 'number' }).notNull(),
    runId: text('run_id').notNull(),
    /** SHA-256 of `body`. */
    hash: bytea().notNull(),
    /** The entry as JSON text. */
    body: text().notNull(),
    /** Event type; null for a second appearance. */
    type: text(),
    eventId: text('event_id'),
    /** seq of the event whose second appearance this is. */
    ofSeq: bigint('of_seq', { mode: 'number' }),
    /** The newest stamp of an event, or the stamp of a second appearance. */
    processedAt: stamp('processed_at'),
  },
  (t) => [
    primaryKey({ columns: [t.sessionId, t.thread, t.seq] }),
    index('log_entries_event').on(t.sessionId, t.eventId),
    index('log_entries_of').on(t.sessionId, t.thread, t.ofSeq),
  ],
);

/** Sealed runs: their entries stand in the blob store as one segment with a hash. */
export const segments = pgTable(
  'segments',
  {
    sessionId: text('session_id').notNull(),
    thread: text().notNull(),
    fromSeq: bigint('from_seq', { mode: 'number' }).notNull(),
    toSeq: bigint('to_seq', { mode: 'number' }).notNull(),
    runId: text('run_id').notNull(),
    sha256: text().notNull(),
    bytes: bigint({ mode: 'number' }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.sessionId, t.thread, t.fromSeq] })],
);

/**
 * First outcomes of requests that change something, so that a client's retry does nothing twice. Kept 10 minutes.
 * Every such request has a row before it acts: SDKs mark only their second attempts as such.
 */
export const idempotency = pgTable(
  'idempotency',
  {
    workspaceId: text('workspace_id').notNull(),
    /** `key:` and the client's `Idempotency-Key`, or `once:` and the request id when it sent none. */
    key: text().notNull(),
    /** SHA-256 of API key, method, path and body: another request under the same `Idempotency-Key` is refused. */
    fingerprint: bytea().notNull(),
    /** The id that the request's own effects carry (session id, post request id), made before anything is done. */
    requestId: text('request_id').notNull(),
    /** Number of the newest attempt that has taken this row; a retry takes only one with fewer. */
    attempt: integer().notNull(),
    /** The api process whose client still waits for the answer; it counts only while that process lives. */
    holder: integer(),
    status: integer(),
    body: text(),
    /** When the answer had gone out in full: then nobody retries it. */
    deliveredAt: stamp('delivered_at'),
    createdAt: stamp('created_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.workspaceId, t.key] }),
    index('idempotency_fingerprint').on(t.workspaceId, t.fingerprint, t.createdAt),
    uniqueIndex('idempotency_request').on(t.requestId),
    index('idempotency_age').on(t.createdAt),
  ],
);
