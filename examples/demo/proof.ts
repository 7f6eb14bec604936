/** What the demo claims, checked against the session's log and the journal that the command itself kept. Pure. */
import type { BetaManagedAgentsSessionEvent as SessionEvent } from '@anthropic-ai/sdk/resources/beta/sessions';

export interface Evidence {
  /** The session's whole log. */
  events: SessionEvent[];
  /** Lines of the journal; undefined when it could not be read. */
  journal?: string[];
  /** The tool call that was running when the brain was killed. */
  killedDuring?: string;
  /** Lines that the journal must have. */
  batches: number;
  /** Milliseconds that the kill may cost. */
  allowedMs: number;
}

export interface Claim {
  holds: boolean;
  text: string;
}

export interface Verdict {
  claims: Claim[];
  /** From the end of the interrupted command to the next model request, ms. */
  lostMs?: number;
}

export function judge(evidence: Evidence): Verdict {
  const lostMs = timeLost(evidence);
  const claims = [
    callsAnsweredOnce(evidence.events),
    ...(evidence.killedDuring ? [interruptedCall(evidence.events, evidence.killedDuring)] : []),
    journalOnce(evidence),
    costs(lostMs, evidence.allowedMs),
    confirmations(evidence.events),
    noDeadErrors(evidence.events),
    endedByItself(evidence.events),
  ];
  return lostMs === undefined ? { claims } : { claims, lostMs };
}

function callsAnsweredOnce(events: SessionEvent[]): Claim {
  const uses = events.flatMap((event) => (event.type === 'agent.tool_use' ? [event.id] : []));
  const results = events.flatMap((event) => (event.type === 'agent.tool_result' ? [event.tool_use_id] : []));
  const wrong = uses.filter((id) => results.filter((of) => of === id).length !== 1);
  const holds =
    uses.length > 0 && wrong.length === 0 && results.length === uses.length && new Set(uses).size === uses.length;
  const text = `${uses.length} tool calls in the log, ${results.length} results, one for each`;
  return { holds, text: wrong.length > 0 ? `${text}: not so for ${wrong.join(', ')}` : text };
}

function interruptedCall(events: SessionEvent[], id: string): Claim {
  const result = events.find((event) => event.type === 'agent.tool_result' && event.tool_use_id === id);
  const failed = result?.type === 'agent.tool_result' && result.is_error === true;
  if (!result) return { holds: false, text: `the call that was running at the kill (${id}) never got a result` };
  if (failed) return { holds: false, text: 'the call that was running at the kill ended with an error' };
  return { holds: true, text: 'the call that was running at the kill went on and has its ordinary result' };
}

/** Number of a `… batch 3/12 …` line. */
function batchOf(line: string): number | undefined {
  const match = /\bbatch (\d+)\/\d+/.exec(line);
  return match ? Number(match[1]) : undefined;
}

function journalOnce({ journal, batches }: Evidence): Claim {
  if (!journal) return { holds: false, text: 'the journal of the command could not be read' };
  const numbers = journal.flatMap((line) => batchOf(line) ?? []);
  const twice = numbers.filter((number, i) => numbers.indexOf(number) !== i);
  if (twice.length > 0)
    return { holds: false, text: `ran twice, says the journal: batch ${[...new Set(twice)].join(', ')}` };
  const complete = numbers.length === batches && numbers.every((number, i) => number === i + 1);
  if (!complete)
    return { holds: false, text: `the journal has batches ${numbers.join(', ') || 'none'}, not 1 to ${batches}` };
  return { holds: true, text: `the command's own journal has batches 1 to ${batches}, each once: nothing ran twice` };
}

/** From the last line that the interrupted command wrote to the model request that followed its result. */
export function timeLost({ events, journal, killedDuring }: Evidence): number | undefined {
  const at = events.findIndex((event) => event.type === 'agent.tool_result' && event.tool_use_id === killedDuring);
  const next = events.slice(at + 1).find((event) => event.type === 'span.model_request_start');
  const use = events.find((event) => event.type === 'agent.tool_use' && event.id === killedDuring);
  if (at === -1 || next?.type !== 'span.model_request_start' || use?.type !== 'agent.tool_use') return undefined;
  const [from, to] = [Date.parse(use.processed_at), Date.parse(next.processed_at)];
  const written = (journal ?? [])
    .map((line) => Date.parse(line.split(' ')[0] ?? ''))
    .filter((time) => time >= from && time <= to);
  return written.length > 0 ? to - Math.max(...written) : undefined;
}

function costs(lostMs: number | undefined, allowedMs: number): Claim {
  if (lostMs === undefined) return { holds: false, text: 'the time lost cannot be told from log and journal' };
  const seconds = (lostMs / 1000).toFixed(2);
  const text = `${seconds} s from the end of the command to the next model request, at most ${allowedMs / 1000} s are allowed`;
  return { holds: lostMs <= allowedMs, text };
}

function confirmations(events: SessionEvent[]): Claim {
  const asked = events.filter((event) => event.type === 'agent.tool_use' && event.evaluated_permission === 'ask');
  const answered = asked.filter((event) =>
    events.some((it) => it.type === 'user.tool_confirmation' && it.tool_use_id === event.id),
  );
  const holds = asked.length > 0 && answered.length === asked.length;
  return { holds, text: `${asked.length} call(s) asked for a confirmation, ${answered.length} got one` };
}

function noDeadErrors(events: SessionEvent[]): Claim {
  const errors = events.flatMap((event) => (event.type === 'session.error' ? [event.error] : []));
  const dead = errors.filter((error) => error.retry_status.type !== 'retrying');
  if (dead.length > 0) return { holds: false, text: `errors: ${dead.map((error) => error.message).join('; ')}` };
  return {
    holds: true,
    text: errors.length === 0 ? 'no errors in the log' : `${errors.length} error(s), all passed by themselves`,
  };
}

function endedByItself(events: SessionEvent[]): Claim {
  const last = events.findLast((event) => event.type === 'session.status_idle');
  const reason = last?.type === 'session.status_idle' ? last.stop_reason.type : 'nothing';
  return { holds: reason === 'end_turn', text: `the turn ended with ${reason}` };
}
