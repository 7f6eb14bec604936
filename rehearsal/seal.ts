/**
 * Seals of what must come back unchanged: signatures of thinking blocks, and tool ids that remember which thinking went
 * before them. The key is fixed, so a rehearsal recognises its own words after a restart; it protects nothing.
 */
import { createHmac } from 'node:crypto';
import type { ContentBlockParam } from '@anthropic-ai/sdk/resources/messages';

const KEY = 'longhand rehearsal';

/** The signature of a thinking block. `full` is what was thought, `shown` what the client gets to see of it. */
export function sign(full: string, shown: string): string {
  const thought = mac(full);
  return `rehearsal_${thought}_${mac(thought + shown)}`;
}

/** Whether a thinking block came from a rehearsal and nobody changed it. */
export function isIntact(block: ContentBlockParam): boolean {
  if (block.type === 'redacted_thinking') return sealRedacted(openRedacted(block.data) ?? '') === block.data;
  if (block.type !== 'thinking') return true;
  const [, thought = '', shown] = /^rehearsal_([0-9a-f]+)_([0-9a-f]+)$/.exec(block.signature) ?? [];
  return shown === mac(thought + block.thinking) && (block.thinking === '' || thought === mac(block.thinking));
}

export function sealRedacted(text: string): string {
  return `rehearsal_${Buffer.from(text).toString('base64url')}_${mac(text)}`;
}

function openRedacted(sealed: string): string | undefined {
  const [, text] = /^rehearsal_([\w-]*)_[0-9a-f]+$/.exec(sealed) ?? [];
  return text === undefined ? undefined : Buffer.from(text, 'base64url').toString();
}

/** A tool id: counts within the conversation, and ends in a seal of the thinking that stands before it in the reply. */
export function toolId(number: number, before: readonly ContentBlockParam[]): string {
  return `toolu_rehearsal_${String(number).padStart(4, '0')}_${mac(seals(before).join(' ')).slice(0, 8)}`;
}

/** The number in a tool id of ours, else undefined. */
export function toolNumber(id: string): number | undefined {
  const [, number] = /^toolu_rehearsal_(\d+)_[0-9a-f]{8}$/.exec(id) ?? [];
  return number === undefined ? undefined : Number(number);
}

/** False when thinking that stood before this call in our reply is missing, moved or changed. Others' ids pass. */
export function thinkingIsComplete(id: string, before: readonly ContentBlockParam[]): boolean {
  const number = toolNumber(id);
  if (number === undefined) return true;
  const all = seals(before);
  if (all.length === 0) return id.endsWith(NO_THINKING);
  // A client may have joined this reply to a paused one before it: then only the tail is this reply's.
  return all.concat('').some((_, i) => mac(all.slice(i).join(' ')).slice(0, 8) === id.slice(-8));
}

function seals(blocks: readonly ContentBlockParam[]): string[] {
  return blocks.flatMap((block) => {
    if (block.type === 'thinking') return [block.signature];
    return block.type === 'redacted_thinking' ? [block.data] : [];
  });
}

function mac(text: string): string {
  return createHmac('sha256', KEY).update(text).digest('hex').slice(0, 40);
}

const NO_THINKING = mac('').slice(0, 8);
