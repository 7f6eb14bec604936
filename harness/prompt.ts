/** The words that Longhand itself puts before the model. */

import type { SessionAgent } from '../events/wire.ts';
import type { ToolPolicy } from '../workflows/contract.ts';
import { hasHands } from './tools.ts';

const SANDBOX = `You work in a Linux sandbox of your own.
- /workspace is the working directory; your home is /home/agent. Both last for the whole session.
- Put what you make for the user under /mnt/session/outputs.
- The sandbox has no network.`;

/** The system prompt: the operator's words first, then what holds in every session. */
export function systemPrompt(agent: SessionAgent, policies: Record<string, ToolPolicy>): string {
  const parts = [agent.system ?? '', hasHands(policies) ? SANDBOX : ''].filter((part) => part !== '');
  return parts.join('\n\n');
}

/** What the model sees where the user stopped it. */
export const INTERRUPTED_NOTE = '[The user interrupted.]';

/** Asks for a summary that takes the conversation's place. */
export const COMPACT_REQUEST = `The conversation has nearly filled the context window. Write a summary that will take its place, so that you can go on without loss. Include: what the user asked for, word for word where it matters; what has been done and found so far; files made or changed, with their paths; decisions and their reasons; what is left to do and the next step. Answer with the summary only.`;

/** Wraps a summary as the first message of the shortened context. */
export function summaryMessage(summary: string): string {
  return `[Earlier parts of this conversation were summarised to make room. The full log is kept outside.]\n\n${summary}`;
}
