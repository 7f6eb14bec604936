/** The values that `{{…}}` can name: what the conversation holds at the line that is being said. */
import type { ContentBlockParam, ToolResultBlockParam } from '@anthropic-ai/sdk/resources/messages';
import { writeBookmark } from './bookmark.ts';
import { type Conversation, latestResults, textOf } from './conversation.ts';
import type { Position } from './position.ts';
import type { Block, Line } from './script.ts';
import type { Lookup } from './template.ts';

export interface Scope {
  conversation: Conversation;
  position: Position;
}

/** `call` counts within a tool that is called several times in one reply. */
export function lookupIn({ conversation, position }: Scope, call: number): Lookup {
  const { turn } = position;
  return ([root, ...path]) => {
    switch (root) {
      case 'user':
        return userValue(turn.blocks, path);
      case 'document':
        return documentValue(
          conversation.turns.flatMap((it) => it.blocks),
          path,
        );
      case 'result': {
        const value = resultValue(latestResults(turn), path);
        return value ?? forgotten(conversation);
      }
      case 'calls': {
        const results = named(path[0] ?? '', position);
        return resultValue(results, path.slice(1)) ?? forgotten(conversation);
      }
      case 'round':
        return String(position.line?.round ?? 1);
      case 'step':
        return String(position.said.length + 1);
      case 'turn':
        return String(conversation.turns.length);
      case 'call':
        return String(call);
      case 'model':
        return conversation.model;
      case 'bookmark':
        return writeBookmark(position.bookmark);
      default:
        return undefined;
    }
  };
}

/** A summary has replaced the results: no reason to fail, the model has forgotten them. */
function forgotten(conversation: Conversation): string | undefined {
  return conversation.bookmark && '(no longer in the conversation)';
}

/** `text`, `last`, `document.N.data`, `image.N.media_type`. */
function userValue(blocks: ContentBlockParam[], [name = 'text', ...path]: string[]): string | undefined {
  if (name === 'text') return textOf(blocks);
  if (name === 'last') return textOf(blocks.filter((block) => block.type === 'text').slice(-1));
  if (name === 'document') return documentValue(blocks, path);
  if (name !== 'image') return undefined;
  const [nth = '1', member = 'media_type'] = path;
  const image = blocks.filter((block) => block.type === 'image')[Number(nth) - 1];
  return image && stringMember(image.source, member);
}

/** `N.data`, `N.title`, `N.context`, `N.media_type`. */
function documentValue(blocks: ContentBlockParam[], [nth = '1', member = 'data']: string[]): string | undefined {
  const document = blocks.filter((block) => block.type === 'document')[Number(nth) - 1];
  if (!document) return undefined;
  return stringMember(document, member) ?? stringMember(document.source, member);
}

/** `N.text` or `N.is_error`; `text` alone is the first result's. */
function resultValue(results: ToolResultBlockParam[], path: string[]): string | undefined {
  const [nth, member = 'text'] = /^\d+$/.test(path[0] ?? '') ? path : ['1', ...path];
  const result = results[Number(nth) - 1];
  if (!result) return undefined;
  if (member === 'is_error') return String(result.is_error === true);
  return member === 'text' ? textOf(result.content) : undefined;
}

/** The results of the calls that the script named with `as`, of the latest reply that made them. */
function named(name: string, { turn, said }: Position): ToolResultBlockParam[] {
  for (const [i, line] of [...said.entries()].toReversed()) {
    const reply = turn.replies[i];
    const places = line ? placesOf(name, line) : [];
    if (!reply || places.length === 0) continue;
    const uses = reply.blocks.filter((block) => block.type === 'tool_use');
    return places.flatMap((place) => reply.results.filter((result) => result.tool_use_id === uses[place]?.id));
  }
  return [];
}

/** Which of a line's tool calls, counted from 0, carry the name. */
function placesOf(name: string, line: Line): number[] {
  const calls = line.step.blocks.filter(
    (block): block is Extract<Block, { type: 'tool_use' }> => block.type === 'tool_use',
  );
  return calls
    .flatMap((block) => new Array<string | undefined>(block.times).fill(block.as))
    .flatMap((as, i) => (as === name ? [i] : []));
}

function stringMember(object: object, member: string): string | undefined {
  const value: unknown = Object.entries(object).find(([key]) => key === member)?.[1];
  return typeof value === 'string' ? value : undefined;
}
