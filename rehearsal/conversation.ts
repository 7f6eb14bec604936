/**
 * A request's messages, read as a conversation: what the user said, which replies followed, what their tool calls came
 * to. Everything that the player knows comes from here; nothing is remembered between requests.
 */
import type {
  ContentBlockParam,
  MessageCreateParamsBase,
  ToolResultBlockParam,
} from '@anthropic-ai/sdk/resources/messages';
import { type Bookmark, findBookmark } from './bookmark.ts';

export interface Conversation {
  model: string;
  system: string;
  /** Set when the messages begin with a summary of this rehearsal's: the first turn is the one that it left. */
  bookmark?: Bookmark;
  turns: UserTurn[];
}

/** What the user said, and the replies to it. */
export interface UserTurn {
  blocks: ContentBlockParam[];
  replies: Reply[];
}

export interface Reply {
  blocks: ContentBlockParam[];
  results: ToolResultBlockParam[];
}

export function readConversation(request: MessageCreateParamsBase): Conversation {
  const conversation: Conversation = { model: request.model, system: textOf(request.system ?? ''), turns: [] };
  const resume = (bookmark: Bookmark) => {
    conversation.bookmark = bookmark;
    conversation.turns = [{ blocks: [], replies: [] }];
  };
  const inSystem = findBookmark(conversation.system);
  if (inSystem) resume(inSystem);
  for (const message of request.messages) {
    if (message.role === 'system') continue;
    const blocks = asBlocks(message.content);
    if (message.role === 'assistant') {
      conversation.turns.at(-1)?.replies.push({ blocks, results: [] });
      const bookmark = findBookmark(textOf(blocks));
      if (bookmark) resume(bookmark);
      continue;
    }
    for (const block of blocks) {
      if (block.type === 'tool_result') {
        conversation.turns.at(-1)?.replies.at(-1)?.results.push(block);
        continue;
      }
      const bookmark = block.type === 'text' ? findBookmark(block.text) : undefined;
      if (bookmark) resume(bookmark);
      else addUserBlock(conversation.turns, block);
    }
  }
  return conversation;
}

function addUserBlock(turns: UserTurn[], block: ContentBlockParam): void {
  const open = turns.at(-1);
  if (open && open.replies.length === 0) open.blocks.push(block);
  else turns.push({ blocks: [block], replies: [] });
}

export function asBlocks(content: string | ContentBlockParam[]): ContentBlockParam[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}

/** The text blocks of a content, one after the other. */
export function textOf(content: string | readonly { type: string }[] | undefined): string {
  if (content === undefined) return '';
  if (typeof content === 'string') return content;
  return content.flatMap((block) => ('text' in block && typeof block.text === 'string' ? [block.text] : [])).join('\n');
}

/** Titles and texts of the plain-text documents that the user has given. */
export function documentsOf({ turns }: Conversation): string {
  return turns
    .flatMap((turn) => turn.blocks)
    .flatMap((block) =>
      block.type === 'document' && block.source.type === 'text' ? [block.title ?? '', block.source.data] : [],
    )
    .join('\n');
}

/** The results that the latest reply's calls came to; none before the first. */
export function latestResults(turn: UserTurn): ToolResultBlockParam[] {
  return turn.replies.at(-1)?.results ?? [];
}
