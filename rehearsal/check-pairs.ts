/** Tool calls and their results: every call is answered in the message that follows it, and nothing else is. */
import type { ContentBlockParam, MessageParam } from '@anthropic-ai/sdk/resources/messages';
import { asBlocks } from './conversation.ts';
import { invalid } from './errors.ts';

interface Place {
  role: 'user' | 'assistant';
  /** Index of its first message in the request. */
  at: number;
  blocks: ContentBlockParam[];
}

/** @throws ApiError (400) */
export function checkPairs(messages: MessageParam[]): void {
  const places = joinRoles(messages);
  const ids = new Set<string>();
  for (const [i, place] of places.entries()) {
    const next = places[i + 1];
    if (place.role === 'assistant') checkCalls(place, next, ids);
    else checkResults(place, places[i - 1]);
  }
}

/** Messages of one role in a row are one turn to the API. */
export function joinRoles(messages: MessageParam[]): Place[] {
  const places: Place[] = [];
  for (const [at, { role, content }] of messages.entries()) {
    if (role === 'system') continue;
    const open = places.at(-1);
    if (open?.role === role) open.blocks.push(...asBlocks(content));
    else places.push({ role, at, blocks: [...asBlocks(content)] });
  }
  return places;
}

function checkCalls(place: Place, next: Place | undefined, ids: Set<string>): void {
  const calls = place.blocks.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
  for (const id of calls) {
    if (ids.has(id)) throw invalid(`messages.${place.at}: \`tool_use\` ids must be unique`);
    ids.add(id);
  }
  // Results come first in their message: what stands behind other content is not "immediately after".
  const answered = new Set<string>();
  for (const block of next?.blocks ?? []) {
    if (block.type !== 'tool_result') break;
    answered.add(block.tool_use_id);
  }
  const open = calls.filter((id) => !answered.has(id));
  if (open.length > 0)
    throw invalid(
      `messages.${place.at}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ` +
        `${open.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
    );
}

function checkResults(place: Place, before: Place | undefined): void {
  const calls = new Set(before?.blocks.flatMap((block) => (block.type === 'tool_use' ? [block.id] : [])));
  const met = new Set<string>();
  for (const [i, block] of place.blocks.entries()) {
    if (block.type !== 'tool_result') continue;
    const at = `messages.${place.at}.content.${i}`;
    if (!calls.has(block.tool_use_id))
      throw invalid(
        `${at}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.tool_use_id}. Each \`tool_result\` ` +
          'block must have a corresponding `tool_use` block in the previous message.',
      );
    if (met.has(block.tool_use_id))
      throw invalid(
        `messages.${place.at}: each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${block.tool_use_id}`,
      );
    met.add(block.tool_use_id);
  }
}
