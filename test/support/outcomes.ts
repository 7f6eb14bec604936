/** What tests of outcomes share: the grader's lines of a script, and sessions that are followed to their idle. */
import type Anthropic from '@anthropic-ai/sdk';
import type { MessageCreateParamsBase } from '@anthropic-ai/sdk/resources/messages';
import type { EventOf, EventParams, SessionEvent } from '../../events/wire.ts';
import type { RehearsalFile } from '../../rehearsal/rehearsal.ts';
import type { TestApi } from './api.ts';
import type { Stack } from './stack.ts';

type Turn = NonNullable<RehearsalFile['turns']>[number];
type Step = Turn['steps'][number];

/** Requests of the grader, told apart by its system prompt. */
export const GRADER = 'independent grader';

/** A verdict as the grader calls it. */
export function verdict(result: string, criteria: Record<string, boolean>, explanation = `It is ${result}.`) {
  const list = Object.entries(criteria).map(([criterion, met]) => ({ criterion, evidence: `seen: ${met}`, met }));
  return { name: 'verdict', input: { criteria: list, result, explanation } };
}

/** The grader's lines for work that holds `document`. */
export function grades(document: string, ...steps: Step[]): Turn {
  return { when: { system: GRADER, document }, steps };
}

/** What the grader was asked, oldest first. */
export function graderRequests(stack: Stack): MessageCreateParamsBase[] {
  return stack.rehearsal.requests
    .map(({ body }) => body as MessageCreateParamsBase)
    .filter(({ system }) => JSON.stringify(system ?? '').includes(GRADER));
}

export type Ended = EventOf<'span.outcome_evaluation_end'>;

export interface Followed {
  id: string;
  events: SessionEvent[];
  types: string[];
  ends: Ended[];
}

/** An agent with every built-in tool, or none, and an environment. */
export async function makeParts({ client }: TestApi, tools: boolean) {
  const agent = await client.beta.agents.create({
    name: 'writer',
    model: 'claude-opus-4-8',
    ...(tools ? { tools: [{ type: 'agent_toolset_20260401' as const }] } : {}),
  });
  const environment = await client.beta.environments.create({ name: 'default' });
  return { agent: agent.id, environment_id: environment.id };
}

export function outcome(
  description: string,
  rubric = 'Good work.',
  more: object = {},
): Extract<EventParams, { type: 'user.define_outcome' }> {
  return { type: 'user.define_outcome', description, rubric: { type: 'text', content: rubric }, ...more };
}

/** All events of a session. */
export async function eventsOf(client: Anthropic, id: string): Promise<SessionEvent[]> {
  const events: SessionEvent[] = [];
  for await (const event of client.beta.sessions.events.list(id)) events.push(event as SessionEvent);
  return events;
}

/** Waits until an event matches; looks at what there was before too. */
export async function until(
  client: Anthropic,
  id: string,
  matches: (event: SessionEvent, index: number, all: SessionEvent[]) => boolean,
  ms = 60_000,
): Promise<SessionEvent> {
  const deadline = Date.now() + ms;
  for (;;) {
    const events = await eventsOf(client, id);
    const found = events.find(matches);
    if (found) return found;
    if (Date.now() > deadline) {
      const tail = events.slice(-12).map((event) => JSON.stringify(event).slice(0, 300));
      throw new Error(`Not seen within ${ms} ms. The log ends so:\n${tail.join('\n')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits for the session to idle for the `nth` time, and returns its whole log. */
export async function toIdle(client: Anthropic, id: string, nth = 1, ms = 60_000): Promise<Followed> {
  await until(
    client,
    id,
    (event, index, all) => event.type === 'session.status_idle' && all.slice(0, index + 1).filter(isIdle).length >= nth,
    ms,
  );
  return await followed(client, id);
}

const isIdle = (event: SessionEvent) => event.type === 'session.status_idle';

export async function followed(client: Anthropic, id: string): Promise<Followed> {
  const events = await eventsOf(client, id);
  return {
    id,
    events,
    types: events.map((event) => event.type),
    ends: events.flatMap((event) => (event.type === 'span.outcome_evaluation_end' ? [event] : [])),
  };
}
