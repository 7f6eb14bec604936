/** `/v1/skills`: create, list, get, delete; versions are in `skill-versions.ts`. */
import { z } from '@hono/zod-openapi';
import { idBody } from '../events/ids.ts';
import { lockStorage } from '../store/files.ts';
import { deleteSkill, findSkill, insertSkill, listSkills, type SkillRow } from '../store/skills.ts';
import { id, limit, page, text } from './common.ts';
import type { Request } from './context.ts';
import { decodeCursor, encodeCursor, objectPosition } from './cursor.ts';
import { invalid, notFound } from './errors.ts';
import { operatorSkill, operatorSkills } from './operator-skills.ts';
import { type Route, route } from './route.ts';
import { operatorToSkill, skillObject, toSkill } from './skill-object.ts';
import { skillForm, takeSkill } from './skill-upload.ts';
import { checkStored } from './stored.ts';

const LIST = 'skills';
const createBody = z.strictObject({
  display_name: text(1, 255)
    .regex(/^[^\r\n]*$/, 'Input must be one line')
    .openapi({ pattern: '^[^\\u0000\\r\\n]*$' })
    .optional(),
});
const listQuery = z.strictObject({
  limit: limit(20, 100),
  page,
  source: z.enum(['custom', 'anthropic']).optional(),
});
export function skillRoutes(): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/skills',
      summary: 'Create a skill from its files; their names carry their paths, such as greeting/SKILL.md',
      form: skillForm,
      body: createBody,
      response: skillObject,
      once: 'transaction',
      handle: create,
    }),
    route({
      method: 'get',
      path: '/v1/skills',
      summary: 'List skills: custom ones, newest first, then those that the operator provides',
      query: listQuery,
      response: z.object({ data: z.array(skillObject), next_page: z.string().nullable() }),
      handle: list,
    }),
    route({
      method: 'get',
      path: '/v1/skills/{skill_id}',
      summary: 'Get a skill',
      response: skillObject,
      async handle({ db, deps, caller, params }) {
        const { skill_id = '' } = params;
        const row = await findSkill(db, caller.workspaceId, skill_id);
        if (row) return toSkill(row);
        const provided = await operatorSkill(deps.settings.files?.skillsDir, skill_id);
        if (provided) return operatorToSkill(provided);
        throw notFound('Skill', skill_id);
      },
    }),
    route({
      method: 'delete',
      path: '/v1/skills/{skill_id}',
      summary: 'Delete a skill with all its versions; sessions that have it keep it',
      response: z.strictObject({ id, type: z.literal('skill_deleted') }),
      once: 'transaction',
      async handle(request) {
        const { id } = await ownSkill(request);
        await deleteSkill(request.db, id);
        return { id, type: 'skill_deleted' };
      },
    }),
  ];
}

/** The caller's custom skill, locked. @throws ApiError 404, or 400 for one that is not the caller's to change. */
export async function ownSkill({ db, deps, caller, params }: Request<unknown, unknown>): Promise<SkillRow> {
  const { skill_id = '' } = params;
  const row = await findSkill(db, caller.workspaceId, skill_id, 'update');
  if (row) return row;
  if (await operatorSkill(deps.settings.files?.skillsDir, skill_id)) {
    throw invalid('', `Skill ${skill_id} is provided by the operator and cannot be changed.`);
  }
  throw notFound('Skill', skill_id);
}

async function create(request: Request<unknown, z.output<typeof createBody>>): Promise<object> {
  const { deps, db, caller, body, files, effectId, since } = request;
  const { name, description, files: parts } = await takeSkill(deps, caller.workspaceId, files);
  const [id, latestVersionId] = [`skill_${idBody(effectId)}`, `skillver_${idBody(effectId)}`];
  const at = { createdAt: since, updatedAt: since };
  const skill = { id, workspaceId: caller.workspaceId, name, displayName: body.display_name ?? name, ...at };
  const version = { id: latestVersionId, skillId: id, name, description, files: parts };
  await lockStorage(db, caller.workspaceId);
  await checkStored(deps, caller.workspaceId, parts);
  await insertSkill(db, skill, { ...version, workspaceId: caller.workspaceId, createdAt: since });
  return toSkill({ ...skill, latestVersionId });
}

async function list({ db, deps, caller, query }: Request<z.output<typeof listQuery>>): Promise<object> {
  const position = objectPosition(decodeCursor(query.page, LIST, 'desc'));
  const most = query.limit + 1;
  const custom = query.source === 'anthropic' ? [] : await listSkills(db, caller.workspaceId, most, position);
  const found = custom.map((row) => ({ at: row.createdAt.getTime(), skill: toSkill(row) }));
  if (found.length < most && query.source !== 'custom') {
    // They come last, as if they were older than everything.
    const passed = position?.createdAt === 0 ? position.id : undefined;
    for (const provided of await operatorSkills(deps.settings.files?.skillsDir)) {
      if (passed === undefined || provided.id > passed) found.push({ at: 0, skill: operatorToSkill(provided) });
    }
  }
  const shown = found.slice(0, query.limit);
  const last = found.length > shown.length ? shown.at(-1) : undefined;
  const p = last && { createdAt: last.at, id: last.skill.id };
  return {
    data: shown.map(({ skill }) => skill),
    next_page: p ? encodeCursor({ l: LIST, o: 'desc', p }) : null,
  };
}
