/**
 * Events that may go straight to a session: of known shape to the last member, text only, small. Whatever else is sent
 * goes by way of the brain, which checks it as the HTTP API does and says what is wrong, and stores its large parts.
 */
import type { EventParams } from '../events/wire.ts';
import { utf8Bytes } from '../workflows/sizes.ts';

/** As the blob store's own limit for a part that stays inside an entry, with room for what surrounds it. */
const MAX_EVENT_BYTES = 15 * 1024;
const MAX_EVENTS = 10;
const ID = /^[A-Za-z0-9_.:-]{1,128}$/;

export function arePlain(events: readonly EventParams[]): boolean {
  return events.length > 0 && events.length <= MAX_EVENTS && events.every(isPlain);
}

function isPlain(event: EventParams): boolean {
  if (utf8Bytes(JSON.stringify(event)) > MAX_EVENT_BYTES) return false;
  switch (event.type) {
    case 'user.message':
      return hasOnly(event, ['type', 'content']) && event.content.length > 0 && areTexts(event.content);
    case 'user.interrupt':
      return hasOnly(event, ['type']);
    case 'user.tool_confirmation': {
      const { tool_use_id, result, deny_message: why } = event;
      const said = why === undefined || (result === 'deny' && typeof why === 'string' && why.length <= 10_000);
      return (
        hasOnly(event, ['type', 'tool_use_id', 'result', 'deny_message']) &&
        ID.test(tool_use_id) &&
        (result === 'allow' || result === 'deny') &&
        said
      );
    }
    case 'user.custom_tool_result': {
      const { custom_tool_use_id: id, content = [], is_error } = event;
      return (
        hasOnly(event, ['type', 'custom_tool_use_id', 'content', 'is_error']) &&
        ID.test(id) &&
        areTexts(content) &&
        (is_error === undefined || typeof is_error === 'boolean')
      );
    }
    default:
      return false;
  }
}

function areTexts(content: unknown): boolean {
  return (
    Array.isArray(content) &&
    content.every(
      (block: unknown) =>
        typeof block === 'object' &&
        block !== null &&
        hasOnly(block, ['type', 'text']) &&
        Reflect.get(block, 'type') === 'text' &&
        isText(Reflect.get(block, 'text')),
    )
  );
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function hasOnly(value: object, names: string[]): boolean {
  return Object.keys(value).every((name) => names.includes(name));
}
