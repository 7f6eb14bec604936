/**
 * Thinking that comes back: unchanged, and complete where the model is still at work. Thinking of turns that are over may
 * be left out altogether, but not in part.
 */
import type { ContentBlockParam, MessageCreateParamsBase } from '@anthropic-ai/sdk/resources/messages';
import { asBlocks } from './conversation.ts';
import { invalid } from './errors.ts';
import { isIntact, thinkingIsComplete } from './seal.ts';

/** @throws ApiError (400) */
export function checkThinking(request: MessageCreateParamsBase): void {
  const turnStart = request.messages.findLastIndex(
    (message) => message.role === 'user' && asBlocks(message.content).some((block) => block.type !== 'tool_result'),
  );
  for (const [i, message] of request.messages.entries()) {
    if (message.role !== 'assistant') continue;
    const blocks = asBlocks(message.content);
    checkSignatures(blocks, `messages.${i}.content`);
    if (request.thinking?.type !== 'disabled') checkComplete(blocks, `messages.${i}`, i > turnStart);
  }
}

function checkSignatures(blocks: ContentBlockParam[], at: string): void {
  for (const [i, block] of blocks.entries()) {
    if (isIntact(block)) continue;
    const field = block.type === 'thinking' ? 'signature' : 'data';
    throw invalid(`${at}.${i}: Invalid \`${field}\` in \`${block.type}\` block`);
  }
}

function checkComplete(blocks: ContentBlockParam[], at: string, atWork: boolean): void {
  const left = blocks.some((block) => block.type === 'thinking' || block.type === 'redacted_thinking');
  if (!left && !atWork) return;
  for (const [i, block] of blocks.entries()) {
    if (block.type !== 'tool_use' || thinkingIsComplete(block.id, blocks.slice(0, i))) continue;
    throw invalid(
      `${at}: \`thinking\` or \`redacted_thinking\` blocks in the latest assistant message cannot be modified. ` +
        'These blocks must remain as they were in the original response.',
    );
  }
}
