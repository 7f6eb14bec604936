/** Objects by what a person types: a session by its id or the beginning or end of it, agents and environments by name. */
import type Anthropic from '@anthropic-ai/sdk';
import { CommandError, EXIT } from './context.ts';

/** Sessions that are looked through for an id that is not whole. */
const LOOKED_AT = 2_000;
/** Fewer characters would hardly be unique for long. */
const LEAST = 4;

/**
 * The whole id. One that looks whole is not looked up.
 * @throws CommandError: none has it (exit code 3), several have it (2).
 */
export async function findSessionId(api: Anthropic, typed: string): Promise<string> {
  if (/^sesn_[0-9A-Za-z]{20,}$/.test(typed)) return typed;
  if (typed.length < LEAST) {
    throw new CommandError(
      `"${typed}" is too short for a part of a session's id; type ${LEAST} characters or more.`,
      EXIT.usedWrongly,
    );
  }
  const ids: string[] = [];
  for await (const { id } of api.beta.sessions.list({ limit: 100, include_archived: true })) {
    ids.push(id);
    if (ids.length === LOOKED_AT) break;
  }
  return onlyOne(ids, typed, 'session', ids.length === LOOKED_AT ? ` among the newest ${LOOKED_AT}` : '');
}

/**
 * The one id that is, begins with, or ends with what was typed; the prefix before `_` may be left out.
 * @throws CommandError: none has it (exit code 3), several have it (2).
 */
export function onlyOne(ids: string[], typed: string, what: string, where = ''): string {
  const body = (id: string) => id.slice(id.indexOf('_') + 1);
  const found = ids.filter((id) => id.startsWith(typed) || body(id).startsWith(typed) || id.endsWith(typed));
  const [first] = found;
  if (first !== undefined && (found.length === 1 || ids.includes(typed))) return ids.includes(typed) ? typed : first;
  if (first === undefined) throw new CommandError(`There is no ${what} ${typed}${where}.`, EXIT.notFound);
  throw new CommandError(
    `"${typed}" fits ${found.length} ${what}s; type more of the id:\n${found.map((id) => `  ${id}`).join('\n')}`,
    EXIT.usedWrongly,
  );
}

/** @throws CommandError: no such agent (exit code 3), several of that name (2). */
export async function findAgentId(api: Anthropic, typed: string): Promise<string> {
  if (/^agent_[0-9A-Za-z]{20,}$/.test(typed)) return typed;
  return oneNamed(await named(api.beta.agents.list({ limit: 100 }), typed), 'agent', typed);
}

/** @throws CommandError: no such environment (exit code 3), several of that name (2). */
export async function findEnvironmentId(api: Anthropic, typed: string): Promise<string> {
  if (/^env_[0-9A-Za-z]{20,}$/.test(typed)) return typed;
  return oneNamed(await named(api.beta.environments.list({ limit: 100 }), typed), 'environment', typed);
}

/** All objects of a list that have the name. */
async function named<T extends { name: string }>(list: AsyncIterable<T>, name: string): Promise<T[]> {
  const found: T[] = [];
  for await (const object of list) if (object.name === name) found.push(object);
  return found;
}

function oneNamed(found: { id: string }[], what: string, name: string): string {
  const [first, ...others] = found;
  if (first === undefined) throw new CommandError(`There is no ${what} named "${name}".`, EXIT.notFound);
  if (others.length === 0) return first.id;
  const ids = found.map(({ id }) => `  ${id}`).join('\n');
  throw new CommandError(`${found.length} ${what}s are named "${name}"; give the id of one:\n${ids}`, EXIT.usedWrongly);
}
