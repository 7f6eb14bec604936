/** The skills of a new session: found, pinned to a version, and copied, so that they stay what they are. */
import type { SessionAgent } from '../events/wire.ts';
import { findSkill, findSkillVersion, type SessionSkill } from '../store/skills.ts';
import type { ApiDeps, Caller } from './context.ts';
import { type ApiError, invalid } from './errors.ts';
import { operatorSkill } from './operator-skills.ts';
import { inputsArea } from './session-inputs.ts';

type AgentSkill = SessionAgent['skills'][number];
interface Found {
  version: string;
  skill: SessionSkill;
}

/** @returns the agent with concrete versions, and its skills. @throws ApiError 400 that names the skill's field. */
export async function takeSkills(
  deps: ApiDeps,
  caller: Caller,
  sessionId: string,
  agent: SessionAgent,
): Promise<{ agent: SessionAgent; skills: SessionSkill[] }> {
  const skills: SessionSkill[] = [];
  const pinned: AgentSkill[] = [];
  for (const [index, wanted] of agent.skills.entries()) {
    const at = `agent.skills.${index}`;
    const fail = (field: string, why: string) => invalid(`${at}.${field}`, why);
    const find = wanted.type === 'custom' ? findCustom : findProvided;
    const { version, skill } = await find(deps, caller, inputsArea(sessionId), wanted, fail);
    if (skills.some(({ name }) => name === skill.name)) throw fail('skill_id', `Two skills are called "${skill.name}"`);
    pinned.push({ ...wanted, version });
    skills.push(skill);
  }
  return { agent: skills.length > 0 ? { ...agent, skills: pinned } : agent, skills };
}

type Fail = (field: string, why: string) => ApiError;

async function findCustom(
  deps: ApiDeps,
  caller: Caller,
  area: string,
  { skill_id, version }: AgentSkill,
  fail: Fail,
): Promise<Found> {
  const skill = await findSkill(deps.database.orm, caller.workspaceId, skill_id);
  if (!skill) throw fail('skill_id', `Skill ${skill_id} was not found`);
  const found = await findSkillVersion(deps.database.orm, skill, version);
  if (!found) throw fail('version', `Skill ${skill_id} has no version ${version}`);
  for (const { sha256 } of found.files) await deps.blobs.copy(caller.workspaceId, area, sha256);
  const { name, description, files } = found;
  return { version: found.id, skill: { name, description, files } };
}

async function findProvided(
  deps: ApiDeps,
  _caller: Caller,
  area: string,
  { skill_id, version }: AgentSkill,
  fail: Fail,
): Promise<Found> {
  const folder = deps.settings.files?.skillsDir;
  const found = await operatorSkill(folder, skill_id);
  if (!found) {
    const where =
      folder === undefined ? 'set LONGHAND_SKILLS_DIR to a folder that has it' : `${folder} has no such skill`;
    throw fail('skill_id', `The anthropic skill "${skill_id}" is provided by the operator of this Longhand: ${where}`);
  }
  if (version !== 'latest' && version !== found.version)
    throw fail('version', `The anthropic skill "${skill_id}" is here in version ${found.version} only`);
  const files = [];
  for (const { path, body, executable } of found.files) {
    const name = await deps.blobs.put(area, body);
    files.push({ path, ...name, ...(executable ? { executable: true as const } : {}) });
  }
  return { version: found.version, skill: { name: found.name, description: found.description, files } };
}
