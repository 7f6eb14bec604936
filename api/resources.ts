/** `/v1/sessions/{id}/resources`: what a session was given; files can be added to it and taken away while it lives. */
import { z } from '@hono/zod-openapi';
import { idBody } from '../events/ids.ts';
import {
  deleteResource,
  findResource,
  insertResources,
  listResources,
  type ResourceRow,
} from '../store/session-resources.ts';
import type { SessionRow } from '../store/sessions.ts';
import { id, limit, page } from './common.ts';
import type { Request } from './context.ts';
import { decodeCursor, encodeCursor, objectPosition } from './cursor.ts';
import { invalid, notFound } from './errors.ts';
import { resourceObject, toResource } from './resource-object.ts';
import { type Route, route } from './route.ts';
import { fileResource, MAX_RESOURCES, takeResources } from './session-inputs.ts';
import type { SessionParts } from './session-parts.ts';
import { changeInputs, tellInputs } from './tell-inputs.ts';

const MOST = 1_000;

export function resourceRoutes(parts: SessionParts): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/sessions/{session_id}/resources',
      summary: 'Give a session a file; it is there before the session’s next tool call',
      body: fileResource,
      example: { type: 'file', file_id: 'file_0123456789' },
      response: resourceObject,
      once: 'effects',
      handle: (request) => add(parts, request),
    }),
    route({
      method: 'get',
      path: '/v1/sessions/{session_id}/resources',
      summary: 'List what a session was given',
      query: z.strictObject({ limit: limit(MOST, MOST), page }),
      response: z.object({ data: z.array(resourceObject), next_page: z.string().nullable() }),
      async handle({ db, caller, params, query }) {
        const row = await parts.load(caller, params.session_id ?? '');
        const name = `resources ${row.id}`;
        const position = objectPosition(decodeCursor(query.page, name, 'asc'));
        const rows = await listResources(db, [row.id], { limit: query.limit + 1, position });
        const shown = rows.slice(0, query.limit);
        const last = rows.length > shown.length ? shown.at(-1) : undefined;
        const p = last && { createdAt: last.createdAt.getTime(), id: last.id };
        return { data: shown.map(toResource), next_page: p ? encodeCursor({ l: name, o: 'asc', p }) : null };
      },
    }),
    route({
      method: 'get',
      path: '/v1/sessions/{session_id}/resources/{resource_id}',
      summary: 'Get one thing that a session was given',
      response: resourceObject,
      handle: async (request) => toResource((await existing(parts, request)).resource),
    }),
    route({
      method: 'post',
      path: '/v1/sessions/{session_id}/resources/{resource_id}',
      summary: 'Give a repository a new token; files have none',
      body: z.strictObject({ authorization_token: z.string().min(1).max(4_096) }),
      example: { authorization_token: 'token' },
      response: resourceObject,
      once: 'effects',
      async handle(request) {
        const { resource } = await existing(parts, request);
        throw invalid('authorization_token', `Resource ${resource.id} is a file, which takes no token`);
      },
    }),
    route({
      method: 'delete',
      path: '/v1/sessions/{session_id}/resources/{resource_id}',
      summary: 'Take a file away from a session',
      response: z.strictObject({ id, type: z.literal('session_resource_deleted') }),
      once: 'effects',
      handle: (request) => remove(parts, request),
    }),
  ];
}

async function existing(parts: SessionParts, { db, caller, params }: Request<unknown, unknown>) {
  const session = await parts.load(caller, params.session_id ?? '');
  const resource = await findResource(db, session.id, params.resource_id ?? '');
  if (!resource) throw notFound('Resource', params.resource_id ?? '');
  return { session, resource };
}

async function add(parts: SessionParts, request: Request<unknown, z.output<typeof fileResource>>): Promise<object> {
  const { deps, caller, params, body, effectId, since } = request;
  const session = await live(parts, request, params.session_id ?? '');
  return await parts.inTurn(session.id, async () => {
    const present = await listResources(deps.database.orm, [session.id]);
    const made = await findResource(deps.database.orm, session.id, `sesrsc_${idBody(effectId)}r0`);
    if (made) {
      await tellInputs(parts.deps, session.id);
      return toResource(made);
    }
    if (present.length >= MAX_RESOURCES) throw invalid('', `A session has at most ${MAX_RESOURCES} resources`);
    const taken = present.map((one) => one.mountPath);
    const rows = await takeResources(deps, { id: session.id, workspaceId: caller.workspaceId }, [body], {
      ...{ effectId, since, taken, at: '' },
    });
    await deps.database.orm.transaction(async (tx) => {
      await changeInputs(tx, session.id);
      await insertResources(tx, rows.resources, rows.copies);
    });
    await tellInputs(parts.deps, session.id);
    return toResource(rows.resources[0] as ResourceRow);
  });
}

async function remove(parts: SessionParts, request: Request): Promise<object> {
  const { session, resource } = await existing(parts, request);
  await live(parts, request, session.id);
  return await parts.inTurn(session.id, async () => {
    await request.deps.database.orm.transaction(async (tx) => {
      await changeInputs(tx, session.id);
      await deleteResource(tx, resource);
    });
    await tellInputs(parts.deps, session.id);
    return { id: resource.id, type: 'session_resource_deleted' };
  });
}

async function live(parts: SessionParts, { caller }: Pick<Request, 'caller'>, sessionId: string): Promise<SessionRow> {
  const session = await parts.loadSettled(caller, sessionId);
  if (session.status === 'terminated')
    throw invalid('', `Session ${session.id} has ended; its resources cannot be changed.`);
  return session;
}
