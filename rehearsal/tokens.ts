/** How many tokens something is, roughly: four bytes each, an image or a file a fixed number. */
import type { MessageCreateParamsBase, ToolResultBlockParam } from '@anthropic-ai/sdk/resources/messages';
import { asBlocks } from './conversation.ts';

const BYTES_PER_TOKEN = 4;
const MEDIA_TOKENS = 1_600;

/** Tokens of a text; never less than one. */
export function textTokens(text: string): number {
  return Math.max(1, Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN));
}

/** Tokens of a block, a tool or whatever else a request holds. */
export function blockTokens(block: object): number {
  if ('type' in block) {
    if (block.type === 'text' && 'text' in block) return textTokens(String(block.text));
    if (block.type === 'image') return MEDIA_TOKENS;
    if (block.type === 'document' && 'source' in block) return documentTokens(block.source);
    if (block.type === 'tool_result') return resultTokens(block as ToolResultBlockParam);
  }
  return textTokens(JSON.stringify(block));
}

function documentTokens(source: unknown): number {
  const { type, data } = source as { type: string; data?: string };
  return type === 'text' ? textTokens(data ?? '') : MEDIA_TOKENS;
}

function resultTokens({ content = '' }: ToolResultBlockParam): number {
  if (typeof content === 'string') return textTokens(content);
  return content.reduce((sum, block) => sum + blockTokens(block), 1);
}

/** A block of a prompt and the kind of place where it stands, in the order of the cache: tools, system, messages. */
export type PromptBlock = { kind: string; block: object };

export function* promptBlocks(request: MessageCreateParamsBase): Generator<PromptBlock> {
  for (const tool of request.tools ?? []) yield { kind: 'tool', block: tool };
  for (const block of asBlocks(request.system ?? [])) yield { kind: 'system', block };
  for (const { role, content } of request.messages) for (const block of asBlocks(content)) yield { kind: role, block };
}

/** The tokens of a request's input, cached or not. */
export function inputTokens(request: MessageCreateParamsBase): number {
  let tokens = 0;
  for (const { block } of promptBlocks(request)) tokens += blockTokens(block);
  return tokens;
}
