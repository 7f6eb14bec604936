/** A line of the script, made into the content of a message: templates filled in, ids and signatures given. */
import type { ContentBlock, MessageCreateParamsBase, RefusalStopDetails } from '@anthropic-ai/sdk/resources/messages';
import { writeBookmark } from './bookmark.ts';
import type { Conversation } from './conversation.ts';
import { asBlocks } from './conversation.ts';
import { invalid } from './errors.ts';
import type { Position } from './position.ts';
import type { InputTemplate, Script, Step } from './script.ts';
import { sealRedacted, sign, toolId, toolNumber } from './seal.ts';
import { MissingValue, renderTemplate, type Template } from './template.ts';
import { textTokens } from './tokens.ts';
import { lookupIn, type Scope } from './values.ts';

/** A block with what is sent of it: a tool's input as the JSON text that the deltas carry. */
export type Spoken =
  | { block: Extract<ContentBlock, { type: 'text' | 'thinking' | 'redacted_thinking' }>; json?: undefined }
  | { block: Extract<ContentBlock, { type: 'tool_use' }>; json: string };

export interface Answer {
  spoken: Spoken[];
  stopReason: string;
  stopSequence: string | null;
  stopDetails: RefusalStopDetails | null;
  outputTokens: number;
  thinkingTokens: number;
}

/** The step that a position stands for. */
export function stepAt(script: Script, position: Position): Step {
  if (position.kind === 'summary') return script.summary.step;
  return position.line?.step ?? script.fallback;
}

/** @throws ApiError (400) naming the line, when the conversation lacks a value that its templates ask for. */
export function speak(
  script: Script,
  conversation: Conversation,
  position: Position,
  request: MessageCreateParamsBase,
): Answer {
  const step = stepAt(script, position);
  const scope: Scope = { conversation, position };
  try {
    const spoken = speakBlocks(step, scope, request);
    if (position.kind === 'summary') addBookmark(spoken, position);
    return finish(spoken, step, script, request);
  } catch (error) {
    if (error instanceof MissingValue) throw invalid(`rehearsal: ${step.path}: ${error.message}`);
    throw error;
  }
}

function speakBlocks(step: Step, scope: Scope, request: MessageCreateParamsBase): Spoken[] {
  const spoken: Spoken[] = [];
  let number = lastToolNumber(request);
  for (const block of step.blocks) {
    const render = (template: Template, call = 1) => renderTemplate(template, lookupIn(scope, call));
    if (block.type === 'text') spoken.push({ block: { type: 'text', text: render(block.text), citations: null } });
    else if (block.type === 'tool_use') {
      for (let call = 1; call <= block.times; call++) {
        const input = fill(block.input, (template) => render(template, call));
        const id = toolId(
          ++number,
          spoken.map((it) => it.block),
        );
        const use = { type: 'tool_use' as const, id, name: block.name, input, caller: { type: 'direct' as const } };
        spoken.push({ block: use, json: JSON.stringify(input) });
      }
    } else if (request.thinking?.type === 'disabled') continue;
    else if (block.type === 'redacted_thinking')
      spoken.push({ block: { type: 'redacted_thinking', data: sealRedacted(render(block.data)) } });
    else {
      const full = render(block.thinking);
      const shown = showsThinking(request) ? full : '';
      spoken.push({ block: { type: 'thinking', thinking: shown, signature: sign(full, shown) } });
    }
  }
  return spoken;
}

function showsThinking({ thinking }: MessageCreateParamsBase): boolean {
  return !(thinking && 'display' in thinking && thinking.display === 'omitted');
}

function fill(input: InputTemplate, render: (template: Template) => string): unknown {
  if (input.kind === 'text') return render(input.template);
  if (input.kind === 'list') return input.items.map((item) => fill(item, render));
  if (input.kind === 'map') return Object.fromEntries(input.entries.map(([key, item]) => [key, fill(item, render)]));
  return input.value;
}

function addBookmark(spoken: Spoken[], position: Position): void {
  const bookmark = writeBookmark(position.bookmark);
  const last = spoken.at(-1);
  if (last?.block.type === 'text') last.block.text += `\n\n${bookmark}`;
  else spoken.push({ block: { type: 'text', text: bookmark, citations: null } });
}

/** Tool ids count on from the highest that the conversation holds; after a compaction they may begin anew. */
function lastToolNumber(request: MessageCreateParamsBase): number {
  let highest = 0;
  for (const message of request.messages)
    if (message.role === 'assistant')
      for (const block of asBlocks(message.content))
        if (block.type === 'tool_use') highest = Math.max(highest, toolNumber(block.id) ?? 0);
  return highest;
}

function finish(spoken: Spoken[], step: Step, script: Script, request: MessageCreateParamsBase): Answer {
  const calls = spoken.some((it) => it.block.type === 'tool_use');
  const answer: Answer = {
    spoken,
    stopReason: step.stop ?? (calls ? 'tool_use' : 'end_turn'),
    stopSequence: null,
    stopDetails: step.stop === 'refusal' ? refusal(step) : null,
    outputTokens: 0,
    thinkingTokens: 0,
  };
  if (step.cutAfterChars !== undefined) cutLast(spoken, step.cutAfterChars);
  cutAtStopSequence(answer, request.stop_sequences ?? []);
  if (script.cutAtMaxTokens || request.max_tokens === 0) cutAtMaxTokens(answer, request.max_tokens);
  const thought = spoken.filter((it) => it.block.type === 'thinking' || it.block.type === 'redacted_thinking');
  answer.thinkingTokens = thought.reduce((sum, it) => sum + textTokens(wordsOf(it)), 0);
  answer.outputTokens = spoken.reduce((sum, it) => sum + textTokens(wordsOf(it)), 0);
  return answer;
}

function refusal(step: Step): RefusalStopDetails {
  const { category = null, explanation = null } = step.stopDetails ?? {};
  return { type: 'refusal', category: category as RefusalStopDetails['category'], explanation };
}

/** What the deltas of a block add up to. */
export function wordsOf({ block, json }: Spoken): string {
  if (block.type === 'text') return block.text;
  if (block.type === 'thinking') return block.thinking;
  return block.type === 'redacted_thinking' ? block.data : (json ?? '');
}

function cutLast(spoken: Spoken[], chars: number): void {
  const last = spoken.pop();
  if (last) spoken.push(cut(last, chars));
}

/** A block as far as it had come; a tool's input that is no longer JSON reads as empty where no stream shows the text. */
function cut(spoken: Spoken, chars: number): Spoken {
  const words = wordsOf(spoken).slice(0, chars);
  const { block } = spoken;
  if (block.type === 'text') return { block: { ...block, text: words } };
  if (block.type === 'thinking') return { block: { ...block, thinking: words, signature: sign(words, words) } };
  return block.type === 'tool_use' ? { block: { ...block, input: {} }, json: words } : spoken;
}

function cutAtStopSequence(answer: Answer, sequences: string[]): void {
  for (const [i, it] of answer.spoken.entries()) {
    if (it.block.type !== 'text') continue;
    const { text } = it.block;
    const hits = sequences.map((sequence) => ({ sequence, at: text.indexOf(sequence) })).filter((hit) => hit.at !== -1);
    const first = hits.toSorted((a, b) => a.at - b.at)[0];
    if (!first) continue;
    answer.spoken.splice(i, answer.spoken.length, cut(it, first.at));
    answer.stopReason = 'stop_sequence';
    answer.stopSequence = first.sequence;
    return;
  }
}

function cutAtMaxTokens(answer: Answer, maxTokens: number): void {
  let left = maxTokens;
  for (const [i, it] of answer.spoken.entries()) {
    const tokens = textTokens(wordsOf(it));
    if (tokens <= left) {
      left -= tokens;
      continue;
    }
    const kept = left > 0 ? [cut(it, left * 4)] : [];
    answer.spoken.splice(i, answer.spoken.length, ...kept);
    answer.stopReason = 'max_tokens';
    answer.stopDetails = null;
    return;
  }
}
