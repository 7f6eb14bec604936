/** The words that Longhand itself puts before the model. */

import type { SessionAgent } from '../events/wire.ts';
import type { ToolPolicy } from '../workflows/contract.ts';
import { hasHands } from './tools.ts';

const SANDBOX = `You work in a Linux sandbox of your own.
- /workspace is the working directory; your home is /home/agent. Both last for the whole session.
- Files that the user gave you are under /mnt/session/uploads; you cannot change them there.
- Put what you make for the user under /mnt/session/outputs.
- The sandbox has no network.`;

/** What the model is told of a skill before it reads it. */
export interface SkillSummary {
  name: string;
  description: string;
}

const SKILLS = `You have skills: folders with instructions and files for particular kinds of work. When a task fits one, read its SKILL.md first and follow it; it names whatever else in its folder is worth reading. You cannot change them.`;

/** The system prompt: the operator's words first, then what holds in every session. */
export function systemPrompt(
  agent: SessionAgent,
  policies: Record<string, ToolPolicy>,
  skills: SkillSummary[] = [],
): string {
  const hands = hasHands(policies);
  const parts = [agent.system ?? '', hands ? SANDBOX : '', hands && skills.length > 0 ? skillsPart(skills) : ''];
  return parts.filter((part) => part !== '').join('\n\n');
}

function skillsPart(skills: SkillSummary[]): string {
  const lines = skills.map(
    ({ name, description }) => `- ${name} (/workspace/skills/${name}/SKILL.md): ${description.replaceAll(/\s+/g, ' ')}`,
  );
  return [SKILLS, ...lines].join('\n');
}

/** What the model sees where the user stopped it. */
export const INTERRUPTED_NOTE = '[The user interrupted.]';

/** Asks for a summary that takes the conversation's place. */
export const COMPACT_REQUEST = `The conversation has nearly filled the context window. Write a summary that will take its place, so that you can go on without loss. Include: what the user asked for, word for word where it matters; what has been done and found so far; files made or changed, with their paths; decisions and their reasons; what is left to do and the next step. Answer with the summary only.`;

/** Wraps a summary as the first message of the shortened context. */
export function summaryMessage(summary: string): string {
  return `[Earlier parts of this conversation were summarised to make room. The full log is kept outside.]\n\n${summary}`;
}
