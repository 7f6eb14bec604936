/**
 * One evaluation of an outcome: asks the grader, step by step, and runs what it wants to see in a sandbox of its own,
 * until there is a verdict. A workflow of its own, so that the session's history stays its log; a crash in it is
 * Temporal's to mend.
 */
import { isCancellation, sleep } from '@temporalio/workflow';
import type { ModelUsage } from '../events/wire.ts';
import { gradeStep } from './activities.ts';
import { reason } from './failure-words.ts';
import type { CommandResult, Grade, GradeStepInput, GradeStepResult, GradingInput } from './grading-contract.ts';
import { createGradingSandbox, type GradingSandbox } from './grading-sandbox.ts';

/** Rounds in which the grader may look around; then only a verdict will do. */
const MAX_ROUNDS = 30;
/** Answers that may be no valid verdict. */
const MAX_INVALID = 3;
/** How often a command is run whose sandbox is lost: it runs on a copy, so once more harms nothing. */
const MAX_COMMAND_RUNS = 3;
const DEFAULT_COMMAND_MS = 600_000;
/** Classes of failures that may pass. */
const PASSING = ['overloaded', 'rate_limited', 'connection'];

type Judgement = Grade extends infer G ? (G extends Grade ? Omit<G, 'usage' | 'judged'> : never) : never;

export async function grading(input: GradingInput): Promise<Grade> {
  const usage: ModelUsage = {
    input_tokens: 0,
    output_tokens: 0,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  };
  const sandbox = createGradingSandbox(input);
  try {
    const judgement = await judge(input, sandbox, usage);
    const judged = await sandbox.judged();
    return { ...judgement, usage, ...(judged ? { judged } : {}) };
  } catch (error) {
    if (isCancellation(error)) return { kind: 'stopped', usage };
    return { kind: 'error', class: 'harness', message: reason(error), usage };
  } finally {
    await sandbox.release();
  }
}

async function judge(input: GradingInput, sandbox: GradingSandbox, usage: ModelUsage): Promise<Judgement> {
  const { session, thread, agentRev, harness, evaluation, ref, checkpoint } = input;
  // Beside the first request: only a look into the copy, and the end, wait for it.
  const saving = sandbox.judged();
  saving.catch(() => undefined);
  const request: GradeStepInput = {
    ...{ session, thread, agentRev, harness, evaluation, last: false },
    tools: ref !== undefined || checkpoint !== undefined || evaluation.grader.command !== undefined,
  };
  const [outputs, command] = await Promise.all([sandbox.outputs(), runCommand(input, sandbox)]);
  if (outputs !== undefined) request.outputs = outputs;
  if (command && 'message' in command) return { kind: 'error', class: 'harness', message: command.message };
  if (command) request.command = command;

  let invalid = 0;
  for (let round = 0; ; round++) {
    request.last = round >= MAX_ROUNDS;
    const step = await ask(input, request, round, usage);
    switch (step.kind) {
      case 'verdict': {
        const { usage: _, ...verdict } = step;
        return verdict;
      }
      case 'failure':
        return { kind: 'error', class: step.class, message: step.message };
      case 'invalid':
        invalid += 1;
        if (invalid >= MAX_INVALID) {
          const explanation = `The grader gave no valid verdict in ${invalid} attempts: ${step.why}`;
          return { kind: 'verdict', result: 'failed', explanation };
        }
        request.after = step.after;
        request.results = [];
        break;
      case 'calls':
        request.after = step.after;
        request.results = [];
        // In order: shell calls depend on one another, and one sandbox gains little from more at once.
        for (const call of step.calls) request.results.push(await sandbox.run(call));
    }
  }
}

/** The grading command's result; undefined when there is no command, a message when it could not be run. */
async function runCommand(
  { evaluation }: GradingInput,
  sandbox: GradingSandbox,
): Promise<CommandResult | { message: string } | undefined> {
  const { command, timeoutMs } = evaluation.grader;
  if (command === undefined) return undefined;
  for (let runs = 1; ; runs++) {
    const result = await sandbox.run({
      ...{ id: 'command', name: 'bash', summary: `grading command: ${command}`.slice(0, 120) },
      ...{ input: { command }, timeoutMs: timeoutMs ?? DEFAULT_COMMAND_MS },
    });
    if (result.kind === 'finished') return result;
    if (runs >= MAX_COMMAND_RUNS) return { message: `the grading command could not be run: ${result.message}` };
  }
}

/** One step; a provider that is overloaded is asked again after a pause. */
async function ask(
  { settings }: GradingInput,
  request: GradeStepInput,
  round: number,
  total: ModelUsage,
): Promise<GradeStepResult> {
  for (let failures = 1; ; failures++) {
    const step = await gradeStep(`grader request ${round + 1}`)(request);
    if ('usage' in step && step.usage) add(total, step.usage);
    if (step.kind !== 'failure' || !PASSING.includes(step.class) || failures >= settings.retryLimit) return step;
    const backoff = Math.min(settings.retryMaxMs, settings.retryInitialMs * 2 ** (failures - 1));
    await sleep(Math.max(backoff, step.retryAfterMs ?? 0));
  }
}

function add(total: ModelUsage, used: ModelUsage): void {
  total.input_tokens += used.input_tokens;
  total.output_tokens += used.output_tokens;
  total.cache_creation_input_tokens += used.cache_creation_input_tokens;
  total.cache_read_input_tokens += used.cache_read_input_tokens;
}
