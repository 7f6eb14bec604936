/** `POST /v1/sessions`: the row first, then the workflow. */
import { z } from '@hono/zod-openapi';
import { idBody, primaryThreadId } from '../events/ids.ts';
import { noUsage } from '../events/usage.ts';
import type { Session, SessionAgent } from '../events/wire.ts';
import { toolPolicies } from '../harness/tool-policy.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { findEnvironment } from '../store/environments.ts';
import { insertResources } from '../store/session-resources.ts';
import { findSession, insertSession, type NewSession, type SessionRow } from '../store/sessions.ts';
import type { SessionSkill } from '../store/skills.ts';
import type { SessionInput, SessionInputs } from '../workflows/contract.ts';
import { id, metadata, text } from './common.ts';
import type { Request } from './context.ts';
import { refuseUnenforced } from './environments.ts';
import { ApiError, invalid, notFound, notYet } from './errors.ts';
import { takeEventFiles, withFiles } from './event-files.ts';
import { checkEvents, initialEvents } from './event-params.ts';
import { resolveOutcomes, withGrader } from './outcomes.ts';
import { prepareEvents } from './prepared.ts';
import { resolveSessionAgent, sessionAgentParams } from './session-agent.ts';
import { type ResourceRows, resourceList, storeInputs, takeResources } from './session-inputs.ts';
import type { SessionParts } from './session-parts.ts';
import { takeSkills } from './session-skills.ts';
import { type Placement, placementOf } from './session-target.ts';

export const title = text(0, 1000).nullable().optional();
/** What sessions cannot have yet: any value but the empty one is refused with its name. */
const notYetList = z.array(z.unknown()).nullable().optional();

export const createBody = z.strictObject({
  agent: sessionAgentParams,
  environment_id: id,
  title,
  metadata: metadata.optional(),
  initial_events: initialEvents.nullable().optional(),
  resources: resourceList.nullable().optional(),
  vault_ids: notYetList,
  budget: z.unknown().optional(),
});
/** What creating needs of a request: another service's has no HTTP. */
export type CreateRequest = Pick<
  Request<unknown, z.output<typeof createBody>>,
  'deps' | 'caller' | 'body' | 'effectId' | 'since'
>;

export async function createSession(parts: SessionParts, request: CreateRequest): Promise<Session> {
  const row = await ensureSession(parts, request);
  // The answer shows the outcome that the session was born with.
  const initial = request.body.initial_events ?? [];
  if (initial.some((event) => event.type === 'user.define_outcome')) await parts.accepted.stored(row);
  const [session] = await parts.toWire([row]);
  if (!session) throw new ApiError(500, 'api_error', `Session ${row.id} lost its agent.`);
  return session;
}

/** The row of the session that this request makes, its workflow started; the one that is there when it is a repeat. */
export async function ensureSession(parts: SessionParts, request: CreateRequest): Promise<SessionRow> {
  const { deps, caller, effectId } = request;
  const sessionId = `sesn_${idBody(effectId)}`;
  const row =
    (await findSession(deps.database.orm, caller.workspaceId, sessionId)) ?? (await makeRow(request, sessionId));
  if (row.phase === 'creating') await parts.life.start(row);
  return row;
}

async function makeRow(request: CreateRequest, sessionId: string): Promise<SessionRow> {
  const { deps, caller, body, since } = request;
  const { orm } = deps.database;
  refuseUnenforcedFields(body);
  const wanted = await resolveSessionAgent(orm, caller.workspaceId, deps.models, body.agent);
  const environment = await findEnvironment(orm, caller.workspaceId, body.environment_id);
  if (!environment) throw notFound('environment_id: Environment', body.environment_id);
  if (environment.archived_at !== null) throw invalid('environment_id', `Environment ${environment.id} is archived`);
  refuseUnenforced(environment);
  const placement = placementOf(deps.settings, environment);
  const session = { id: sessionId, workspaceId: caller.workspaceId };
  const make = { effectId: request.effectId, since, at: 'resources', taken: [] };
  const given = await takeResources(deps, session, body.resources ?? [], make);
  const { agent, skills } = await takeSkills(deps, caller, sessionId, wanted);
  const startInput = await makeInput(request, sessionId, agent, placement, { ...given, skills });
  const running = (startInput.initial?.length ?? 0) > 0;
  const row: NewSession = {
    id: sessionId,
    workspaceId: caller.workspaceId,
    thread: startInput.thread,
    phase: 'creating',
    status: running ? 'running' : 'idle',
    rowSeq: -1,
    acceptedSeq: (startInput.initial?.length ?? 0) - 1,
    title: body.title ?? null,
    metadata: body.metadata ?? {},
    agentId: agent.id,
    agentVersion: agent.version,
    agentRev: 0,
    environmentId: environment.id,
    usage: noUsage(),
    stats: { active_seconds: 0 },
    runningSince: running ? since : null,
    inputsRev: startInput.inputs?.rev ?? 0,
    inputsTold: startInput.inputs?.rev ?? 0,
    startInput,
    createdAt: since,
    updatedAt: since,
  };
  return await orm.transaction(async (tx) => {
    // Shared, so that the environment is not deleted between the look and the row that refers to it.
    const there = await findEnvironment(tx, caller.workspaceId, environment.id, 'share');
    if (!there) throw notFound('environment_id: Environment', environment.id);
    await insertSession(tx, row, agent, skills);
    await insertResources(tx, given.resources, given.copies);
    const stored = await findSession(tx, caller.workspaceId, sessionId);
    if (!stored) throw new ApiError(500, 'api_error', `Session ${sessionId} could not be stored.`);
    return stored;
  });
}

async function makeInput(
  request: CreateRequest,
  sessionId: string,
  agent: SessionAgent,
  placement: Placement,
  given: Given,
): Promise<SessionInput> {
  const { deps, caller, body } = request;
  const { session: settings, harness } = deps.settings;
  const thread = primaryThreadId(sessionId);
  const events = await resolveOutcomes(deps, caller, body.initial_events ?? [], 'initial_events');
  const rules = { thread, modelId: agent.model.id, systemMessages: deps.models.find(agent.model.id).systemMessages };
  checkEvents(events, rules, 'initial_events');
  const files = await takeEventFiles(deps, caller, sessionId, events, 'initial_events');
  const prepared = withFiles(await prepareEvents(sessionId, events, deps.blobs), files);
  const initial = withGrader(prepared, body.metadata ?? {});
  const inputs = await firstInputs(deps.blobs, sessionId, given);
  return {
    v: 1,
    session: sessionId,
    workspace: caller.workspaceId,
    thread,
    agent: { name: agent.name, rev: 0, tools: toolPolicies(agent) },
    harness,
    settings,
    ...placement,
    ...(inputs ? { inputs } : {}),
    ...(initial.length > 0 ? { initial } : {}),
  };
}

type Given = ResourceRows & { skills: SessionSkill[] };

/** The read-only files that a session begins with; undefined for none. */
async function firstInputs(blobs: Blobs, sessionId: string, given: Given): Promise<SessionInputs | undefined> {
  const copies = new Map(given.copies.map((copy) => [copy.id, copy]));
  const resources = given.resources.flatMap(({ fileId, mountPath }) => {
    const copy = copies.get(fileId);
    return copy ? [{ mountPath, sha256: copy.sha256, bytes: copy.bytes }] : [];
  });
  if (resources.length + given.skills.length === 0) return undefined;
  return await storeInputs(blobs, sessionId, 1, resources, given.skills);
}

function refuseUnenforcedFields(body: z.output<typeof createBody>): void {
  if (body.vault_ids && body.vault_ids.length > 0) throw notYet('vault_ids', 'vaults are');
  if (body.budget !== undefined && body.budget !== null) throw notYet('budget', 'budgets are');
}
