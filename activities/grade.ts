/**
 * One request to the grader of an outcome. It reads what it needs from the log and the blob store; the workflow that
 * asks for it holds only references. The grader's conversation is a chain of blobs, each with what was new.
 */
import type Anthropic from '@anthropic-ai/sdk';
import { APIError } from '@anthropic-ai/sdk';
import type { Message, MessageParam, ToolResultBlockParam } from '@anthropic-ai/sdk/resources/messages';
import { Context } from '@temporalio/activity';
import { isEventEntry } from '../events/entry.ts';
import type { ModelUsage, ResultBlock, SessionAgent, SessionEvent } from '../events/wire.ts';
import {
  type Deliverable,
  deliverablesOf,
  type GradingTask,
  graderResult,
  saidBy,
  shortened,
} from '../harness/grader.ts';
import { judgeCommand, textOf } from '../harness/grading-command.ts';
import { harnessNamed } from '../harness/index.ts';
import type { ModelSpec } from '../harness/model-spec.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { externalize, internalize } from '../store/blobs/parts.ts';
import type { LogStore } from '../store/log.ts';
import type {
  CommandResult,
  GraderCall,
  GradeStepInput,
  GradeStepResult,
  Outputs,
} from '../workflows/grading-contract.ts';
import { LogBehindError } from './conversations.ts';
import { countingCrashes } from './crashes.ts';
import { BrokenStreamError, failureOf } from './model-client.ts';
import type { ModelSlots } from './model-slots.ts';

export interface GradeDeps {
  log: LogStore;
  blobs: Blobs;
  model: Anthropic;
  agentOf(sessionId: string, rev: number): Promise<{ agent: SessionAgent }>;
  modelSpec(id: string): ModelSpec;
  slots: ModelSlots;
}

/** The session's last entries may still be on their way to the store. */
const STORED_WITHIN_MS = 5_000;
const LOOK_MS = 10;
/** Larger inputs of calls travel as blobs: a reply may hold many. */
const INPUT_BYTES = 2 * 1024;
const NO_TOKENS: ModelUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};

/** One link of a grader's conversation. */
interface Link {
  before: string | null;
  messages: MessageParam[];
}

export function createGradeStep(deps: GradeDeps): (input: GradeStepInput) => Promise<GradeStepResult> {
  const { blobs } = deps;

  return async function gradeStep(input) {
    return await countingCrashes(
      () => deps.slots.run(() => request(input)),
      async (crashes) => ({
        kind: 'failure',
        class: 'crashed',
        message: `The worker died ${crashes} times in this request to the grader.`,
      }),
    );
  };

  async function request(input: GradeStepInput): Promise<GradeStepResult> {
    const signal = Context.current().cancellationSignal;
    const byCommand = await commandVerdict(input);
    if (byCommand) return byCommand;
    const [{ agent }, task, before, results] = await Promise.all([
      deps.agentOf(input.session, input.agentRev),
      readTask(input),
      readConversation(input),
      readResults(input),
    ]);
    const since = [...before, ...results];
    const harness = harnessNamed(input.harness);
    const model = deps.modelSpec(input.evaluation.grader.model ?? agent.model.id);
    const body = harness.graderRequest({ task, model, since, last: input.last });
    let message: Message;
    try {
      message = await ask(body, signal);
    } catch (error) {
      const failure = signal.aborted ? undefined : failureOf(error);
      if (!failure) throw error;
      const { ok: _, ...said } = failure;
      return { kind: 'failure', ...said };
    }
    const usage = usageOf(message);
    const reply = harness.graderReply(message, task, input.last || !input.tools);
    if (reply.kind === 'verdict') return await asStep(input, reply, usage);
    const answer: MessageParam[] = reply.kind === 'invalid' ? [{ role: 'user', content: reply.answer }] : [];
    const after = await writeLink(input, [...results, saidBy(message), ...answer]);
    if (reply.kind === 'invalid') return { kind: 'invalid', after, why: reply.why.slice(0, 1_000), usage };
    const calls: GraderCall[] = [];
    for (const call of reply.calls) {
      const moved = await externalize(input.session, { event: { input: call.input } }, blobs, INPUT_BYTES);
      calls.push({ ...call, input: moved.event.input, ...(moved.blobs ? { inputBlobs: moved.blobs } : {}) });
    }
    return { kind: 'calls', after, calls, usage };
  }

  async function ask(body: Parameters<Anthropic['messages']['stream']>[0], signal: AbortSignal): Promise<Message> {
    try {
      return await deps.model.messages.stream(body, { signal }).finalMessage();
    } catch (error) {
      if (signal.aborted || error instanceof APIError) throw error;
      throw new BrokenStreamError(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  async function readTask(input: GradeStepInput): Promise<GradingTask> {
    const { defineSeq, replySeqs } = input.evaluation;
    await stored(input, Math.max(defineSeq, ...replySeqs));
    const defined = await readEvent(input, defineSeq);
    if (defined?.type !== 'user.define_outcome' || defined.rubric.type !== 'text') {
      throw new Error(`Entry ${defineSeq} of ${input.session} defines no outcome with a text rubric.`);
    }
    const said: string[] = [];
    for (const seq of replySeqs) {
      const event = await readEvent(input, seq);
      if (event?.type !== 'agent.message') continue;
      for (const block of event.content) if (block.type === 'text') said.push(block.text);
    }
    return {
      description: defined.description,
      rubric: defined.rubric.content,
      reply: said.join('\n\n'),
      deliverables: [...(await readDeliverables(input)), ...(await commandOutput(input))],
      tools: input.tools,
    };
  }

  async function readDeliverables({ session, outputs }: GradeStepInput): Promise<Deliverable[]> {
    if (outputs === undefined) return [];
    return deliverablesOf(JSON.parse((await blobs.get(session, outputs)).toString('utf8')) as Outputs);
  }

  async function commandOutput({ session, command, evaluation }: GradeStepInput): Promise<Deliverable[]> {
    if (!command) return [];
    const title = `Output of the command that the user set as a test, which passed: ${evaluation.grader.command ?? ''}`;
    return [{ title, text: shortened(textOf(await contentOf(session, command))) }];
  }

  async function readEvent({ session, thread }: GradeStepInput, seq: number): Promise<SessionEvent | undefined> {
    const [entry] = await deps.log.read(session, thread, seq, seq, 1);
    if (!entry || !isEventEntry(entry)) return undefined;
    return (await internalize(session, entry, blobs)).event;
  }

  async function stored({ session, thread }: GradeStepInput, seq: number): Promise<void> {
    const deadline = Date.now() + STORED_WITHIN_MS;
    while ((await deps.log.head(session, thread)) < seq) {
      if (Date.now() > deadline) throw new LogBehindError(`Entry ${seq} of ${session} is not stored yet.`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** The results of the calls that the last step asked for, as one message. */
  async function readResults({ session, results }: GradeStepInput): Promise<MessageParam[]> {
    if (!results || results.length === 0) return [];
    const content: ToolResultBlockParam[] = [];
    for (const result of results) {
      const said =
        result.kind === 'finished'
          ? await contentOf(session, result)
          : [{ type: 'text' as const, text: result.message }];
      content.push(graderResult(result.id, said, result.kind !== 'finished' || result.isError));
    }
    return [{ role: 'user', content }];
  }

  async function contentOf(session: string, { content, blobs: parts }: CommandResult): Promise<ResultBlock[]> {
    return (await internalize(session, { event: { content }, blobs: parts }, blobs)).event.content;
  }

  /** What the command says of the work; undefined when the model is to be asked. */
  async function commandVerdict(input: GradeStepInput): Promise<GradeStepResult | undefined> {
    const { command: result, evaluation } = input;
    const { command = '', mode } = evaluation.grader;
    if (!result || (!result.isError && mode !== 'command')) return undefined;
    const verdict = judgeCommand(command, await contentOf(input.session, result), !result.isError);
    return await asStep(input, verdict, NO_TOKENS);
  }

  async function asStep(
    { session }: GradeStepInput,
    { result, explanation }: Pick<Extract<GradeStepResult, { kind: 'verdict' }>, 'result' | 'explanation'>,
    usage: ModelUsage,
  ): Promise<GradeStepResult> {
    const { event, blobs: parts } = await externalize(session, { event: { explanation } }, blobs);
    return { kind: 'verdict', result, explanation: event.explanation, ...(parts ? { blobs: parts } : {}), usage };
  }

  /** What was said after the first message. */
  async function readConversation(input: GradeStepInput): Promise<MessageParam[]> {
    const links: Link[] = [];
    for (let name = input.after ?? null; name !== null; ) {
      const link = JSON.parse((await blobs.get(input.session, name)).toString('utf8')) as Link;
      links.unshift(link);
      name = link.before;
    }
    return links.flatMap((link) => link.messages);
  }

  async function writeLink(input: GradeStepInput, messages: MessageParam[]): Promise<string> {
    const link: Link = { before: input.after ?? null, messages };
    return (await blobs.put(input.session, Buffer.from(JSON.stringify(link)))).sha256;
  }
}

function usageOf({ usage }: Message): ModelUsage {
  return {
    input_tokens: usage.input_tokens ?? 0,
    output_tokens: usage.output_tokens ?? 0,
    cache_creation_input_tokens: usage.cache_creation_input_tokens ?? 0,
    cache_read_input_tokens: usage.cache_read_input_tokens ?? 0,
  };
}
