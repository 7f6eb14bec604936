/** Sends the task and follows the session to its end: shows events, answers the question, kills the brain once. */
import { setTimeout as sleep } from 'node:timers/promises';
import type Anthropic from '@anthropic-ai/sdk';
import type {
  EventSendParams,
  BetaManagedAgentsSessionEvent as SessionEvent,
  BetaManagedAgentsStreamSessionEvents as StreamEvent,
} from '@anthropic-ai/sdk/resources/beta/sessions';
import type { Screen } from '../../client/command-line/screen.ts';
import { describeInput, eventShower } from '../../client/command-line/show-event.ts';
import type { Answer } from './confirm.ts';

export interface FollowOptions {
  client: Anthropic;
  sessionId: string;
  message: EventSendParams['events'][number];
  screen: Screen;
  confirm(what: string): Promise<Answer>;
  killBrain(): number | Promise<number>;
  killAfterMs: number;
  timeoutMs: number;
}

export interface Followed {
  /** The log as the server lists it after the end. */
  events: SessionEvent[];
  /** The call that was running when the brain was killed. */
  killedDuring?: string;
  deviations: string[];
}

type ToolUse = Extract<SessionEvent, { type: 'agent.tool_use' }>;

/** @throws what the SDK throws when the session cannot be followed at all. */
export async function follow(options: FollowOptions): Promise<Followed> {
  const { client, sessionId, screen } = options;
  const show = eventShower(screen);
  const deviations: string[] = [];
  const calls = new Map<string, ToolUse>();
  const finished = new Set<string>();
  const kill = planKill(options, finished, deviations);
  const answered = new Set<string>();
  const timeUp = AbortSignal.timeout(options.timeoutMs);

  const stream = await client.beta.sessions.events.stream(
    sessionId,
    { event_deltas: ['agent.message', 'agent.thinking'] },
    { signal: timeUp },
  );
  await client.beta.sessions.events.send(sessionId, { events: [options.message] });
  let ended = false;
  for await (const event of stream) {
    show(event);
    if (event.type === 'agent.tool_use') {
      calls.set(event.id, event);
      if (event.evaluated_permission !== 'ask') kill.consider(event);
    }
    if (event.type === 'agent.tool_result') finished.add(event.tool_use_id);
    if (event.type === 'session.status_idle' && event.stop_reason.type === 'requires_action')
      await answer(options, calls, event.stop_reason.event_ids, answered);
    ended = isEnd(event);
    if (ended) break;
  }
  kill.giveUp();
  if (!ended)
    deviations.push(
      timeUp.aborted ? `no end within ${options.timeoutMs / 1000} s` : 'the stream ended before the turn',
    );
  if (!kill.victim) deviations.push('the brain was never killed: no command ran long enough');
  const events: SessionEvent[] = [];
  for await (const event of client.beta.sessions.events.list(sessionId)) events.push(event);
  return { events, deviations, ...(kill.victim && { killedDuring: kill.victim }) };
}

function isEnd(event: StreamEvent): boolean {
  if (event.type === 'session.status_idle') return event.stop_reason.type !== 'requires_action';
  return event.type === 'session.status_terminated' || event.type === 'session.deleted';
}

/** Several calls may ask at once, and each answer brings the rest up again: none is asked about twice. */
async function answer(
  options: FollowOptions,
  calls: Map<string, ToolUse>,
  ids: string[],
  answered: Set<string>,
): Promise<void> {
  for (const id of ids.filter((it) => !answered.has(it))) {
    answered.add(id);
    const call = calls.get(id);
    const verdict = await options.confirm(call ? `${call.name} ${describeInput(call.input)}` : `run ${id}`);
    const event = { type: 'user.tool_confirmation' as const, tool_use_id: id, ...verdict };
    await options.client.beta.sessions.events.send(options.sessionId, { events: [event] });
  }
}

interface Kill {
  /** The call during which the brain died, once it has. */
  victim?: string;
  consider(call: ToolUse): void;
  giveUp(): void;
}

/**
 * Kills the brain in the middle of the first command that is still running after `killAfterMs`. The first call of all is
 * spared: its time is the sandbox's.
 */
function planKill(options: FollowOptions, finished: Set<string>, deviations: string[]): Kill {
  const off = new AbortController();
  const strike = async (call: ToolUse) => {
    await sleep(options.killAfterMs, undefined, { signal: off.signal });
    if (finished.has(call.id) || kill.victim) return;
    kill.victim = call.id;
    options.screen.line('SIGKILL', 'to the brain, in the middle of this command …', 'magenta');
    const pid = await options.killBrain();
    if (!(await isGone(pid))) deviations.push(`the brain, process ${pid}, survived its SIGKILL`);
    else
      options.screen.detail(
        [`process ${pid} is gone. The command in the sandbox runs on; the session will too.`],
        'magenta',
      );
  };
  const kill: Kill = {
    consider(call) {
      if (call.name !== 'bash' || finished.size === 0 || kill.victim) return;
      strike(call).catch((error: unknown) => {
        if (!off.signal.aborted) deviations.push(`the brain could not be killed: ${String(error)}`);
      });
    },
    giveUp: () => off.abort(),
  };
  return kill;
}

/** Whether a process ends within two seconds. */
async function isGone(pid: number): Promise<boolean> {
  for (let i = 0; i < 40; i++) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ESRCH';
    }
    await sleep(50);
  }
  return false;
}
