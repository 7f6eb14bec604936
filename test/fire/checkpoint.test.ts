/** SIGKILL of the hands while files are being saved, and while they are being restored. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sessionWorkflowId } from '../../events/ids.ts';
import type { SessionEvent } from '../../events/wire.ts';
import { SANDBOX_QUERY, type SandboxPlace } from '../../workflows/contract.ts';
import { type Battlefield, openBattlefield, until } from './battlefield.ts';
import { logOf } from './life.ts';
import { normalLog } from './normal-log.ts';

const MADE = 'head -c 120000000 /dev/urandom > big; sha256sum big > sum; echo made';

let field: Battlefield;
let agent: string;
let environment: string;
let undisturbed: unknown[];
beforeAll(async () => {
  const turns = [
    { when: 'make', steps: [{ tools: [{ bash: MADE }] }, { text: 'Made.' }] },
    { when: 'check', steps: [{ tools: [{ bash: 'sha256sum -c sum' }] }, { text: 'Checked.' }] },
  ];
  field = await openBattlefield({ rehearsal: 'Much to save', turns }, { sandboxIdleMs: 500 });
  const { agents, environments } = field.client.beta;
  const tools = [{ type: 'agent_toolset_20260401' as const }];
  agent = (await agents.create({ name: 'worker', model: 'claude-opus-4-8', tools })).id;
  environment = (await environments.create({ name: 'plain' })).id;
  undisturbed = normalLog(await life());
}, 900_000);
afterAll(() => field?.stop(), 120_000);

const placeOf = (session: string) =>
  field.stack.temporalClient.workflow.getHandle(sessionWorkflowId(session)).query<SandboxPlace>(SANDBOX_QUERY);

/** Two turns, between which the sandbox is saved and let go. */
async function life(hooks: { made?(session: string): Promise<void>; asked?(session: string): Promise<void> } = {}) {
  const { sessions } = field.client.beta;
  const { id } = await sessions.create({ agent, environment_id: environment });
  const say = (text: string) =>
    sessions.events.send(id, { events: [{ type: 'user.message', content: [{ type: 'text', text }] }] });
  const idle = (times: number) =>
    until(
      async () => (await logOf(field.client, id)).filter(({ type }) => type === 'session.status_idle').length === times,
      `idle ${times}`,
    );
  await say('make');
  await idle(1);
  await hooks.made?.(id);
  await until(async () => (await placeOf(id)).ref === undefined, 'the sandbox saved and let go');
  await say('check');
  await hooks.asked?.(id);
  await idle(2);
  return withoutTimes(await logOf(field.client, id));
}

/** The shell says as of when the files are. */
function withoutTimes(log: SessionEvent[]): SessionEvent[] {
  return JSON.parse(JSON.stringify(log).replaceAll(/as of \d{4}-[^Z]+Z/g, 'as of then')) as SessionEvent[];
}

const inHand = (session: string, what: string) =>
  until(async () => (await field.inHand(session)).includes(what), `${what} under way`);

test('what was saved is what was there', () => {
  expect(JSON.stringify(undisturbed)).toContain('big: OK');
});

test.each([
  ['saved', 'made', 'checkpoint'],
  ['restored', 'asked', 'provision'],
] as const)(
  'the hands die while files are being %s: they are all there afterwards',
  async (_what, moment, activity) => {
    const log = await life({
      async [moment](session: string) {
        await inHand(session, activity);
        await field.stack.hands.kill();
        await field.stack.hands.start();
      },
    });
    expect(normalLog(log)).toEqual(undisturbed);
  },
  180_000,
);
