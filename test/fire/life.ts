/**
 * The life of one session, as a program lives it through the official SDK: a task with parallel tool calls, a step that
 * needs approval, a second message. Whatever crashes meanwhile, the log at its end must be that of an undisturbed one.
 */
import type Anthropic from '@anthropic-ai/sdk';
import { APIError } from '@anthropic-ai/sdk';
import type { SessionEvent } from '../../events/wire.ts';
import type { RehearsalFile } from '../../rehearsal/rehearsal.ts';

/** A command takes so long, so that there is a middle to crash in. s */
export const COMMAND_S = 3;

export const LIFE: RehearsalFile = {
  rehearsal: 'The life of a session',
  pace: { first_token_ms: 700, chunk_ms: 20 },
  turns: [
    {
      when: 'begin',
      steps: [
        {
          thinking: 'Two things at once.',
          text: 'Let me begin.',
          tools: [
            { bash: `echo line >> journal; sleep ${COMMAND_S}; echo journal has $(wc -l < journal)` },
            { glob: { pattern: '*.none' } },
          ],
        },
        { text: 'I want to write.', tools: [{ write: { file_path: 'report', content: 'written once\n' } }] },
        { tools: [{ bash: 'echo line >> journal; cat report journal' }] },
        { text: 'The first part is done.' },
      ],
    },
    { when: 'again', steps: [{ tools: [{ bash: 'cat report journal' }] }, { text: 'All is done.' }] },
  ],
};

export interface LifeHooks {
  /** The session is there, nothing was said yet. What it returns is awaited at the end. */
  born?(session: string): Promise<void>;
  /** An approval is pending. */
  pending?(session: string): Promise<void>;
  /** Begins with the second message and goes on beside it. */
  again?(session: string): Promise<void>;
}

/** @returns the session's whole log, once its second turn has ended. */
export async function live(
  client: Anthropic,
  hooks: LifeHooks = {},
): Promise<{ session: string; log: SessionEvent[] }> {
  const { sessions, agents, environments } = client.beta;
  const agent = await agents.create({
    name: 'worker',
    model: 'claude-opus-4-8',
    tools: [
      {
        type: 'agent_toolset_20260401',
        default_config: { permission_policy: { type: 'always_allow' } },
        configs: [{ name: 'write', permission_policy: { type: 'always_ask' } }],
      },
    ],
  });
  const environment = await environments.create({ name: 'plain' });
  const { id } = await sessions.create({ agent: agent.id, environment_id: environment.id });
  const aside = hooks.born?.(id);
  aside?.catch(() => undefined);
  const say = (text: string) =>
    sessions.events.send(id, { events: [{ type: 'user.message', content: [{ type: 'text', text }] }] });

  await say('begin');
  const asked = await untilIdle(client, id, 0);
  const pending = asked.at(-1);
  if (pending?.type !== 'session.status_idle' || pending.stop_reason.type !== 'requires_action') {
    throw new Error(`${id} should wait for an approval: ${tail(asked)}`);
  }
  await hooks.pending?.(id);
  const [use] = pending.stop_reason.event_ids;
  await sessions.events.send(id, {
    events: [{ type: 'user.tool_confirmation', tool_use_id: use ?? '', result: 'allow' }],
  });
  await untilIdle(client, id, 1);
  const later = hooks.again?.(id);
  // What it prepares for the message comes first.
  if (later) await new Promise((resolve) => setTimeout(resolve, 500));
  await say('again');
  await Promise.all([aside, later]);
  await untilIdle(client, id, 2);
  return { session: id, log: await logOf(client, id) };
}

export async function logOf(client: Anthropic, session: string): Promise<SessionEvent[]> {
  const log: SessionEvent[] = [];
  for await (const event of client.beta.sessions.events.list(session, { limit: 200, order: 'asc' })) {
    log.push(event as SessionEvent);
  }
  return log;
}

/** Waits for the idle after so many earlier ones. */
async function untilIdle(client: Anthropic, session: string, before: number): Promise<SessionEvent[]> {
  let log: SessionEvent[] = [];
  for (const deadline = Date.now() + 180_000; Date.now() < deadline; ) {
    // While a server is away the api says so; a program that waits asks again.
    log = await logOf(client, session).catch((error: unknown) => {
      if (error instanceof APIError && (error.status === undefined || error.status >= 500)) return log;
      throw error;
    });
    if (log.filter(({ type }) => type === 'session.status_idle').length > before) return log;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  throw new Error(`${session} was not idle in time: ${tail(log)}`);
}

const tail = (log: SessionEvent[]) => JSON.stringify(log.slice(-6));
