/** `/v1/skills/{id}/versions`: create, list, get, download, delete. `latest` stands for the newest. */
import { Readable } from 'node:stream';
import { z } from '@hono/zod-openapi';
import { idBody } from '../events/ids.ts';
import { lockStorage } from '../store/files.ts';
import {
  deleteSkillVersion,
  findSkill,
  findSkillVersion,
  insertSkillVersion,
  listSkillVersions,
  type SkillVersionRow,
} from '../store/skills.ts';
import { binary, id, limit, page } from './common.ts';
import type { ApiDeps, Request } from './context.ts';
import { decodeCursor, encodeCursor, objectPosition } from './cursor.ts';
import { invalid, loggable, notFound } from './errors.ts';
import { type OperatorSkill, operatorSkill } from './operator-skills.ts';
import { type Route, route } from './route.ts';
import { operatorToVersion, skillVersionObject, toSkillVersion } from './skill-object.ts';
import { skillForm, takeSkill } from './skill-upload.ts';
import { type ArchiveFile, writeZip } from './skill-zip.ts';
import { ownSkill } from './skills.ts';
import { checkStored } from './stored.ts';

const PATH = '/v1/skills/{skill_id}/versions';

export function skillVersionRoutes(): Route[] {
  return [
    route({
      method: 'post',
      path: PATH,
      summary: 'Add a version to a skill',
      form: skillForm,
      response: skillVersionObject,
      once: 'transaction',
      handle: create,
    }),
    route({
      method: 'get',
      path: PATH,
      summary: 'List a skill’s versions, newest first',
      query: z.strictObject({ limit: limit(20, 100), page }),
      response: z.object({ data: z.array(skillVersionObject), next_page: z.string().nullable() }),
      handle: list,
    }),
    route({
      method: 'get',
      path: `${PATH}/{version}`,
      summary: 'Get a version of a skill',
      response: skillVersionObject,
      async handle(request) {
        const found = await existing(request);
        return 'skillId' in found ? toSkillVersion(found) : operatorToVersion(found);
      },
    }),
    route({
      method: 'get',
      path: `${PATH}/{version}/content`,
      summary: 'Download a version of a skill as a zip archive',
      response: binary,
      streams: 'application/zip',
      handle: download,
    }),
    route({
      method: 'delete',
      path: `${PATH}/{version}`,
      summary: 'Delete a version of a skill that has others',
      response: z.strictObject({ id, type: z.literal('skill_version_deleted') }),
      once: 'transaction',
      async handle(request) {
        const skill = await ownSkill(request);
        const version = await findSkillVersion(request.db, skill, request.params.version ?? '');
        if (!version) throw notFound('Skill version', request.params.version ?? '');
        const others = await listSkillVersions(request.db, skill.id, 2);
        if (others.length < 2)
          throw invalid('', `${version.id} is the only version of skill ${skill.id}; delete the skill instead.`);
        await deleteSkillVersion(request.db, version.id);
        return { id: version.id, type: 'skill_version_deleted' };
      },
    }),
  ];
}

async function existing({
  db,
  deps,
  caller,
  params,
}: Request<unknown, unknown>): Promise<SkillVersionRow | OperatorSkill> {
  const { skill_id = '', version = '' } = params;
  const skill = await findSkill(db, caller.workspaceId, skill_id);
  const found = skill ? await findSkillVersion(db, skill, version) : undefined;
  if (found) return found;
  const provided = skill ? undefined : await operatorSkill(deps.settings.files?.skillsDir, skill_id);
  if (provided && (version === 'latest' || version === provided.version)) return provided;
  throw skill || provided ? notFound('Skill version', version) : notFound('Skill', skill_id);
}

async function create(request: Request): Promise<object> {
  const { deps, db, caller, files, effectId, since } = request;
  const skill = await ownSkill(request);
  const content = await takeSkill(deps, caller.workspaceId, files);
  if (content.name !== skill.name) {
    throw invalid(
      'files',
      `The name of skill ${skill.id} is "${skill.name}" and cannot change; these files say "${content.name}"`,
    );
  }
  const version = { id: `skillver_${idBody(effectId)}`, skillId: skill.id, workspaceId: caller.workspaceId };
  const row: SkillVersionRow = { ...version, ...content, createdAt: since };
  await lockStorage(db, caller.workspaceId);
  await checkStored(deps, caller.workspaceId, row.files);
  await insertSkillVersion(db, row);
  return toSkillVersion(row);
}

async function list(request: Request<{ limit: number; page?: string }>): Promise<object> {
  const { db, deps, caller, params, query } = request;
  const { skill_id = '' } = params;
  const name = `skill versions ${skill_id}`;
  const position = objectPosition(decodeCursor(query.page, name, 'desc'));
  const skill = await findSkill(db, caller.workspaceId, skill_id);
  if (!skill) {
    const provided = await operatorSkill(deps.settings.files?.skillsDir, skill_id);
    if (!provided) throw notFound('Skill', skill_id);
    return { data: [operatorToVersion(provided)], next_page: null };
  }
  const rows = await listSkillVersions(db, skill.id, query.limit + 1, position);
  const shown = rows.slice(0, query.limit);
  const last = rows.length > shown.length ? shown.at(-1) : undefined;
  const p = last && { createdAt: last.createdAt.getTime(), id: last.id };
  return { data: shown.map(toSkillVersion), next_page: p ? encodeCursor({ l: name, o: 'desc', p }) : null };
}

async function download(request: Request): Promise<Response> {
  const { c, deps } = request;
  const found = await existing(request);
  const headers = {
    'content-type': 'application/zip',
    'content-disposition': `attachment; filename="${found.name}.zip"`,
    'x-content-type-options': 'nosniff',
  };
  if (c.req.raw.method === 'HEAD') return c.body(null, 200, headers);
  const archive = writeZip(found.name, filesOf(deps, found));
  archive.once('error', (error) => deps.log.error({ err: loggable(error), skill: found.id }, 'a download was cut off'));
  return c.body(Readable.toWeb(archive) as ReadableStream<Uint8Array>, 200, headers);
}

function filesOf({ blobs }: Pick<ApiDeps, 'blobs'>, found: SkillVersionRow | OperatorSkill): ArchiveFile[] {
  if ('skillId' in found) {
    return found.files.map(({ path, executable, sha256 }) => ({
      ...{ path, executable, open: () => blobs.getStream(found.workspaceId, sha256) },
    }));
  }
  return found.files.map(({ path, executable, body }) => ({
    ...{ path, executable, open: async () => Readable.from([body]) },
  }));
}
