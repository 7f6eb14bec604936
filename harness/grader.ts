/**
 * The grader: a separate agent that judges an outcome's deliverables. Its context is the task, the rubric, what was
 * handed in and what its own sandbox shows; never the reasoning of who did the work. Pure.
 */
import type {
  ContentBlockParam,
  Message,
  MessageCreateParamsStreaming,
  MessageParam,
  ToolResultBlockParam,
} from '@anthropic-ai/sdk/resources/messages';
import type { ResultBlock } from '../events/wire.ts';
import type { GraderCall, Outputs } from '../workflows/grading-contract.ts';
import { clip, splitRubric } from './criteria.ts';
import { GRADER_HANDS, GRADER_SYSTEM, gradingTask, JUDGE_NOW, LAST_CHANCE, notAVerdict } from './grader-prompt.ts';
import type { ModelSpec } from './model-spec.ts';
import { builtinTools, callSummary } from './tools.ts';
import { explain, readVerdict, VERDICT, VERDICT_TOOL } from './verdict.ts';

/** What a grader may use beside its verdict. */
const GRADER_TOOLS = ['bash', 'read', 'glob', 'grep'];
const MAX_TOKENS = 16_000;
const CACHE = { type: 'ephemeral' } as const;
/** A verdict is asked for when the conversation has taken this share of the window. */
const LOOKING_SHARE = 0.6;
/** Rough size of a token, characters of JSON. */
const CHARS_PER_TOKEN = 3;
/** A picture, or a page or two, in characters of JSON. */
const MEDIA_CHARS = 6_000;
/** Characters of one tool result that the grader sees: it should look closely, not at everything. */
const RESULT_CHARS = 30_000;

/** One thing that was handed in. */
export interface Deliverable {
  title: string;
  text: string;
}

/** Small texts whole, and a list of everything. */
export function deliverablesOf({ files, more }: Outputs): Deliverable[] {
  const lines = files.map(
    ({ path, bytes, text }) => `${path} (${bytes} bytes${text === undefined ? ', not shown here' : ''})`,
  );
  const list = lines.length > 0 ? lines.join('\n') : '(no files)';
  return [
    { title: 'Files handed in under /mnt/session/outputs', text: more ? `${list}\n(and more)` : list },
    ...files.flatMap(({ path, text }) => (text === undefined ? [] : [{ title: path, text }])),
  ];
}

/** What a grader is given to begin with. */
export interface GradingTask {
  description: string;
  rubric: string;
  /** The words with which the agent ended its turn; never its thinking, nor what it said on the way. */
  reply: string;
  deliverables: Deliverable[];
  /** There is a sandbox to look at. */
  tools: boolean;
}

export interface GraderRequest {
  task: GradingTask;
  model: ModelSpec;
  /** What was said after the first message. */
  since: MessageParam[];
  /** Only a verdict will do. */
  last: boolean;
}

export function graderRequest({ task, model, since, last }: GraderRequest): MessageCreateParamsStreaming {
  const tools = task.tools ? [...builtinTools(GRADER_TOOLS), VERDICT_TOOL] : [VERDICT_TOOL];
  const messages: MessageParam[] = [{ role: 'user', content: firstMessage(task) }, ...since];
  const full = sizeOf(messages) > model.window * LOOKING_SHARE * CHARS_PER_TOKEN;
  const enough = task.tools && (last || full);
  const only = enough || !task.tools;
  const ask = enough && since.length > 0 ? withText(messages, LAST_CHANCE) : messages;
  return {
    model: model.upstream,
    max_tokens: Math.min(model.maxOutput, MAX_TOKENS),
    stream: true,
    system: [{ type: 'text', text: GRADER_SYSTEM, cache_control: CACHE }],
    tools,
    // Providers take a forced call only without thinking; the verdict has its evidence before its judgement instead.
    tool_choice: only ? { type: 'tool', name: VERDICT } : { type: 'any' },
    ...(model.thinking === 'adaptive' ? { thinking: { type: 'disabled' } } : {}),
    messages: ask.map((message, index) => (index === 0 || index === ask.length - 1 ? cached(message) : message)),
  };
}

/** Characters of JSON; a picture costs what it is worth in tokens, not in base64. */
function sizeOf(messages: MessageParam[]): number {
  const media = (_key: string, value: unknown) =>
    isRecord(value) && value.type === 'base64' ? { type: '.'.repeat(MEDIA_CHARS) } : value;
  return JSON.stringify(messages, media).length;
}

/** Deliverables are documents: no text in them can pretend to stand outside. */
function firstMessage(task: GradingTask): ContentBlockParam[] {
  const text = (words: string): ContentBlockParam => ({ type: 'text', text: words });
  const handedIn = task.reply.trim() === '' ? [] : [{ title: 'Closing message of who did the work', text: task.reply }];
  const documents = [...handedIn, ...task.deliverables].map(
    (one): ContentBlockParam => ({
      type: 'document',
      title: clip(one.title, 500),
      source: { type: 'text', media_type: 'text/plain', data: one.text.trim() === '' ? '(blank)' : one.text },
    }),
  );
  return [
    text(gradingTask(task.description, task.rubric, splitRubric(task.rubric))),
    ...documents,
    text(
      [
        ...(documents.length === 0 ? ['Nothing was handed in.'] : []),
        ...(task.tools ? [GRADER_HANDS] : []),
        JUDGE_NOW,
      ].join('\n\n'),
    ),
  ];
}

function withText(messages: MessageParam[], words: string): MessageParam[] {
  const last = messages.at(-1);
  if (last?.role !== 'user' || typeof last.content === 'string') return messages;
  return [...messages.slice(0, -1), { role: 'user', content: [...last.content, { type: 'text', text: words }] }];
}

function cached(message: MessageParam): MessageParam {
  if (message.role !== 'user' || typeof message.content === 'string') return message;
  const content = message.content.map((block, index, all) =>
    index === all.length - 1 ? ({ ...block, cache_control: CACHE } as typeof block) : block,
  );
  return { ...message, content };
}

export type GraderReply =
  | { kind: 'verdict'; result: 'satisfied' | 'needs_revision' | 'failed'; explanation: string }
  | { kind: 'calls'; calls: GraderCall[] }
  /** `answer` tells the grader what was wrong. */
  | { kind: 'invalid'; why: string; answer: ContentBlockParam[] };

/** What a grader's reply comes to. Its words count for nothing. */
export function readGraderReply(message: Message, task: GradingTask, last: boolean): GraderReply {
  const uses = message.content.flatMap((block) => (block.type === 'tool_use' ? [block] : []));
  const refuse = (why: string): GraderReply => ({ kind: 'invalid', why, answer: refusalOf(uses, notAVerdict(why)) });
  if (message.stop_reason === 'max_tokens') return refuse('the reply was cut off at its output limit');
  if (message.stop_reason === 'refusal') return refuse('the model refused to answer');
  const verdicts = uses.filter((use) => use.name === VERDICT);
  const [verdict] = verdicts;
  if (verdict) {
    if (uses.length > 1) return refuse('it came together with other calls');
    const read = readVerdict(verdict.input, splitRubric(task.rubric));
    return 'wrong' in read ? refuse(read.wrong) : { kind: 'verdict', result: read.result, explanation: explain(read) };
  }
  if (uses.length === 0) return refuse('the reply called no tool; what is said in words is not read');
  const unknown = uses.find((use) => !task.tools || !GRADER_TOOLS.includes(use.name));
  if (unknown) return refuse(`there is no tool "${clip(unknown.name, 100)}"`);
  if (last) return refuse('only the tool "verdict" could be called');
  return {
    kind: 'calls',
    calls: uses.map((use) => {
      const input = isRecord(use.input) ? use.input : {};
      const timeoutMs = typeof input.timeout_ms === 'number' ? input.timeout_ms : 0;
      return { id: use.id, name: use.name, input, summary: callSummary(use.name, input), timeoutMs };
    }),
  };
}

function refusalOf(uses: { id: string }[], words: string): ContentBlockParam[] {
  if (uses.length === 0) return [{ type: 'text', text: words }];
  return uses.map((use) => ({ type: 'tool_result', tool_use_id: use.id, is_error: true, content: words }));
}

/** The assistant's message as it goes back to the provider. */
export function saidBy(message: Message): MessageParam {
  const content = message.content.flatMap((block): ContentBlockParam[] => {
    if (block.type === 'text') return block.text.trim() === '' ? [] : [{ type: 'text', text: block.text }];
    if (block.type !== 'tool_use') return [];
    return [{ type: 'tool_use', id: block.id, name: block.name, input: isRecord(block.input) ? block.input : {} }];
  });
  return { role: 'assistant', content: content.length > 0 ? content : [{ type: 'text', text: '(nothing)' }] };
}

/** A tool's result as the grader sees it: long texts lose their middle. */
export function graderResult(id: string, content: readonly ResultBlock[], isError: boolean): ToolResultBlockParam {
  const blocks = content.map((block) => (block.type === 'text' ? { ...block, text: shortened(block.text) } : block));
  const kept = blocks.filter((block) => block.type !== 'text' || block.text.trim() !== '');
  const shown = kept.length > 0 ? kept : [{ type: 'text' as const, text: '[no output]' }];
  return {
    type: 'tool_result',
    tool_use_id: id,
    // The session's blocks are the provider's, as in every other request.
    content: shown as Exclude<ToolResultBlockParam['content'], string>,
    ...(isError ? { is_error: true } : {}),
  };
}

export function shortened(text: string, chars = RESULT_CHARS): string {
  if (text.length <= chars) return text;
  const half = Math.floor(chars / 2);
  return `${text.slice(0, half)}\n[… ${text.length - 2 * half} characters left out …]\n${text.slice(-half)}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
