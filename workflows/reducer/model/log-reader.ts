/**
 * A reader of the log that knows the rules of it and nothing of the reducer: it takes one entry after the other and
 * says what is wrong with it. What it believes after the last one must be what the session's state says.
 */
import { isEventEntry, type LogEntry } from '../../../events/entry.ts';
import type { EventOf, SessionEvent, StopReason } from '../../../events/wire.ts';

/** A tool use without its result. */
interface OpenUse {
  kind: 'builtin' | 'custom';
  permission?: 'allow' | 'ask' | 'deny';
  /** What a person said to it. */
  confirmed?: 'allow' | 'deny';
}

export interface LogReader {
  next: number;
  status: 'idle' | 'running' | 'rescheduling' | 'terminated';
  /** ms of the newest stamp. */
  lastAt: number;
  /** Id of the open model request's span. */
  span: string | undefined;
  /** Tool uses without a result, in the order of the log. */
  open: Map<string, OpenUse>;
  /** Inbound events that are not processed yet: seq → type. */
  unprocessed: Map<number, string>;
  ids: Set<string>;
  /** Tool uses that a person has confirmed or denied. */
  confirmed: Set<string>;
  /** Types that the next events must have, where the order is fixed. */
  expected: SessionEvent['type'][];
  tokens: { input: number; output: number };
  /** The newest idle's reason. */
  stopReason: StopReason | undefined;
  /** The outcome that is open. */
  outcome?: { seq: number; id: string; iteration: number; evaluation?: string } | undefined;
  /** An error that ends the turn has been shown, and its idle has not: the seq behind it. */
  exhausted: number | undefined;
}

export function openLog(): LogReader {
  return {
    next: 0,
    status: 'idle',
    lastAt: 0,
    span: undefined,
    open: new Map(),
    unprocessed: new Map(),
    ids: new Set(),
    confirmed: new Set(),
    expected: [],
    tokens: { input: 0, output: 0 },
    stopReason: undefined,
    exhausted: undefined,
  };
}

/** @throws Error saying which rule the entry breaks. */
export function readEntry(reader: LogReader, entry: LogEntry): void {
  const must = (holds: boolean, rule: string) => {
    if (!holds) throw new Error(`Entry ${entry.seq}: ${rule}\n${JSON.stringify(entry)}`);
  };
  must(entry.seq === reader.next, `seq must be ${reader.next}`);
  reader.next += 1;
  must(reader.status !== 'terminated' || reader.expected.length > 0, 'nothing follows the end');
  if (!isEventEntry(entry)) {
    must(reader.expected.length === 0, `${reader.expected[0]} must come first`);
    must(reader.unprocessed.delete(entry.of), `event ${entry.of} is not waiting to be processed`);
    stamped(reader, entry.processed_at, must);
    return;
  }
  const { event } = entry;
  must(!reader.ids.has(event.id), `id ${event.id} is there already`);
  reader.ids.add(event.id);
  const expected = reader.expected.shift();
  must(!expected || expected === event.type, `${expected} must come here`);
  if (event.processed_at == null) {
    must(MAY_WAIT.has(event.type), 'only these may wait: messages and interrupts');
    reader.unprocessed.set(entry.seq, event.type);
  } else stamped(reader, event.processed_at, must);
  if (event.type === 'user.define_outcome') defined(reader, event, entry.seq, must);
  else if (!entry.private?.aside) readEvent(reader, event, must);
}

const MAY_WAIT = new Set(['user.message', 'system.message', 'user.interrupt']);
type Must = (holds: boolean, rule: string) => void;

function stamped(reader: LogReader, at: string, must: Must): void {
  must(Date.parse(at) > reader.lastAt, 'processed_at never goes back');
  reader.lastAt = Date.parse(at);
}

function readEvent(reader: LogReader, event: SessionEvent, must: Must): void {
  switch (event.type) {
    case 'session.status_running':
      must(reader.status === 'idle' || reader.status === 'rescheduling', 'it was running already');
      reader.status = 'running';
      reader.expected = ['session.thread_status_running'];
      return;
    case 'session.status_rescheduled':
      must(reader.status === 'running' && !reader.span, 'only a running session is rescheduled, between requests');
      reader.status = 'rescheduling';
      reader.expected = ['session.thread_status_rescheduled'];
      return;
    case 'session.thread_status_idle':
      must(!reader.span, 'the model request is still open');
      readIdle(reader, event.stop_reason, must);
      must((event.stop_reason.type === 'refusal') === (event.stop_details !== null), 'details belong to a refusal');
      reader.expected = ['session.usage', 'session.status_idle'];
      return;
    case 'session.usage':
      must(expectedNext(reader) === 'session.status_idle', 'usage stands right before the idle');
      must(event.usage.input_tokens === reader.tokens.input, `input tokens are ${reader.tokens.input}`);
      must(event.usage.output_tokens === reader.tokens.output, `output tokens are ${reader.tokens.output}`);
      return;
    case 'session.status_idle':
      must(same(event.stop_reason, reader.stopReason), 'the reason is that of the thread');
      reader.status = 'idle';
      return;
    case 'session.thread_status_terminated':
      must(reader.status === 'idle', 'only an idle session ends');
      reader.status = 'terminated';
      reader.expected = ['session.status_terminated'];
      return;
    case 'session.error':
      readError(reader, event.error.retry_status);
      return;
    case 'span.outcome_evaluation_start':
    case 'span.outcome_evaluation_ongoing':
    case 'span.outcome_evaluation_end':
      return readEvaluation(reader, event, must);
    case 'span.model_request_start':
      must(!reader.outcome?.evaluation, 'nobody works while it is judged');
      must(reader.status === 'running' && !reader.span, 'a model is asked by a running session, once at a time');
      must(reader.open.size === 0, 'every tool use has its result before the model is asked again');
      reader.span = event.id;
      return;
    case 'span.model_request_end':
      must(reader.span === event.model_request_start_id, 'it ends the request that is open');
      reader.span = undefined;
      reader.tokens.input += event.model_usage.input_tokens;
      reader.tokens.output += event.model_usage.output_tokens;
      return;
    case 'agent.message':
    case 'agent.thinking':
    case 'agent.thread_context_compacted':
      must(reader.span !== undefined, 'only within a model request');
      return;
    case 'agent.tool_use':
      must(reader.span !== undefined, 'only within a model request');
      must((event.evaluated_permission === 'deny') === (event.evaluation === undefined), 'a policy was evaluated');
      reader.open.set(event.id, { kind: 'builtin', permission: event.evaluated_permission ?? 'deny' });
      return;
    case 'agent.custom_tool_use':
      must(reader.span !== undefined, 'only within a model request');
      reader.open.set(event.id, { kind: 'custom' });
      return;
    case 'user.tool_confirmation': {
      const use = reader.open.get(event.tool_use_id);
      must(use?.permission === 'ask' && !use.confirmed, 'it answers a call that waits for it');
      if (use) use.confirmed = event.result;
      reader.confirmed.add(event.tool_use_id);
      return;
    }
    case 'agent.tool_result': {
      const use = reader.open.get(event.tool_use_id);
      must(use?.kind === 'builtin', 'it answers a call that has no result');
      const mayRun = use?.permission === 'allow' || use?.confirmed === 'allow';
      must(mayRun || event.is_error === true, 'a call that nobody allowed has no result but an error');
      reader.open.delete(event.tool_use_id);
      return;
    }
    case 'user.custom_tool_result':
      must(reader.open.get(event.custom_tool_use_id)?.kind === 'custom', 'it answers a call that has no result');
      reader.open.delete(event.custom_tool_use_id);
      return;
  }
}

function readIdle(reader: LogReader, reason: StopReason, must: Must): void {
  must(reader.status !== 'idle' || !same(reason, reader.stopReason), 'an idle session says only what is new');
  reader.stopReason = reason;
  if (reason.type === 'requires_action') {
    must(reader.status === 'running' || reader.status === 'idle', 'a turn waits');
    must(same(reason.event_ids, [...reader.open.keys()]), `it lists what waits: ${[...reader.open.keys()]}`);
    must(reader.open.size > 0, 'something waits');
    for (const use of reader.open.values()) {
      must(use.kind === 'custom' || (use.permission === 'ask' && !use.confirmed), 'each of them waits for a person');
    }
    return;
  }
  must(reader.open.size === 0, `a turn ends with every result: ${[...reader.open.keys()]}`);
  must(
    (reason.type === 'retries_exhausted') === (reader.exhausted !== undefined),
    'exhausted retries are shown, and nothing else',
  );
  const behind = [...reader.unprocessed.keys()].filter((seq) => seq < (reader.exhausted ?? 0));
  must(behind.length === 0, 'what waited behind a dead turn is taken as read');
  reader.exhausted = undefined;
}

function defined(reader: LogReader, event: EventOf<'user.define_outcome'>, seq: number, must: Must): void {
  must(reader.outcome === undefined, 'one outcome at a time');
  must(event.processed_at != null, 'it is taken in at once');
  reader.outcome = { seq, id: event.outcome_id, iteration: 0 };
}

function readEvaluation(
  reader: LogReader,
  event: Extract<SessionEvent, { type: `span.outcome_evaluation_${string}` }>,
  must: Must,
): void {
  const { outcome } = reader;
  must(outcome?.id === event.outcome_id && outcome.iteration === event.iteration, 'it is about the open outcome');
  if (!outcome) return;
  switch (event.type) {
    case 'span.outcome_evaluation_start':
      must(!outcome.evaluation, 'one evaluation at a time');
      must(reader.status === 'running' && !reader.span && reader.open.size === 0, 'only finished work is judged');
      outcome.evaluation = event.id;
      return;
    case 'span.outcome_evaluation_ongoing':
      must(outcome.evaluation !== undefined, 'it goes on while it is open');
      return;
    case 'span.outcome_evaluation_end': {
      must(event.outcome_evaluation_start_id === (outcome.evaluation ?? ''), 'it ends the open evaluation');
      const judged = /satisfied|needs_revision|max_iterations_reached/.test(event.result);
      must(!judged || outcome.evaluation !== undefined, 'nothing is judged without an evaluation');
      delete outcome.evaluation;
      if (event.result === 'needs_revision') outcome.iteration += 1;
      else reader.outcome = undefined;
    }
  }
}

function readError(reader: LogReader, retry_status: EventOf<'session.error'>['error']['retry_status']): void {
  if (retry_status.type === 'retrying') reader.expected = ['session.status_rescheduled'];
  else reader.exhausted = reader.next;
}

function expectedNext(reader: LogReader): string | undefined {
  return reader.expected[0];
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
