/**
 * Reads what a signal `post` brought: hand-written by a person in the Temporal UI, or sent by another service. There
 * is nobody to answer, so it is either understood whole or dropped. No zod in workflows: each cached one would hold
 * its own copy of every schema.
 */
import type { EventParams } from '../events/wire.ts';
import type { SessionOp } from './contract.ts';

/** Larger signals belong to the api, which moves large parts to the blob store first. Characters of JSON. */
const MAX_SIGNAL_CHARS = 64 * 1024;
const MAX_EVENTS = 50;

/**
 * @param arg - an event, a list of events, or `{events: […]}`, optionally with an `id` that makes repeats harmless.
 * @returns undefined and a reason when it is not understood.
 */
export function readSignal(arg: unknown): { id?: string; op: SessionOp } | { dropped: string } {
  if (JSON.stringify(arg)?.length > MAX_SIGNAL_CHARS) return { dropped: `larger than ${MAX_SIGNAL_CHARS} characters` };
  const whole = isRecord(arg) && Array.isArray(arg.events) ? arg : { events: Array.isArray(arg) ? arg : [arg] };
  const events: unknown[] = Array.isArray(whole.events) ? whole.events : [];
  if (events.length === 0 || events.length > MAX_EVENTS)
    return { dropped: `events must be a list of 1 to ${MAX_EVENTS}` };
  const read = events.map(readEvent);
  const wrong = read.find((one) => typeof one === 'string');
  if (typeof wrong === 'string') return { dropped: wrong };
  const prepared = read.flatMap((event) => (typeof event === 'string' ? [] : [{ event }]));
  const id = 'id' in whole && typeof whole.id === 'string' ? { id: whole.id } : {};
  return { ...id, op: { op: 'events', events: prepared } };
}

/** Returns the event with its known members only, or what is wrong with it. */
function readEvent(value: unknown): EventParams | string {
  if (!isRecord(value)) return 'an event must be an object with a type';
  switch (value.type) {
    case 'user.message': {
      const content = readContent(value.content, false);
      return content ? { type: 'user.message', content } : 'user.message: content must be a list of text blocks';
    }
    case 'user.interrupt':
      return { type: 'user.interrupt' };
    case 'user.tool_confirmation': {
      const { tool_use_id, result, deny_message } = value;
      if (typeof tool_use_id !== 'string') return 'user.tool_confirmation: tool_use_id must be a string';
      if (result !== 'allow' && result !== 'deny') return 'user.tool_confirmation: result must be "allow" or "deny"';
      if (deny_message == null) return { type: 'user.tool_confirmation', tool_use_id, result };
      if (typeof deny_message !== 'string') return 'user.tool_confirmation: deny_message must be a string';
      return { type: 'user.tool_confirmation', tool_use_id, result, deny_message };
    }
    case 'user.custom_tool_result': {
      const { custom_tool_use_id, is_error } = value;
      if (typeof custom_tool_use_id !== 'string') return 'user.custom_tool_result: custom_tool_use_id must be a string';
      const content = readContent(value.content ?? [], true);
      if (!content) return 'user.custom_tool_result: content must be a list of text blocks';
      return { type: 'user.custom_tool_result', custom_tool_use_id, content, is_error: is_error === true };
    }
    default:
      return `type ${JSON.stringify(value.type)} is not accepted by signal`;
  }
}

/** Signals carry text; images and documents go through the api. */
function readContent(value: unknown, emptyAllowed: boolean): { type: 'text'; text: string }[] | undefined {
  if (typeof value === 'string' && value !== '') return [{ type: 'text', text: value }];
  if (!Array.isArray(value) || (value.length === 0 && !emptyAllowed)) return undefined;
  const blocks: { type: 'text'; text: string }[] = [];
  for (const block of value) {
    if (!isRecord(block) || block.type !== 'text' || typeof block.text !== 'string' || block.text === '')
      return undefined;
    blocks.push({ type: 'text', text: block.text });
  }
  return blocks;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
