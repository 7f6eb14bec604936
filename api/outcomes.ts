/** Outcomes on their way in (rubrics, how they are graded) and out (`outcome_evaluations` of a session). */
import type { EventParams, Session } from '../events/wire.ts';
import { internalize } from '../store/blobs/parts.ts';
import { findFiles } from '../store/files.ts';
import { type OutcomeRow, outcomesOf } from '../store/session-outcomes.ts';
import type { PreparedEvent } from '../workflows/contract.ts';
import type { GraderSettings } from '../workflows/grading-contract.ts';
import type { ApiDeps, Caller } from './context.ts';
import { invalid } from './errors.ts';
import { present } from './session-inputs.ts';

/** As for a rubric that comes as text. Characters. */
const MAX_RUBRIC = 262_144;
/** A character takes at most so many. */
const UTF8_BYTES = 4;
const PREFIX = 'longhand.grader_';
const MODES = ['command', 'command_then_model'] as const;
/** Longest that a grading command may be given, ms. */
const MAX_COMMAND_MS = 3_600_000;

type Definition = Extract<EventParams, { type: 'user.define_outcome' }>;

/**
 * The events with each file rubric resolved to its text.
 * @param at - the list's path.
 * @throws ApiError 400 naming the field, for more than one definition or a rubric that cannot be read.
 */
export async function resolveOutcomes(
  deps: ApiDeps,
  caller: Pick<Caller, 'workspaceId'>,
  events: EventParams[],
  at: string,
): Promise<EventParams[]> {
  const resolved: EventParams[] = [];
  let defined = false;
  for (const [index, event] of events.entries()) {
    if (event.type !== 'user.define_outcome') {
      resolved.push(event);
      continue;
    }
    const path = `${at}.${index}`;
    if (defined) throw invalid(`${path}.type`, 'At most one user.define_outcome: a session has one outcome at a time');
    defined = true;
    resolved.push({ ...event, rubric: await textRubric(deps, caller, event, path) });
  }
  return resolved;
}

async function textRubric(
  deps: ApiDeps,
  caller: Pick<Caller, 'workspaceId'>,
  { rubric }: Definition,
  path: string,
): Promise<Extract<Definition['rubric'], { type: 'text' }>> {
  if (rubric.type === 'text') {
    if (rubric.content.trim() === '') throw invalid(`${path}.rubric.content`, 'A rubric must say something');
    return rubric;
  }
  const at = `${path}.rubric.file_id`;
  const [found] = await findFiles(deps.database.orm, caller.workspaceId, [rubric.file_id]);
  const file = present(found, at, rubric.file_id, deps.now());
  if (file.bytes > MAX_RUBRIC * UTF8_BYTES) throw tooLong(at);
  const content = utf8(await deps.blobs.get(file.area, file.sha256));
  if (content === undefined) throw invalid(at, `File ${file.id} is not text in UTF-8`);
  if (content.length > MAX_RUBRIC) throw tooLong(at);
  if (content.trim() === '') throw invalid(at, 'A rubric must say something');
  return { type: 'text', content };
}

const tooLong = (at: string) => invalid(at, `A rubric may have ${MAX_RUBRIC} characters at most; this file has more`);

function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Gives the definition among the events what the session's metadata says of grading. @throws ApiError 400 */
export function withGrader(prepared: PreparedEvent[], metadata: Record<string, string>): PreparedEvent[] {
  return prepared.map((one) =>
    one.event.type === 'user.define_outcome' ? { ...one, grader: graderSettings(metadata) } : one,
  );
}

/** A misspelt or senseless setting is refused: an outcome must not be graded otherwise than its owner believes. */
function graderSettings(metadata: Record<string, string>): GraderSettings {
  const settings: GraderSettings = {};
  for (const [key, value] of Object.entries(metadata)) {
    if (!key.startsWith(PREFIX)) continue;
    const path = `metadata.${key}`;
    if (value.trim() === '') throw invalid(path, 'Must not be blank');
    switch (key.slice(PREFIX.length)) {
      case 'model':
        settings.model = value;
        break;
      case 'command':
        settings.command = value;
        break;
      case 'mode':
        settings.mode = MODES.find((mode) => mode === value);
        if (!settings.mode) throw invalid(path, `Must be one of ${MODES.join(', ')}`);
        break;
      case 'timeout_ms':
        settings.timeoutMs = Number(value);
        if (!/^\d+$/.test(value) || settings.timeoutMs < 1 || settings.timeoutMs > MAX_COMMAND_MS) {
          throw invalid(path, `Must be a whole number of milliseconds from 1 to ${MAX_COMMAND_MS}`);
        }
        break;
      default:
        throw invalid(
          path,
          `Unknown; there are ${PREFIX}model, ${PREFIX}command, ${PREFIX}mode and ${PREFIX}timeout_ms`,
        );
    }
  }
  for (const key of ['mode', 'timeoutMs'] as const) {
    if (settings[key] !== undefined && settings.command === undefined) {
      const name = key === 'mode' ? 'mode' : 'timeout_ms';
      throw invalid(`metadata.${PREFIX}${name}`, `Only allowed together with ${PREFIX}command`);
    }
  }
  return settings;
}

/** What each session's `outcome_evaluations` hold. */
export async function outcomeEvaluations(
  deps: Pick<ApiDeps, 'database' | 'blobs'>,
  sessionIds: string[],
): Promise<Map<string, Session['outcome_evaluations']>> {
  const all = new Map<string, Session['outcome_evaluations']>();
  for (const row of await outcomesOf(deps.database.pool, sessionIds)) {
    const list = all.get(row.sessionId) ?? [];
    list.push(await evaluationOf(deps, row));
    all.set(row.sessionId, list);
  }
  return all;
}

async function evaluationOf(
  { blobs }: Pick<ApiDeps, 'blobs'>,
  row: OutcomeRow,
): Promise<Session['outcome_evaluations'][number]> {
  const defined = row.defined && (await internalize(row.sessionId, row.defined, blobs)).event;
  const explained = row.explained && (await internalize(row.sessionId, row.explained, blobs)).event;
  return {
    type: 'outcome_evaluation',
    outcome_id: row.outcomeId,
    description: defined?.type === 'user.define_outcome' ? defined.description : '',
    iteration: row.iteration,
    result: row.result,
    explanation: explained?.type === 'span.outcome_evaluation_end' ? explained.explanation : null,
    completed_at: row.completedAt?.toISOString() ?? null,
  };
}
